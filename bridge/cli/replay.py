"""`alertbridge deliveries replay`: dead letters come back to life, as far as they are still wanted."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import msgspec
import typer

from bridge.cli.choices import chosen
from bridge.cli.letters import Channel, Incident, Reason, Since, Until, filters
from bridge.cli.remote import AsJson, ConfigOption, Remote, TokenOption, Url, connect, login
from bridge.cli.tables import show_table
from bridge.domain.errors import BridgeError
from bridge.engine.views import ChannelReplay, LeftOutLetter, ReplayPage
from bridge.observe.logs import escape

_PATH = "/api/v1/deliveries/replay"
_PAGE = 500
_NAMED = 20
_PATIENCE = 60.0
_STATES = ("dead", "parked")
_WHY = {
    "not_firing": "it is over, and nobody was told of it there",
    "acknowledged": "the incident is acknowledged",
    "notice": "a notice of the bridge itself",
    "send_on": "it is over, and the channel does not take ends",
    "channel_unusable": "the channel cannot be used",
    "incident_gone": "the incident is not kept any more",
}
Advance = Callable[[int], None]


class Outcome(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    dry_run: bool
    channels: tuple[ChannelReplay, ...]
    left_out: tuple[LeftOutLetter, ...]


class Tally:
    """The sum of pages."""

    def __init__(self) -> None:
        self.left_out: list[LeftOutLetter] = []
        self._counts: dict[str, tuple[int, int, int]] = {}

    def add(self, page: ReplayPage) -> None:
        self.left_out += page.left_out
        for one in page.channels:
            replayed, superseded, left_out = self._counts.get(one.channel, (0, 0, 0))
            self._counts[one.channel] = (
                replayed + one.replayed, superseded + one.superseded, left_out + one.left_out
            )  # fmt: skip

    @property
    def channels(self) -> tuple[ChannelReplay, ...]:
        return tuple(ChannelReplay(name, *counts) for name, counts in sorted(self._counts.items()))

    @property
    def wanted(self) -> int:
        """How many dead letters end as such: they go out again, or are told by another."""
        return sum(one.replayed + one.superseded for one in self.channels)


def replay(
    *,
    channel: Channel = "",
    incident: Incident = "",
    since: Since = "",
    until: Until = "",
    reason: Reason = "",
    state: Annotated[str, typer.Option("--state", help="dead, or parked")] = "dead",
    by: Annotated[
        str | None, typer.Option("--by", help="who acts, where no token says so; your login name if absent")
    ] = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="what is no longer firing too, and notices of the bridge itself")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what a replay would do")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters that are still wanted again: each incident once a channel, with its state as it is now."""
    chosen("--state", (state,), _STATES)
    if not (dry_run or yes or sys.stdin.isatty()):
        raise typer.BadParameter("there is nobody to ask: give --yes, or --dry-run to look first", param_hint="--yes")
    asked: dict[str, object] = {
        name: text for name, text in filters(channel, incident, reason, since, until).items() if text
    }
    asked |= {"state": state, "all": everything, "by": by or login(), "limit": _PAGE}
    remote = connect(url, token, config)
    plan = _look(remote, asked)
    if dry_run or not plan.wanted:
        _show(plan, dry_run=dry_run, as_json=as_json)
        return
    if not yes:
        _confirm(plan, as_json=as_json)
    done, stuck = _run(remote, asked, plan)
    _show(done, dry_run=False, as_json=as_json)
    for name, waiting in stuck.items():
        typer.echo(escape(f"{name} takes nothing at present: {waiting} wait, and the rest stay dead"), err=True)
    if stuck:
        raise typer.Exit(1)


def _look(remote: Remote, asked: dict[str, object]) -> Tally:
    """What a replay would do."""
    plan = Tally()
    cursor: str | None = ""
    with _bar("looking", None) as advance:
        while cursor is not None:
            page = remote.post(_PATH, ReplayPage, {**asked, "dry_run": True, "cursor": cursor})
            plan.add(page)
            advance(page.looked)
            cursor = page.next
    return plan


def _confirm(plan: Tally, *, as_json: bool) -> None:
    if not as_json:
        _table(plan)
    if not typer.confirm(f"Replay {_letters(plan.wanted)}?", err=True):
        typer.echo("nothing was replayed", err=True)
        raise typer.Exit(1)


def _run(remote: Remote, asked: dict[str, object], plan: Tally) -> tuple[Tally, dict[str, int]]:
    """Replay channel by channel, a page each in turn, so that a slow one holds up no other; and what is stuck."""
    channels = [one for one in plan.channels if one.replayed or one.superseded]
    courses = {one.channel: Course(time.monotonic()) for one in channels}
    done, stuck = Tally(), dict[str, int]()
    total = sum(one.replayed + one.superseded + one.left_out for one in channels)
    with _bar("replaying", total) as advance:
        while courses:
            waits = []
            for name, course in list(courses.items()):
                page = _turn(remote, {**asked, "channel": name, "cursor": course.cursor}, done)
                done.add(page)
                advance(page.looked)
                if page.next is None or course.stuck(page, time.monotonic()):
                    del courses[name]
                    stuck |= {} if page.next is None else {name: page.waiting}
                    continue
                course.cursor = page.next
                waits.append(page.wait)
            time.sleep(min(waits, default=0.0))
    return done, stuck


class Course:
    """How far the replay of a channel has come. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.cursor = ""
        self._least = sys.maxsize
        self._moved = now

    def stuck(self, page: ReplayPage, now: float) -> bool:
        """Whether what was replayed has not gone out for so long that waiting for it is in vain."""
        if page.looked or page.waiting < self._least:
            self._least = page.waiting
            self._moved = now
        return now - self._moved > _PATIENCE


def _turn(remote: Remote, asked: dict[str, object], done: Tally) -> ReplayPage:
    try:
        return remote.post(_PATH, ReplayPage, asked)
    except BridgeError as error:
        _stopped(error, done)


def _stopped(error: BridgeError, done: Tally) -> NoReturn:
    typer.echo(f"stopped after {_letters(done.wanted)}; run it again, nothing is replayed twice", err=True)
    raise error


def _show(tally: Tally, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(Outcome(dry_run, tally.channels, tuple(tally.left_out))))
        return
    if tally.channels:
        _table(tally)
    for letter in tally.left_out[:_NAMED]:
        about = f" of incident {letter.incident}" if letter.incident else ""
        typer.echo(escape(f"left out {letter.delivery}{about}, {letter.channel}: {_WHY.get(letter.why, letter.why)}"))
    if len(tally.left_out) > _NAMED:
        counts = Counter(letter.why for letter in tally.left_out)
        summed = ", ".join(f"{number} {why}" for why, number in counts.most_common())
        typer.echo(f"left out in all: {summed}; --json names every one")
    if dry_run and tally.wanted:
        typer.echo(f"a replay would take {_letters(tally.wanted)}; nothing was changed")
    elif not tally.wanted:
        typer.echo("there is nothing to replay")


def _table(tally: Tally) -> None:
    show_table(
        ("CHANNEL", "REPLAYED", "SUPERSEDED", "LEFT OUT"),
        ((one.channel, str(one.replayed), str(one.superseded), str(one.left_out)) for one in tally.channels),
    )


def _letters(number: int) -> str:
    return f"{number} dead letter{'' if number == 1 else 's'}"


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Advance]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda number: bar.advance(task, number)
