"""`alertbridge audit`: the audit log straight from the database, with the bridge running or not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from bridge.audit.export import Exported, export
from bridge.audit.findings import Report
from bridge.audit.verify import verify
from bridge.cli.choices import chosen
from bridge.cli.located import required
from bridge.cli.progress import progress_bar
from bridge.cli.trusted import ROUTES, keys_file, settings_of, trust_of
from bridge.domain.audit import Kind
from bridge.domain.duration import parse_duration
from bridge.domain.errors import BridgeError
from bridge.domain.moment import micros
from bridge.storage.audit_log import Filter

app = typer.Typer(
    help="The audit log, straight from the database.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

_DOES_NOT_HOLD = 1
_WRONG_USAGE = 2
_COULD_NOT = 3
_ROUTES = ROUTES

Config = Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")]
Database = Annotated[Path | None, typer.Option("--database", help="instead of the configured database file")]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME|DURATION", help="2026-01-31T12:00:00Z, or 1h for the last hour")
]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="only this kind; may be given several times")]
Incident = Annotated[str, typer.Option("--incident", help="only what concerns this incident")]
Delivery = Annotated[str, typer.Option("--delivery", help="only what concerns this delivery")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="at most so many, the newest; 0 for all")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Anchor = Annotated[
    Path | None, typer.Option("--anchor", help="a log kept elsewhere that holds the bridge's checkpoints")
]
KeyringFile = Annotated[Path | None, typer.Option("--keyring", help="instead of the configured keyring")]
FormerFile = Annotated[
    Path | None,
    typer.Option("--former", help="the file of keys that was beside the database before there was a keyring"),
]
PublicFile = Annotated[
    Path | None, typer.Option("--public-keys", help="public keys to check with, instead of a keyring")
]


@app.command("list")
def list_records(
    config: Config = _ROUTES,
    database: Database = None,
    since: Since = "",
    kind: Kinds = None,
    incident: Incident = "",
    delivery: Delivery = "",
    limit: Limit = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """Print records for people, oldest first."""
    wanted = Filter(_since(since), chosen("--kind", kind, Kind), incident, delivery, limit)
    _print(config, database, wanted, as_json=as_json)


@app.command("export")
def export_records(
    config: Config = _ROUTES,
    database: Database = None,
    since: Since = "",
    kind: Kinds = None,
    incident: Incident = "",
    delivery: Delivery = "",
    limit: Limit = 0,
    *,
    as_json: AsJson = True,  # noqa: ARG001 - accepted everywhere; the export is JSON anyway
) -> None:
    """Write records as JSON, one object a line, oldest first."""
    wanted = Filter(_since(since), chosen("--kind", kind, Kind), incident, delivery, limit)
    _print(config, database, wanted, as_json=True)


@app.command("verify")
def verify_log(
    config: Config = _ROUTES,
    database: Database = None,
    anchor: Anchor = None,
    keyring: KeyringFile = None,
    public_keys: PublicFile = None,
    former: FormerFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Hash every record again, check every signature, and compare with the deliveries. Exit 1 if anything does not hold."""
    try:
        settings = settings_of(config)
        judged = required(settings, database, keyring)
        beside = (*([keys_file(judged)] if isinstance(judged, Path) else []), *([former] if former else []))
        trust = trust_of(settings, beside, keyring, public_keys)
        with progress_bar() as progress:
            report = verify(judged, trust, anchor=anchor, progress=progress)
    except BridgeError as error:
        _fail(str(error), _COULD_NOT)
    _tell(report, as_json=as_json)
    if not report.holds:
        raise typer.Exit(_DOES_NOT_HOLD)


def _print(config: Path, database: Path | None, wanted: Filter, *, as_json: bool) -> None:
    try:
        for record in export(required(settings_of(config), database), wanted):
            typer.echo(msgspec.json.encode(record) if as_json else _line(record))
    except BridgeError as error:
        _fail(str(error), _COULD_NOT)


def _line(record: Exported) -> str:
    facts = {
        "actor": "" if record.actor == "bridge" else record.actor,
        "source": record.source,
        "incident": record.incident,
        "delivery": record.delivery,
        "channel": record.channel,
        "attempt": str(record.attempt or ""),
        "reason": record.reason,
    }
    words = [f"{name}={_shown(value)}" for name, value in facts.items() if value]
    if record.detail:  # the last word may hold spaces and quotes as they are
        words.append(f"detail={record.detail if record.detail.isprintable() else _shown(record.detail)}")
    return " ".join([f"{record.seq:>8}", record.at, f"{_shown(record.kind):<14}", *words]).rstrip()


def _shown(value: str) -> str:
    """Text from outside on a terminal: nothing that moves the cursor or breaks the line."""
    plain = value.isprintable() and " " not in value and '"' not in value
    return value if plain else msgspec.json.encode(value if value.isprintable() else ascii(value)[1:-1]).decode()


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode({"holds": report.holds, **msgspec.to_builtins(report)}))
        return
    for finding in report.findings:
        typer.echo(f"record {finding.first}: {finding.what}" if finding.first else finding.what, err=True)
    for note in report.notes:
        typer.echo(f"note: {note}")
    if report.holds:
        through = f"signed through record {report.signed_through}" if report.checkpoints else "nothing signed yet"
        counted = f"{report.records} records in {report.chains} chains, {report.checkpoints} checkpoints"
        typer.echo(f"the audit log holds: {counted}, {through}")


def _since(text: str) -> int:
    """A moment or a time span before now, as µs since 1970."""
    if not text:
        return Filter().since
    try:
        return micros(datetime.now(UTC) - parse_duration(text))
    except (ValueError, BridgeError, OverflowError):
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"--since {text!r} is neither a time (2026-01-31T12:00:00Z) nor a duration (1h)", _WRONG_USAGE)
    return micros(at if at.tzinfo else at.replace(tzinfo=UTC))


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
