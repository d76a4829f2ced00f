"""Whoever outgrows a file: backup, another `storage.url`, restore; and what was signed before is still judged."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.main import app
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring
from tests.unit.audit.history import History


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def moved(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration after the move of a database that was signed with the keys beside it."""
    monkeypatch.chdir(tmp_path)
    for name in ("ALERTBRIDGE_KEYRING", "CREDENTIALS_DIRECTORY", "ALERTBRIDGE_URL", "ALERTBRIDGE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "bridge.yml"
    config.write_text("storage: {url: 'sqlite:data.db'}\n")
    history = History(tmp_path / "data.db", InstanceKeys.load_or_create(tmp_path / "data.db.keys"))
    history.start()
    history.live(random.Random(1), 20)
    history.stop()
    history.close()
    assert run("backup", "moving.db", "--config", config, "--with-keys").exit_code == 0
    Keyring.generate().create(tmp_path / "ring.json")
    config.write_text(f"storage: {{url: '{postgres_url}'}}\nsecrets: {{keyring: ring.json}}\n")
    ran = run("restore", "moving.db", "--config", config, "--moved", "--json")
    assert ran.exit_code == 0, ran.output
    done = json.loads(ran.stdout)
    assert (done["restored"], done["moved"], done["holds"]) == (True, True, True)
    assert postgres_url not in ran.stdout
    return config


def test_a_backup_made_before_any_bridge_started_there_leaves_the_first_word_to_the_bridge(moved: Path) -> None:
    made = json.loads(run("backup", "copy.db", "--config", moved, "--json", "--by", "ada").stdout)
    assert "the next start of a bridge is to say so first" in made["why_not"]
    assert run("restore", "copy.db", "--check", "--config", moved).exit_code == 1
    assert run("restore", "copy.db", "--check", "--config", moved, "--former", "moving.db.keys").exit_code == 0


def test_what_the_keys_beside_the_file_signed_is_judged_with_them(moved: Path) -> None:
    assert run("audit", "verify", "--config", moved).exit_code == 1
    ran = run("audit", "verify", "--config", moved, "--former", "moving.db.keys")
    assert ran.exit_code == 0, ran.output


def test_the_same_place_is_not_restored_into_twice(moved: Path) -> None:
    ran = run("restore", "moving.db", "--config", moved)
    assert "is not empty: its table audit has rows" in str(ran.exception)
