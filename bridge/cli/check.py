"""`alertbridge check`: is this configuration valid?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from bridge.channels.registry import ChannelRegistry
from bridge.config import Loaded, Problem, load
from bridge.config.fields import SecretUse
from bridge.config.open_secrets import SecretOpener
from bridge.config.problems import problem
from bridge.config.server import SecretsSettings
from bridge.domain.errors import SecretError
from bridge.hooks.registry import HookRegistry
from bridge.secrets.keyring import Keyring, locate
from bridge.secrets.references import Form

DEFAULT = Path("routes")

_INVALID, _WRONG_USAGE, _UNREADABLE = 1, 2, 3


class _Report(msgspec.Struct, frozen=True):
    valid: bool
    digest: str | None
    problems: tuple[Problem, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    path: Annotated[
        Path | None, typer.Argument(help="a file, or a directory of YAML files", show_default="routes")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="the same, as an option")] = None,
    *,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="insist that every secret opens and every reference is there")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Validate the configuration. Every problem comes as `file:line:column: message`; exit 1 if there is an error, 3 if it cannot be read."""
    if path is not None and config is not None and path != config:
        typer.echo("give the configuration once: as an argument or with --config", err=True)
        raise typer.Exit(_WRONG_USAGE)
    loaded = load(path or config or DEFAULT, ChannelRegistry.load(), HookRegistry.load())
    problems = _insist(loaded) if secrets else _with_the_keyring_missed(loaded)
    failed = loaded.config is None or any(found.severity == "error" for found in problems)
    _print(loaded, problems, valid=not failed, as_json=as_json)
    if loaded.unreadable:
        raise typer.Exit(_UNREADABLE)
    if failed:
        raise typer.Exit(_INVALID)


def _print(loaded: Loaded, problems: tuple[Problem, ...], *, valid: bool, as_json: bool) -> None:
    if as_json:
        digest = loaded.config.digest if loaded.config is not None else None
        typer.echo(msgspec.json.format(msgspec.json.encode(_Report(valid, digest, problems)), indent=2))
        return
    for found in problems:
        typer.echo(str(found))
    if valid:
        typer.echo("the configuration is valid")


def _with_the_keyring_missed(loaded: Loaded) -> tuple[Problem, ...]:
    """The problems, and a warning at the first sealed text if the keyring that opens it is not here."""
    first = next((use.mark for use in loaded.secrets if use.form is Form.SEALED), None)
    if loaded.config is None or first is None:
        return loaded.problems
    try:
        path = locate(loaded.config.secrets.keyring, os.environ)
    except SecretError as error:
        missed = str(error)
    else:
        if path is not None and path.exists():
            return loaded.problems
        missed = (
            f"there is no keyring {path or loaded.config.secrets.keyring}: whether sealed texts open is not checked"
        )
    return tuple(sorted([*loaded.problems, problem(first, missed, "warning")], key=_place))


def _insist(loaded: Loaded) -> tuple[Problem, ...]:
    """The problems, with what does not open or is not there as errors instead of the warnings at the same places."""
    closed = {_place(found): found for found in _closed_secrets(loaded)}
    parked = {(mark.file, mark.line, mark.column) for mark in loaded.parked}
    kept = (found for found in loaded.problems if _place(found) not in closed)
    insisted = [replace(found, severity="error") if _place(found) in parked else found for found in kept]
    return tuple(sorted([*insisted, *closed.values()], key=_place))


def _place(found: Problem) -> tuple[str, int, int]:
    return found.file, found.line, found.column


def _closed_secrets(loaded: Loaded) -> Iterator[Problem]:
    """An error for every secret that does not open here and now."""
    config = loaded.config
    if config is None:
        return
    try:
        keyring = _keyring(config.secrets, loaded.secrets)
    except SecretError as error:
        yield problem(next(use.mark for use in loaded.secrets if use.form is Form.SEALED), str(error))
        return
    opener = SecretOpener.of(config, keyring)
    for use in loaded.secrets:
        try:
            opener.use(use)
        except SecretError as error:
            yield problem(use.mark, str(error))


def _keyring(settings: SecretsSettings, uses: tuple[SecretUse, ...]) -> Keyring | None:
    """The keyring, if anything is sealed."""
    if not any(use.form is Form.SEALED for use in uses):
        return None
    path = locate(settings.keyring, os.environ)
    return Keyring.load(path) if path is not None else None
