"""`alertbridge backup` and `alertbridge restore` as people and scripts run them."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.main import app
from bridge.domain.errors import BridgeError, StorageError
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring
from tests.running_bridge import BridgeProcess, bridge_process
from tests.unit.audit.history import History
from tests.unit.cli.terminal import on_a_terminal

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:var/bridge.db"}
channels: {console: {type: console}}
route: {receiver: console}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: str | Path) -> Any:
    ran = run(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration and the database of an orderly run, signed with the keys beside it."""
    monkeypatch.chdir(tmp_path)
    for name in ("ALERTBRIDGE_KEYRING", "CREDENTIALS_DIRECTORY", "ALERTBRIDGE_URL", "ALERTBRIDGE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "bridge.yml"
    path.write_text("storage: {url: 'sqlite:data.db'}\n")
    history = History(tmp_path / "data.db", InstanceKeys.load_or_create(tmp_path / "data.db.keys"))
    history.start()
    history.live(random.Random(1), 20)
    history.stop()
    history.close()
    return path


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BridgeProcess]:
    monkeypatch.chdir(tmp_path)
    with bridge_process(tmp_path, CONFIG) as bridge:
        yield bridge


def kinds(database: str | Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT kind FROM audit ORDER BY seq")]


def test_where_no_bridge_runs_the_command_itself_puts_the_backup_on_record(config: Path) -> None:
    before = kinds("data.db")
    made = answer("backup", "copy.db", "--config", config, "--by", "ada")
    assert made["recorded"]
    assert kinds("data.db") == [*before, "started", "backup", "stopped"]
    assert kinds("copy.db") == before
    assert run("audit", "verify", "--config", config).exit_code == 0
    [record] = json.loads("[" + run("audit", "export", "--config", config, "--kind", "backup").stdout.strip() + "]")
    assert (record["actor"], record["digest"]) == ("ada", made["digest"])
    assert json.loads(record["detail"]) == {"file": "copy.db", "bytes": made["bytes"], "through": made["through"]}
    assert stat.S_IMODE(Path("copy.db").stat().st_mode) == 0o600


def test_a_running_bridge_puts_the_backup_on_record_when_it_is_asked(running: BridgeProcess) -> None:
    made = answer("backup", "copy.db", "--config", "routes", "--by", "ada")
    assert made["recorded"], made
    ran = running.command("audit", "export", "--config", "routes", "--kind", "backup")
    assert json.loads(ran.stdout)["digest"] == made["digest"]
    assert running.command("audit", "verify", "--config", "routes").returncode == 0


def test_a_bridge_that_cannot_be_asked_costs_the_record_and_not_the_backup(running: BridgeProcess) -> None:
    ran = run("backup", "copy.db", "--config", "routes", "--url", "http://127.0.0.1:1", "--by", "ada")
    assert ran.exit_code == 0
    assert "the copy is complete, but the audit does not tell of it: no answer from http://127.0.0.1:1" in ran.stderr
    assert run("restore", "copy.db", "--check", "--config", "routes").exit_code == 0


def test_another_bridge_does_not_put_on_record_what_is_not_its_own(running: BridgeProcess, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with bridge_process(other, CONFIG) as second:
        made = answer("backup", "copy.db", "--config", "routes", "--url", second.url, "--by", "ada")
        assert "a copy of another database" in made["why_not"]
        assert second.command("audit", "export", "--config", "routes", "--kind", "backup").stdout == ""


def test_what_is_there_is_not_overwritten_without_force(config: Path) -> None:
    Path("copy.db").write_text("of value")
    ran = run("backup", "copy.db", "--config", config)
    assert isinstance(ran.exception, StorageError)
    assert Path("copy.db").read_text() == "of value"
    assert answer("backup", "copy.db", "--config", config, "--force")["recorded"]
    assert isinstance(run("backup", "data.db", "--config", config, "--force").exception, StorageError)
    assert kinds("data.db")


def test_the_files_with_keys_are_named_and_only_put_beside_if_that_is_wanted(config: Path) -> None:
    ran = run("backup", "one.db", "--config", config)
    assert "not in it: data.db.keys (signs the audit" in ran.stdout
    assert not Path("one.db.keys").exists()
    Keyring.generate().create(Path("ring.json"))
    config.write_text("storage: {url: 'sqlite:data.db'}\nsecrets: {keyring: ring.json}\n")
    made = answer("backup", "two.db", "--config", config, "--with-keys")
    assert made["keys"] == "two.db.keys"
    assert [one["file"] for one in made["not_in_it"]] == ["ring.json"]
    assert Path("two.db.keys").read_bytes() == Path("data.db.keys").read_bytes()
    assert stat.S_IMODE(Path("two.db.keys").stat().st_mode) == 0o600
    assert run("backup", "three.db", "--config", config, "--with-keys").exception is None
    Path("four.db.keys").write_text("of value")
    assert isinstance(run("backup", "four.db", "--config", config, "--with-keys").exception, StorageError)
    assert not Path("four.db").exists()


def test_a_database_of_an_older_schema_is_copied_and_left_as_it_is(config: Path) -> None:
    with closing(sqlite3.connect("data.db")) as connection:
        newest = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {newest + 1}")
    made = answer("backup", "copy.db", "--config", config)
    assert "the database has schema" in made["why_not"]
    assert "backup" not in kinds("data.db")
    ran = run("restore", "copy.db", "--check", "--config", config)
    assert "restore it with the version that wrote it" in str(ran.exception)


def test_a_backup_is_restored_with_its_keys_into_an_empty_place(config: Path, tmp_path: Path) -> None:
    made = answer("backup", "copy.db", "--config", config, "--with-keys")
    new = tmp_path / "new" / "data.db"
    done = answer("restore", "copy.db", "--config", config, "--database", new)
    assert done["restored"]
    assert done["holds"]
    assert (done["through"], done["report"]["records"]) == (made["through"], made["through"])
    assert (new.parent / "data.db.keys").read_bytes() == Path("data.db.keys").read_bytes()
    assert stat.S_IMODE((new.parent / "data.db.keys").stat().st_mode) == 0o600
    assert run("audit", "verify", "--config", config, "--database", new).exit_code == 0
    assert kinds(new) == kinds("copy.db")


def test_a_copy_made_by_hand_is_restored_too(config: Path, tmp_path: Path) -> None:
    shutil.copy("data.db", "copy.db")
    shutil.copy("data.db.keys", "copy.db.keys")
    done = answer("restore", "copy.db", "--config", config, "--database", tmp_path / "new.db")
    assert done["restored"]
    assert done["at"].startswith("2026-03-01")


@pytest.mark.parametrize("there", ["new.db", "new.db-wal", "new.db-journal"])
def test_a_place_that_is_not_empty_is_left_as_it_is(config: Path, there: str) -> None:
    answer("backup", "copy.db", "--config", config, "--with-keys")
    Path(there).write_text("of value")
    ran = run("restore", "copy.db", "--config", config, "--database", "new.db")
    assert isinstance(ran.exception, StorageError)
    assert f"{there} is there" in str(ran.exception)
    assert Path(there).read_text() == "of value"
    assert not Path("new.db.keys").exists()


def test_a_head_file_that_outlived_its_database_is_kept_as_a_witness(config: Path) -> None:
    answer("backup", "copy.db", "--config", config, "--with-keys")
    Path("data.db").unlink()
    witness = Path("data.db.audit-head").read_bytes()
    assert answer("restore", "copy.db", "--config", config)["restored"]
    assert Path("data.db.audit-head").read_bytes() == witness
    assert run("audit", "verify", "--config", config).exit_code == 1  # until a bridge has said that it was restored


def test_a_copy_that_was_tampered_with_is_refused_with_the_record_and_restored_only_unverified(config: Path) -> None:
    answer("backup", "copy.db", "--config", config, "--with-keys")
    with closing(sqlite3.connect("copy.db")) as connection, connection:
        connection.execute("UPDATE audit SET reason = 'forged' WHERE seq = 3")
    ran = run("restore", "copy.db", "--config", config, "--database", "new.db")
    assert ran.exit_code == 1
    assert "record 3" in ran.stderr
    ran = run("restore", "copy.db", "--config", config, "--database", "new.db", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["holds"] is False
    assert not Path("new.db").exists()
    done = answer("restore", "copy.db", "--config", config, "--database", "new.db", "--unverified")
    assert (done["restored"], done["holds"]) == (True, None)


def test_without_keys_nothing_can_be_judged_and_whoever_goes_on_is_warned(config: Path, tmp_path: Path) -> None:
    answer("backup", "copy.db", "--config", config)
    new = tmp_path / "new" / "data.db"
    ran = run("restore", "copy.db", "--config", config, "--database", new)
    assert isinstance(ran.exception, BridgeError)
    assert "no key to check them with" in str(ran.exception)
    ran = run("restore", "copy.db", "--config", config, "--database", new, "--unverified")
    assert ran.exit_code == 0
    assert "the bridge will make new keys" in ran.stderr


async def test_long_work_shows_a_bar_on_a_terminal_alone(config: Path) -> None:
    shown = await on_a_terminal("backup", "copy.db", "--config", str(config), typed="")
    assert shown.code == 0
    assert "copying" in shown.screen
    assert "copying" not in shown.out
