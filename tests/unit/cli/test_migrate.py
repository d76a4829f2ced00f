"""`alertbridge migrate` on both databases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.main import app
from bridge.domain.errors import StorageError
from bridge.storage.lock import FileLock
from bridge.storage.statements import halves
from tests.postgres import Cluster
from tests.unit.storage.test_postgres_migrate import NEXT, NOW_KNOWN, beat, newer, opened


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["migrate", *map(str, arguments)])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bridge.yml"
    path.write_text("storage: {url: 'sqlite:data.db'}\n")
    return path


@pytest.fixture
def on_postgres(config: Path, postgres_url: str) -> Path:
    config.write_text(f"storage: {{url: '{postgres_url}'}}\n")
    return config


def test_a_file_is_brought_to_the_newest_schema(config: Path) -> None:
    newest = halves("sqlite")[-1].number
    assert _run("--config", config).stdout == f"data.db: from schema 0 to {newest}\n"
    assert _run("--config", config).stdout == f"data.db: schema {newest}\n"
    with closing(sqlite3.connect("data.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (newest,)


def test_a_file_that_a_bridge_holds_is_left_alone(config: Path) -> None:
    lock = FileLock(Path("data.db"))
    lock.acquire()
    result = _run("--config", config)
    lock.release()
    assert isinstance(result.exception, StorageError)
    assert "is locked by process" in str(result.exception)


def test_a_server_is_brought_to_the_newest_schema_beside_bridges(on_postgres: Path, postgres_url: str) -> None:
    newest = halves("postgres")[-1].number
    first = json.loads(_run("--config", on_postgres, "--json").stdout)
    assert (first["before"], first["after"], first["waiting"]) == (0, newest, [])
    assert first["database"] == postgres_url.rpartition("@")[2]
    assert json.loads(_run("--config", on_postgres, "--json").stdout)["before"] == newest


def test_what_older_bridges_still_need_is_said_to_wait(
    on_postgres: Path, postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def old() -> None:
        async with opened(postgres_url) as database:
            await database.write(beat("old", NOW_KNOWN))

    asyncio.run(old())
    with newer(monkeypatch):
        said = _run("--config", on_postgres).stdout
    assert f"from schema {NOW_KNOWN} to {NEXT}" in said
    assert f"what schema {NEXT} takes away waits until no bridge of an older version runs" in said
    assert f"schema {NEXT}, newer than this version's {NOW_KNOWN}" in _run("--config", on_postgres).stdout
