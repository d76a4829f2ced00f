from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.secrets import app
from bridge.config.server import SecretsSettings
from bridge.secrets.binding import Binding
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring
from bridge.secrets.settings import DEFAULT_ENVIRONMENT, DEFAULT_KEYRING
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.transaction import Tx

SECRET = "xoxb-canary-99"
MAIN = "secrets: {keyring: ring.json, environment: production, public_keys: public.keys}\nstorage: {url: 'sqlite:data.db'}\n"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERTBRIDGE_KEYRING", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "main.yml"
    path.write_text(MAIN)
    return path


def _run(*arguments: str, stdin: str | bytes = "", config: str = "main.yml") -> Result:
    result = CliRunner().invoke(app, [*arguments, "--config", config], input=stdin)
    assert SECRET not in result.output
    return result


def _sealed(location: str, secret: str = SECRET) -> str:
    result = _run("seal", "--for", location, stdin=f"{secret}\n")
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def _open(text: str, location: str, environment: str = "production") -> str:
    return Keyring.load(Path("ring.json")).open(text, Binding.parse(environment, location))


def test_keygen_makes_a_private_keyring_and_the_file_to_commit() -> None:
    result = _run("keygen")
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(Path("ring.json").stat().st_mode) == 0o600
    kid = Keyring.load(Path("ring.json")).public().kid
    assert f"seal v1 {kid} " in Path("public.keys").read_text()


def test_keygen_never_overwrites_and_says_what_rotation_is_not() -> None:
    _run("keygen")
    before = Path("ring.json").read_bytes()
    result = _run("keygen")
    assert result.exit_code == 1
    assert "not credential rotation" in result.stderr
    assert Path("ring.json").read_bytes() == before


def test_without_a_configured_file_the_public_keys_are_printed(config: Path) -> None:
    config.write_text("secrets: {keyring: ring.json}\n")
    result = _run("keygen")
    assert f"seal v1 {Keyring.load(Path('ring.json')).public().kid} " in result.stdout


def test_a_new_keyring_takes_over_the_keys_the_bridge_already_uses() -> None:
    before = InstanceKeys.load_or_create(Path("data.db.keys"))
    _run("keygen")
    after = Keyring.load(Path("ring.json")).instance_keys()
    assert (after.verifiers, after.link_key) == (before.verifiers, before.link_key)


def test_whoever_has_the_committed_file_can_seal() -> None:
    _run("keygen")
    Path("ring.json").rename("away.json")
    text = _sealed("channels/team-slack/webhook_url")
    Path("away.json").rename("ring.json")
    assert _open(text, "channels/team-slack/webhook_url") == SECRET


def test_a_hybrid_key_makes_texts_of_version_two() -> None:
    _run("keygen", "--post-quantum")
    text = _sealed("channels/chat/token")
    assert text.startswith("sealed:v2:")
    assert _open(text, "channels/chat/token") == SECRET


@pytest.mark.parametrize(
    ("stdin", "expected"), [("a\n", "a"), ("a", "a"), ("a\r\n", "a"), ("a\nb\n\n", "a\nb\n"), (" a ", " a ")]
)
def test_one_newline_at_the_end_of_standard_input_is_not_part_of_the_secret(stdin: str, expected: str) -> None:
    _run("keygen")
    result = _run("seal", "--for", "channels/chat/token", "--json", stdin=stdin)
    answer = json.loads(result.stdout)
    assert _open(answer["sealed"], "channels/chat/token") == expected
    assert (answer["for"], answer["environment"]) == ("channels/chat/token", "production")


def test_the_environment_can_be_named() -> None:
    _run("keygen")
    result = _run("seal", "--for", "channels/chat/token", "--environment", "staging", stdin="x")
    assert _open(result.stdout.strip(), "channels/chat/token", "staging") == "x"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (["seal"], "x", 2),
        (["seal", "--for", "channels"], "x", 2),
        (["seal", "--for", "channels/chat/token"], "", 2),
        (["seal", "--for", "a/b/c", "--rename", "a", "b"], "x", 2),
        (["seal", "--for", "channels/chat/token"], b"\xff\xfe", 3),
        (["retire", "0123456789abcdef"], "", 1),
        (["seal", "--rename", "channels/a", "channels/b"], "", 1),
    ],
)
def test_exit_codes_tell_wrong_usage_from_no(arguments: list[str], stdin: str | bytes, code: int) -> None:
    _run("keygen")
    result = _run(*arguments, stdin=stdin)
    assert result.exit_code == code, result.output


@pytest.mark.parametrize(
    "command", [["seal", "--for", "channels/b/c"], ["rotate"], ["retire", "0" * 16], ["seal", "--rename", "a", "b"]]
)
def test_a_missing_keyring_exits_with_three_and_says_how_to_make_one(command: list[str]) -> None:
    result = _run(*command, stdin="x")
    assert result.exit_code == 3
    assert "secrets keygen" in result.stderr


def test_a_configuration_that_cannot_be_read_exits_with_three() -> None:
    assert _run("list", config="missing.yml").exit_code == 3


def test_the_list_tells_place_key_and_whether_it_opens(config: Path) -> None:
    _run("keygen")
    old = Keyring.load(Path("ring.json")).public().kid
    good = _sealed("channels/chat/token")
    config.write_text(f"{MAIN}channels:\n  chat: {{token: '{good}'}}\n")
    _run("rotate")
    new = Keyring.load(Path("ring.json")).public().kid
    config.write_text(f"{config.read_text()}  moved: {{token: '{good}'}}\n")
    rows = json.loads(_run("list", "--json").stdout)["secrets"]
    assert [(row["for"], row["key"]) for row in rows] == [("channels/chat/token", new), ("channels/moved/token", old)]
    assert [row["state"].split(",")[0].split(":")[0] for row in rows] == ["opens", "does not open"]
    assert "channels/chat/token" in _run("list").stdout


def test_rotation_and_retirement_go_through(config: Path) -> None:
    _run("keygen")
    old = Keyring.load(Path("ring.json")).public().kid
    config.write_text(f"{MAIN}channels: {{chat: {{token: '{_sealed('channels/chat/token')}'}}}}\n")
    assert _run("retire", old).exit_code == 1
    result = _run("rotate", "--json")
    assert result.exit_code == 0
    assert "not credential rotation" in result.stderr
    assert json.loads(result.stdout)["resealed"] == 1
    assert _run("retire", old).exit_code == 0
    assert _run("list").stdout.count("opens, newest key") == 1


async def test_a_key_that_a_text_in_the_database_needs_is_not_retired() -> None:
    _run("keygen")
    old = Keyring.load(Path("ring.json")).public().kid
    kept = f"channels: {{chat: {{token: '{_sealed('channels/chat/token')}'}}}}\n"
    database = await SqliteDatabase.open(Path("data.db"))

    async def keep(tx: Tx) -> None:
        await tx.run("good_file_set", "team.yml", kept, 0)

    await database.write(keep)
    await database.close()
    _run("rotate")
    result = _run("retire", old)
    assert result.exit_code == 1
    assert "still needed by 1" in result.stderr


def test_a_renamed_channel_is_bound_anew(config: Path) -> None:
    _run("keygen")
    text = _sealed("channels/chat/token")
    config.write_text(f"{MAIN}channels: {{ops: {{token: '{text}'}}}}\n")
    result = _run("seal", "--rename", "chat", "ops")
    assert result.exit_code == 0, result.output
    assert _run("list").stdout.count("opens, newest key") == 1


def test_the_defaults_are_those_of_the_configuration() -> None:
    assert SecretsSettings().keyring == DEFAULT_KEYRING
    assert SecretsSettings().environment == DEFAULT_ENVIRONMENT


def test_sealing_for_a_section_without_secrets_is_wrong_usage() -> None:
    _run("keygen")
    result = _run("seal", "--for", "chanels/team-slack/webhook_url", stdin=SECRET)
    assert result.exit_code == 2
    assert "did you mean 'channels'?" in result.output


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ("channels/team-slck/webhook_url", "team-slack"),
        ("access/tokens/grafan/token", "grafana"),
        ("sources/am/auth.bearer", ""),
    ],
)
def test_sealing_for_a_name_that_is_not_there_yet_says_so(config: Path, place: str, hint: str) -> None:
    config.write_text(
        MAIN + "channels: {team-slack: {type: slack}}\naccess: {tokens: [{name: grafana, roles: [viewer]}]}\n"
    )
    _run("keygen")
    result = _run("seal", "--for", place, stdin=SECRET)
    assert result.exit_code == 0
    assert result.stdout.startswith("sealed:v1:")
    assert "yet" in result.stderr
    assert hint in result.stderr


def test_sealing_for_a_name_that_is_there_says_nothing_more(config: Path) -> None:
    config.write_text(
        MAIN + "channels: {team-slack: {type: slack}}\naccess: {tokens: [{name: grafana, roles: [viewer]}]}\n"
    )
    _run("keygen")
    for place in ("channels/team-slack/webhook_url", "access/tokens/grafana/token"):
        assert _run("seal", "--for", place, stdin=SECRET).stderr == ""
