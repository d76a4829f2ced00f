"""`alertbridge backup FILE`: a copy of the database, with the bridge running or not."""

from __future__ import annotations

import asyncio
from datetime import UTC
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.app.backup import BackedUp, back_up
from bridge.cli.located import required
from bridge.cli.progress import progress_bar
from bridge.cli.remote import AsJson, TokenOption, Url, connect, login
from bridge.cli.trusted import ROUTES, keyring_file, keys_file, settings_of, signing_keys
from bridge.domain.clock import SystemClock
from bridge.domain.errors import StorageError
from bridge.domain.moment import moment
from bridge.engine.backups import BackupFacts
from bridge.observe.logs import configure, escape
from bridge.secrets.files import read_private, write_atomically
from bridge.secrets.instance import InstanceKeys

_PATH = "/api/v1/backups"
_OPENS = "opens sealed secrets and signs the audit"
_SIGNS = "signs the audit, and makes the keys by which receivers know a message again"


class NotInIt(msgspec.Struct, frozen=True):
    """A file with keys that is no part of the backup."""

    file: str
    what: str


class Answer(msgspec.Struct, frozen=True):
    """What `--json` prints. `keys` is the file with keys that was put beside the backup, null if none was."""

    file: str
    bytes: int
    digest: str
    database: str
    at: str
    through: int
    recorded: bool
    why_not: str
    keys: str | None
    not_in_it: tuple[NotInIt, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backup")(backup)


def backup(
    file: Annotated[Path, typer.Argument(help="the file to make")],
    config: Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")] = ROUTES,
    database: Annotated[Path | None, typer.Option("--database", help="instead of the configured database file")] = None,
    url: Url = None,
    token: TokenOption = None,
    by: Annotated[
        str | None, typer.Option("--by", help="who acts, where no token says so; your login name if absent")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="replace FILE if it is there")] = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="put the signing keys beside it as FILE.keys, if there is no keyring")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the database into FILE, with the bridge running or not. A bridge that runs puts it on record, asked at --url."""
    configure(format="console", level="warning")
    settings = settings_of(config)
    source = required(settings, database)
    beside = keys_file(source) if isinstance(source, Path) else None
    keys = _keys_to_copy(file, beside, force=force) if with_keys else None

    def tell(facts: BackupFacts) -> None:
        remote = connect(url, token, config if config.exists() else None)
        remote.post(_PATH, BackupFacts, {**msgspec.to_builtins(facts), "by": by or login()})

    def signing() -> InstanceKeys:
        return signing_keys(settings, source if isinstance(source, Path) else None)

    with progress_bar() as progress:
        made = asyncio.run(
            back_up(
                source, file, keys=signing, tell=tell, by=by or login(), clock=SystemClock(), replace=force,
                progress=progress,
            )
        )  # fmt: skip
    if keys is not None:
        write_atomically(keys_file(file), keys, mode=0o600)
    left_out = []
    if (ring := keyring_file(settings)) is not None:
        left_out.append(NotInIt(str(ring), _OPENS))
    if beside is not None and beside.exists() and not with_keys:
        left_out.append(NotInIt(str(beside), _SIGNS))
    _show(file, made, str(keys_file(file)) if keys else None, tuple(left_out), as_json=as_json)


def _keys_to_copy(file: Path, beside: Path | None, *, force: bool) -> bytes:
    if beside is None or not beside.exists():
        raise StorageError(
            "there is no file of keys beside the database to put beside the backup: leave out --with-keys"
        )
    if keys_file(file).exists() and not force:
        raise StorageError(f"{keys_file(file)} is there already, and is not overwritten")
    return read_private(beside)


def _show(file: Path, made: BackedUp, keys: str | None, left_out: tuple[NotInIt, ...], *, as_json: bool) -> None:
    facts = made.facts
    at = moment(made.at).astimezone(UTC)
    if as_json:
        answer = Answer(
            str(file), facts.bytes, facts.digest, made.database, at.isoformat(), facts.seq, not made.unrecorded,
            made.unrecorded, keys, left_out,
        )  # fmt: skip
        typer.echo(msgspec.json.encode(answer))
        return
    typer.echo(
        f"{file}: {made.database} as of {at:%Y-%m-%d %H:%M:%S} UTC, {facts.bytes / 2**20:.1f} MiB, through audit record {facts.seq}"
    )
    typer.echo(f"sha256 {facts.digest}")
    if made.unrecorded:
        typer.echo(escape(f"the copy is complete, but the audit does not tell of it: {made.unrecorded}"), err=True)
    if keys is not None:
        typer.echo(f"beside it: {keys} ({_SIGNS}); keep it where the backup is not")
    for one in left_out:
        typer.echo(f"not in it: {one.file} ({one.what}); keep a copy of it in a safe place")
