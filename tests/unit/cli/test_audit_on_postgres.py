"""`alertbridge audit` on a PostgreSQL database that several bridges have written to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.app.trail import Trail
from bridge.cli.audit import app
from bridge.domain.audit import Kind, Record
from bridge.secrets.keyring import Keyring
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.transaction import Tx
from tests.contract.storage.units import NOW
from tests.postgres import Cluster


def record(name: str) -> object:
    async def unit(tx: Tx) -> None:
        tx.record(Record(NOW, Kind.RECEIVED, source=name, incident="i1", detail=f"said by {name}\x00"))

    return unit


async def _two_bridges(url: str, ring: Keyring) -> None:
    keys = ring.instance_keys()
    databases = [await PostgresDatabase.open(url) for _ in range(2)]
    trails = [await Trail.begin(database, keys, NOW, {"version": "1"}, None) for database in databases]
    for turn in range(6):
        await databases[turn % 2].write(record(f"bridge {turn % 2}"))
        if turn == 3:
            await trails[0].checkpoint(NOW)
    for trail, database in zip(trails, databases, strict=True):
        await trail.end(NOW)
        await database.close()


@pytest.fixture
def config(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of two bridges that ran side by side and stopped in order."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERTBRIDGE_KEYRING", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("DATABASE", postgres_url)
    ring = Keyring.generate()
    ring.create(tmp_path / "ring.json")
    path = tmp_path / "bridge.yml"
    path.write_text("secrets: {keyring: ring.json}\nstorage: {url: 'env:DATABASE'}\n")
    asyncio.run(_two_bridges(postgres_url, ring))
    return path


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _change(cluster: Cluster, url: str, statement: str) -> None:
    cluster.query(statement, url.rpartition("/")[2])


def test_a_sound_log_of_two_bridges_holds(config: Path) -> None:
    result = _run("verify", "--config", config, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["chains"], answer["checkpoints"]) == (2, 3)
    assert answer["notes"] == ["beside a server there is no head file: an --anchor tells whether the end was cut off"]
    assert answer["records"] == answer["last_seq"] == answer["signed_through"] == 10


def test_records_are_listed_and_exported(config: Path) -> None:
    listed = _run("list", "--config", config, "--limit", "3").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["8", "9", "10"]
    exported = [
        json.loads(line) for line in _run("export", "--config", config, "--kind", "received").stdout.splitlines()
    ]
    assert [row["source"] for row in exported] == ["bridge 0", "bridge 1"] * 3
    assert exported[0]["detail"] == "said by bridge 0\ufffd"
    assert _run("export", "--config", config, "--incident", "i2").stdout == ""
    assert len(_run("export", "--config", config, "--since", "2020-01-01").stdout.splitlines()) == 10


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("UPDATE audit SET detail = 'forged' WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq > 6", 7),
        ("UPDATE audit SET chain = (SELECT chain FROM audit WHERE seq = 1) WHERE seq = 6", 6),
    ],
)
def test_what_was_changed_is_named(
    config: Path, postgres: Cluster, postgres_url: str, statement: str, first: int
) -> None:
    _change(postgres, postgres_url, statement)
    result = _run("verify", "--config", config, "--json")
    assert result.exit_code == 1, result.output
    [finding, *_others] = json.loads(result.stdout)["findings"]
    assert finding["first"] <= first <= finding["last"]


def test_a_sealed_address_is_opened(config: Path, postgres_url: str) -> None:
    from bridge.secrets.binding import Binding

    sealed = Keyring.load(Path("ring.json")).seal(postgres_url, Binding.at("default", ("storage", "url")))
    config.write_text(f"secrets: {{keyring: ring.json}}\nstorage: {{url: '{sealed}'}}\n")
    assert _run("verify", "--config", config).exit_code == 0


def test_a_server_that_is_not_there_is_exit_three_and_tells_no_password(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE", "postgresql://bridge:s3cret@127.0.0.1:1/alerts")
    result = _run("list", "--config", config)
    assert result.exit_code == 3
    assert "127.0.0.1:1/alerts cannot be reached" in result.output
    assert "s3cret" not in result.output


def test_a_database_without_our_tables_is_exit_three(
    config: Path, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE", postgres.dsn())
    result = _run("list", "--config", config)
    assert result.exit_code == 3
    assert "no tables of alertbridge" in result.output
