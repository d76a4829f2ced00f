from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.audit.checkpoint import head_file
from bridge.cli.audit import app
from bridge.domain.audit import Kind, Record
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring
from bridge.secrets.public_keys import PublicKeys
from tests.unit.audit.history import START, History


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration and the database of an orderly run, signed with the keys beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERTBRIDGE_KEYRING", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "bridge.yml"
    path.write_text("storage: {url: 'sqlite:data.db'}\nchannels: {broken: [\n")
    _write(tmp_path / "data.db", InstanceKeys.load_or_create(tmp_path / "data.db.keys"))
    return path


def _write(path: Path, keys: InstanceKeys) -> History:
    history = History(path, keys)
    history.start()
    history.deliver(Kind.RETRY, Kind.SENT)
    history.live(random.Random(1), 20)
    history.stop()
    history.close()
    return history


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_sound_log_is_said_to_hold(config: Path) -> None:
    result = _run("verify", "--config", config)
    assert result.exit_code == 0, result.output
    assert "the audit log holds" in result.stdout


def test_the_first_record_that_does_not_hold_is_named_and_the_exit_code_is_one(config: Path) -> None:
    with closing(sqlite3.connect("data.db")) as connection:
        connection.execute("UPDATE audit SET reason = 'forged' WHERE seq = 3")
        connection.commit()
    result = _run("verify", "--config", config)
    assert result.exit_code == 1
    assert "record 3" in result.stderr
    [finding] = json.loads(_run("verify", "--config", config, "--json").stdout)["findings"]
    assert finding["first"] <= 3 <= finding["last"]


def test_the_result_as_json_counts_what_was_judged(config: Path) -> None:
    answer = json.loads(_run("verify", "--config", config, "--json").stdout)
    assert answer["holds"] is True
    assert answer["records"] == answer["signed_through"] == answer["last_seq"] > 20
    assert answer["findings"] == []


def test_a_cut_that_only_an_outside_log_can_tell_of_is_found_with_it(config: Path, tmp_path: Path) -> None:
    history = _write(tmp_path / "other.db", InstanceKeys.generate())
    log = tmp_path / "bridge.log"
    log.write_text("\n".join(history.anchors))
    public = tmp_path / "public"
    PublicKeys((), history.keys.verifiers).save(public)
    common = ("verify", "--config", config, "--database", "other.db", "--public-keys", public)
    assert _run(*common, "--anchor", log).exit_code == 0
    with closing(sqlite3.connect("other.db")) as connection:
        connection.execute("DELETE FROM audit WHERE seq > 1")
        connection.execute("DELETE FROM audit_checkpoints")
        connection.execute("DELETE FROM deliveries")
        connection.commit()
    head_file(tmp_path / "other.db").unlink()
    assert _run(*common).exit_code == 0
    result = _run(*common, "--anchor", log)
    assert result.exit_code == 1
    assert "records 2 to" in result.stderr


def test_the_keyring_of_the_configuration_is_what_signatures_are_checked_with(config: Path, tmp_path: Path) -> None:
    (tmp_path / "data.db.keys").unlink()
    result = _run("verify", "--config", config)
    assert result.exit_code == 3
    assert "no key" in result.stderr
    ring = Keyring.generate()
    ring.create(tmp_path / "ring.json")
    config.write_text("secrets: {keyring: ring.json}\nstorage: {url: 'sqlite:signed.db'}\n")
    _write(tmp_path / "signed.db", ring.instance_keys())
    assert _run("verify", "--config", config).exit_code == 0
    assert _run("verify", "--config", config, "--database", "data.db").exit_code == 1


@pytest.mark.parametrize("command", ["verify", "list", "export"])
def test_what_cannot_be_read_exits_with_three(config: Path, command: str) -> None:
    for arguments in (["--database", "missing.db"], ["--config", "missing.yml"]):
        assert _run(command, *arguments).exit_code == 3


def test_the_export_is_one_json_object_a_line(config: Path) -> None:
    result = _run("export", "--config", config)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records[0]["kind"] == "started"
    assert records[-1]["kind"] == "stopped"


def test_filters_narrow_what_is_listed(config: Path) -> None:
    lines = _run("list", "--config", config, "--delivery", "1", "--kind", "sent", "--kind", "retry").stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["retry", "sent"]
    assert len(_run("list", "--config", config, "--limit", "3").stdout.splitlines()) == 3
    assert _run("list", "--config", config, "--since", "1h").stdout == ""
    assert _run("list", "--config", config, "--since", START.isoformat()).stdout.count("started") == 1
    assert _run("list", "--config", config, "--since", "yesterday").exit_code == 2


def test_nothing_in_a_record_can_act_on_the_terminal(config: Path, tmp_path: Path) -> None:
    history = History(tmp_path / "odd.db", InstanceKeys.generate())
    history.start()
    history.record(Record(at=START, kind=Kind.COMMENTED, actor="eve\x1b[2J", detail="a\nrecord 9: fine"))
    history.close()
    shown = _run("list", "--config", config, "--database", "odd.db").stdout
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2


@pytest.mark.parametrize("command", ["list", "export"])
def test_a_kind_that_there_is_not_is_wrong_usage(config: Path, command: str) -> None:
    result = _run(command, "--config", config, "--kind", "acknowleged")
    assert result.exit_code == 2
    assert "did you mean 'acknowledged'?" in result.output
