"""From `secrets seal` to a serving bridge and through a rotation, for every kind of place a secret may stand at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.channels.registry import ChannelRegistry
from bridge.cli.secrets import app
from bridge.config import load
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener, open_access, open_source
from bridge.domain.errors import SecretError
from bridge.engine.build import secrets_in
from bridge.hooks.registry import HookRegistry
from bridge.routing.route import HookCall, Route
from bridge.secrets.keyring import Keyring

SETTINGS = "secrets: {keyring: ring.json, environment: production, public_keys: public.keys}\n"
CHANNEL = "channels: {a: {type: console}}\n"
HOOK = '{enrich: {http: {url: "https://cmdb.example/", labels: {team: team}, headers: {X-Key: "SEALED"}}}}'
AT_HOOK = "hooks/enrich/http.headers.X-Key"
PLACES = {
    "before routing": (AT_HOOK, f"hooks: [dedupe, {HOOK}]\nroute: {{receiver: a}}\n"),
    "root route": (AT_HOOK, f"route: {{receiver: a, hooks: [{HOOK}]}}\n"),
    "named route": (
        AT_HOOK,
        f'route: {{receiver: a, routes: [{{name: x, matchers: ["a=b"], routes: [{{matchers: ["c=d"], hooks: [dedupe, {HOOK}]}}]}}]}}\n',
    ),
    "team's route": (AT_HOOK, f'route: {{receiver: a}}\nroutes: [{{matchers: ["a=b"], hooks: [{HOOK}]}}]\n'),
    "list, by the list": (
        "sources/s/auth.bearer",
        'sources: {s: {auth: {bearer: ["env:NEW", "SEALED"]}}}\nroute: {receiver: a}\n',
    ),
    "list, by the index": (
        "sources/s/auth.bearer.1",
        'sources: {s: {auth: {bearer: ["env:NEW", "SEALED"]}}}\nroute: {receiver: a}\n',
    ),
    "access token": (
        "access/tokens/ui/token",
        'access: {tokens: [{token: "SEALED", roles: [viewer], name: ui}]}\nroute: {receiver: a}\n',
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERTBRIDGE_KEYRING", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "main.yml").write_text(SETTINGS)
    secrets("keygen")
    return tmp_path


def secrets(*arguments: str, stdin: str = "") -> str:
    ran = CliRunner().invoke(app, [*arguments, "--config", "main.yml"], input=stdin)
    assert ran.exit_code == 0, ran.output
    return ran.stdout.strip()


def served() -> list[str]:
    """Every secret that a bridge with the configuration as it stands would open, opened as it opens them."""
    loaded = load(Path("main.yml"), ChannelRegistry.load(), HookRegistry.load(), {}, {"NEW": "new"})
    assert loaded.config is not None, loaded.problems
    config = loaded.config
    opener = SecretOpener.of(config, Keyring.load(Path("ring.json")), {"NEW": "new"})
    registry = HookRegistry.load()
    opened = [
        opener.options(registry.parse(call.name, call.options), "hooks", call.name) for call in set(calls_of(config))
    ]
    found = [*opened, open_access(config, opener), *(open_source(config, name, opener) for name in config.sources)]
    return [secret.reveal() for options in found for secret in secrets_in(options)]


def calls_of(config: Config) -> Iterator[HookCall]:
    yield from config.hooks
    routes: list[Route] = [config.route]
    while routes:
        route = routes.pop()
        yield from route.hooks
        routes += route.routes


@pytest.mark.parametrize(("location", "text"), PLACES.values(), ids=PLACES)
def test_what_was_sealed_for_a_place_opens_there_before_and_after_a_rotation(
    location: str, text: str, folder: Path
) -> None:
    main = folder / "main.yml"
    sealed = secrets("seal", "--for", location, stdin="s3cret\n")
    main.write_text(SETTINGS + CHANNEL + text.replace("SEALED", sealed))

    assert "s3cret" in served()
    assert "opens, newest key" in secrets("list")
    secrets("rotate")

    assert sealed not in main.read_text()
    assert "s3cret" in served()


def test_a_hook_keeps_its_secret_when_it_moves_to_another_route(folder: Path) -> None:
    main = folder / "main.yml"
    sealed = secrets("seal", "--for", AT_HOOK, stdin="s3cret\n")
    for text in (PLACES["before routing"][1], PLACES["named route"][1]):
        main.write_text(SETTINGS + CHANNEL + text.replace("SEALED", sealed))
        assert "s3cret" in served()
        assert f'"for":"{AT_HOOK}"' in secrets("list", "--json").replace(": ", ":")


def test_a_hooks_secret_does_not_open_in_another_field_of_it(folder: Path) -> None:
    sealed = secrets("seal", "--for", "hooks/enrich/http.headers.X-Other", stdin="s3cret\n")
    (folder / "main.yml").write_text(SETTINGS + CHANNEL + PLACES["root route"][1].replace("SEALED", sealed))

    assert "does not open" in secrets("list")
    with pytest.raises(SecretError, match="does not open"):
        served()
