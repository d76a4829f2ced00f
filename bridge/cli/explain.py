"""`alertbridge explain`: what would become of an alert, and why. Sends nothing, writes nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Raw

from bridge.cli.at_time import moment_of, zone_of
from bridge.cli.explained import show
from bridge.cli.reading import require_readable
from bridge.cli.remote import AsJson, Declined, TokenOption, Url, connect
from bridge.cli.samples import GROUPED_BY, pairs
from bridge.domain.errors import BridgeError
from bridge.engine.explaining_ask import Ask, BadAsk
from bridge.engine.explaining_views import Explained
from bridge.routing.matchers import parse_matchers

_NOBODY = 1
_ROUTES = Path("routes")
_MAX_FILE = 16 * 1024 * 1024
_BAD_QUESTION = frozenset({400, 413, 422})

Words = Annotated[
    list[str] | None, typer.Argument(metavar="[LABEL=VALUE]...", help="a first word without = is the alertname")
]
Labels = Annotated[list[str] | None, typer.Option("--labels", metavar="LABEL=VALUE[,…]", help="repeatable")]
Annotations = Annotated[list[str] | None, typer.Option("--annotation", metavar="NAME=VALUE", help="repeatable")]
AlertFile = Annotated[
    Path | None,
    typer.Option(
        "--alert",
        metavar="FILE",
        help="what a sender posts: a webhook's body, or a list of alerts; - is standard input",
    ),
]
Source = Annotated[str, typer.Option("--source", help="who sends it: a name under `sources:`, or api")]
At = Annotated[
    str, typer.Option("--at", metavar="TIME", help="as if it were then: 2026-10-25T02:30, or with its offset")
]
Zone = Annotated[str, typer.Option("--tz", metavar="ZONE", help="whose clocks: Europe/Berlin; yours if absent")]
Config = Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    context: typer.Context,
    words: Words = None,
    labels: Labels = None,
    annotation: Annotations = None,
    alert: AlertFile = None,
    source: Source = "",
    at: At = "",
    *,
    tz: Zone = "",
    config: Config = _ROUTES,
    url: Url = None,
    token: TokenOption = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="as if the alert had ended")] = False,
    no_io: Annotated[bool, typer.Option("--no-io", help="leave out hooks that ask other services")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="as if the alert were unknown and no incident open")] = False,
    no_database: Annotated[
        bool, typer.Option("--no-database", help="the configuration alone, whatever is stored")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what would become of an alert: route, hooks, what stops it, escalation, messages. Nothing is sent or written.

    Straight from the configuration and its database; with --url a running bridge answers. Exit 0: somebody would be told,
    1: nobody would.
    """
    zone = zone_of(tz)
    named = _labels([*(words or ())], [*(labels or ())])
    if bool(named) is (alert is not None):
        raise typer.BadParameter("give the labels of one alert, or --alert FILE")
    ask = Ask(
        labels=named,
        annotations=pairs(annotation or []),
        status="resolved" if resolved else "firing",
        payload=Raw(_read(alert)) if alert is not None else Raw(),
        source=source,
        at=moment_of(at, zone).isoformat() if at else "",
        io=not no_io,
        fresh=fresh,
    )
    remote = _remote(context, url)
    if remote and no_database:
        raise typer.BadParameter("--no-database is for a configuration; a running bridge uses its own")
    try:
        found = _ask_bridge(remote, token, ask) if remote else _ask_here(config, ask, database=not no_database)
    except BadAsk as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        show(found, zone)
    if not found.told:
        raise typer.Exit(_NOBODY)


def _remote(context: typer.Context, url: str | None) -> str:
    """The running bridge that is to answer; empty if the configuration is. What is typed counts more than the environment."""
    typed, configured = (_is_typed(context, name) for name in ("url", "config"))
    if typed and configured:
        raise typer.BadParameter("--url asks a running bridge, --config the files here; give one of them")
    return "" if configured else url or ""


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _ask_bridge(url: str, token: str | None, ask: Ask) -> Explained:
    document = {name: value for name in Ask.__struct_fields__ if (value := getattr(ask, name)) != Raw()}
    try:
        return connect(url, token).post("/api/v1/explain", Explained, document)
    except Declined as error:
        if error.status in _BAD_QUESTION:
            raise BadAsk(str(error)) from error
        raise BridgeError(str(error)) from error


def _ask_here(config: Path, ask: Ask, *, database: bool) -> Explained:
    from bridge.app import explain as here

    require_readable(config)
    return asyncio.run(here.explain(config, ask, database=database))


def _labels(words: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    name = {GROUPED_BY: words[0]} if words and "=" not in words[0] else {}
    found = {**name, **pairs(words[1:] if name else words)}
    for text in texts:
        try:
            matchers = parse_matchers(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--labels") from error
        if any(matcher.op != "=" for matcher in matchers):
            raise typer.BadParameter("an alert has labels of the form name=value", param_hint="--labels")
        found.update({matcher.name: matcher.value for matcher in matchers})
    return found


def _read(path: Path) -> bytes:
    if str(path) == "-":
        body = sys.stdin.buffer.read(_MAX_FILE + 1)
    else:
        with path.open("rb") as file:
            body = file.read(_MAX_FILE + 1)
    if len(body) > _MAX_FILE or not body.strip():
        raise typer.BadParameter("it is empty, or larger than 16 MB", param_hint="--alert")
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise typer.BadParameter(f"it is no JSON: {error}", param_hint="--alert") from error
    return body
