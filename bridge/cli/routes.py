"""`alertbridge routes`: the route tree, and where alerts would go. Sends nothing and needs no running bridge."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from bridge.channels.registry import ChannelRegistry
from bridge.config.load import load
from bridge.domain.errors import BridgeError
from bridge.hooks.registry import HookRegistry
from bridge.routing.matchers import format_matchers, parse_matcher
from bridge.routing.route import Route
from bridge.routing.tree import find

app = typer.Typer(
    help="The route tree, and where alerts would go.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

_ANSWER_IS_NO = 1
_WRONG_USAGE = 2
_COULD_NOT = 3
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"  # amtool draws with it; so do we, byte for byte

Config = Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Labels = Annotated[list[str] | None, typer.Argument(metavar="[LABEL=VALUE]...", help="the labels of one alert")]
JsonLines = Annotated[
    bool, typer.Option("--jsonl", help='for each input line {"labels": {…}} print a line {"receivers": […]}')
]


class _Question(msgspec.Struct, frozen=True):
    """One input line. `at`, a moment, is read for other commands' sake: no route depends on the time."""

    labels: dict[str, str]
    at: str | None = None


@app.command("show")
def show_tree(config: Config = Path("routes"), *, as_json: AsJson = False) -> None:
    """Print the tree. As `amtool config routes show` does, with every route's id and hooks."""
    route = _route(config)
    if as_json:
        typer.echo(msgspec.json.encode(_described(route)))
        return
    typer.echo("\n".join(["Routing tree:", ".", *_drawn(route, "", (), last=True), ""]))


@app.command("test")
def where_it_goes(
    labels: Labels = None, config: Config = Path("routes"), *, as_json: AsJson = False, jsonl: JsonLines = False
) -> None:
    """Print the receivers of an alert. As `amtool config routes test` does, for an alert with these labels."""
    if jsonl and labels:
        _fail("--jsonl reads labels from standard input: give none as arguments", _WRONG_USAGE)
    asked = _labels(labels or [])
    route = _route(config)
    if jsonl:
        raise typer.Exit(_answer_lines(route))
    routes = find(route, asked)
    receivers = [found.receiver for found in routes]
    if as_json:
        typer.echo(msgspec.json.encode({"receivers": receivers, "routes": [found.id for found in routes]}))
    else:
        typer.echo(",".join(receivers))


def _route(config: Path) -> Route:
    if not config.exists():
        _fail(f"{config}: there is no such file or directory", _COULD_NOT)
    try:
        loaded = load(config, ChannelRegistry.load(), HookRegistry.load())
    except BridgeError as error:
        _fail(str(error), _ANSWER_IS_NO)
    except OSError as error:
        _fail(f"{config}: {error.strerror}", _COULD_NOT)
    if loaded.errors or loaded.config is None:
        _fail("\n".join(map(str, loaded.errors)) or f"{config}: no configuration there", _ANSWER_IS_NO)
    return loaded.config.route


def _labels(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        try:
            matcher = parse_matcher(text)
        except ValueError as error:
            _fail(f"Failed to parse labels: {error}", _WRONG_USAGE)
        if matcher.op != "=":
            _fail("Failed to parse labels: labels must be specified as key=value pairs", _WRONG_USAGE)
        found[matcher.name] = matcher.value
    return found


def _answer_lines(route: Route) -> int:
    """Answers line by line, each at once, so that another program can converse. The exit code."""
    decoder = msgspec.json.Decoder(_Question)
    code = 0
    for line in sys.stdin.buffer:
        answer: Mapping[str, object]
        try:
            question = decoder.decode(line)
            answer = {"receivers": [found.receiver for found in find(route, question.labels)]}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            answer = {"error": f'not a line of the form {{"labels": {{…}}}}: {error}'}
            code = _ANSWER_IS_NO
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()
    return code


def _described(route: Route) -> dict[str, object]:
    return {
        "id": route.id,
        "receiver": route.receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continues,
        "group_by": ["..."] if route.group_by_all else route.group_by,
        "hooks": [hook.name for hook in route.hooks],
        "routes": [_described(child) for child in route.routes],
    }


def _drawn(route: Route, indent: str, parent_hooks: tuple[str, ...], *, last: bool) -> Iterator[str]:
    hooks = tuple(hook.name for hook in route.hooks)
    parts = [format_matchers(route.matchers) if route.matchers else "default-route"]
    if route.continues:
        parts.append("continue: true")
    parts += [f"receiver: {route.receiver}", f"id: {route.id}"]
    if hooks != parent_hooks or not indent:
        parts.append(f"hooks: {', '.join(hooks) or 'none'}")
    yield f"{indent}{'└' if last else '├'}── {'  '.join(parts)}"
    below = indent + ("    " if last else f"│{_NO_BREAK_SPACE * 2} ")
    for child in route.routes:
        yield from _drawn(child, below, hooks, last=child is route.routes[-1])


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
