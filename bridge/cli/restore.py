"""`alertbridge restore FILE`: a backup becomes the database, in an empty place, after it was judged."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.app.restore import NotSound, RestoredCopy, restore
from bridge.audit.findings import Report
from bridge.cli.located import required
from bridge.cli.progress import progress_bar
from bridge.cli.remote import AsJson
from bridge.cli.trusted import ROUTES, keyring_file, keys_file, settings_of, trust_of
from bridge.domain.clock import SystemClock
from bridge.domain.moment import moment
from bridge.secrets.files import create_atomically, read_private
from bridge.storage.postgres_address import Address

_NO = 1


class Answer(msgspec.Struct, frozen=True):
    """What `--json` prints. `report` is that of `audit verify`; null where it was left out."""

    file: str
    database: str | None
    restored: bool
    moved: bool
    at: str
    through: int
    holds: bool | None
    report: Report | None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore")(restore_file)


def restore_file(
    file: Annotated[Path, typer.Argument(help="what `alertbridge backup` made")],
    config: Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")] = ROUTES,
    database: Annotated[Path | None, typer.Option("--database", help="instead of the configured database file")] = None,
    keyring: Annotated[Path | None, typer.Option("--keyring", help="instead of the configured keyring")] = None,
    public_keys: Annotated[
        Path | None, typer.Option("--public-keys", help="public keys to check with, instead of a keyring")
    ] = None,
    former: Annotated[
        Path | None, typer.Option("--former", help="the file of keys from before there was a keyring, if not FILE.keys")
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="judge FILE, and change nothing")] = False,
    moved: Annotated[
        bool, typer.Option("--moved", help="nothing happened since: the bridge was stopped when the backup was made")
    ] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="restore without judging the audit log in FILE")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make FILE the database, where there is none yet. The bridge that starts on it resends rather than be silent."""
    settings = settings_of(config)
    place = required(settings, database, keyring)
    where = None if check else place
    brought, own = keys_file(file), keys_file(place) if isinstance(place, Path) else None
    beside = tuple(path for path in (brought, own, former) if path is not None)
    trust = None if unverified else trust_of(settings, beside, keyring, public_keys)

    def place_keys() -> None:
        if own is not None and brought.exists() and not own.exists():
            create_atomically(own, read_private(brought))

    try:
        with progress_bar() as progress:
            done = restore(
                file, where, trust=trust, moved=moved, clock=SystemClock(), progress=progress, before=place_keys
            )
    except NotSound as error:
        _show_findings(file, error, as_json=as_json, moved=moved)
        raise typer.Exit(_NO) from None
    _show(file, where, done, moved=moved, as_json=as_json)
    if not check and own is not None and not own.exists() and keyring_file(settings, keyring) is None:
        typer.echo(
            f"there is neither a keyring nor {own}: the bridge will make new keys, nothing it signed before can be checked, and "
            "receivers will not know what is sent again",
            err=True,
        )


def _show(file: Path, where: Path | Address | None, done: RestoredCopy, *, moved: bool, as_json: bool) -> None:
    name = where.name if isinstance(where, Address) else str(where) if where else None
    at = moment(done.note.at).astimezone(UTC)
    if as_json:
        holds = None if done.report is None else done.report.holds
        answer = Answer(
            str(file), name, name is not None, moved, at.isoformat(), done.note.seq, holds, done.report
        )  # fmt: skip
        typer.echo(msgspec.json.encode(answer))
        return
    typer.echo(f"{file} is as of {at:%Y-%m-%d %H:%M:%S} UTC, through audit record {done.note.seq}; it is whole")
    if done.report is None:
        typer.echo("its audit log was not judged")
    else:
        typer.echo(f"its audit log holds: {done.report.records} records in {done.report.chains} chains")
    if name is not None:
        typer.echo(f"restored to {name}. Start the bridge: {_next(moved=moved)}")


def _next(*, moved: bool) -> str:
    if moved:
        return "it goes on where the backup ends"
    return (
        "it says that it was restored, sends what waited, and in a minute tells of what was open again. What was sent after "
        "the backup may be sent twice"
    )


def _show_findings(file: Path, error: NotSound, *, as_json: bool, moved: bool) -> None:
    if as_json:
        typer.echo(
            msgspec.json.encode(
                Answer(str(file), None, restored=False, moved=moved, at="", through=0, holds=False, report=error.report)
            )
        )
        return
    for finding in error.report.findings:
        typer.echo(f"record {finding.first}: {finding.what}" if finding.first else finding.what, err=True)
    typer.echo(str(error), err=True)
