"""`alertbridge schedule`: who is on call now and in the time to come, and what is odd about it. Needs no running bridge."""

from __future__ import annotations

import asyncio
from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from bridge.cli.at_time import moment_of
from bridge.cli.tables import show_table
from bridge.config.model import Config
from bridge.config.problems import did_you_mean
from bridge.domain.clock import SystemClock
from bridge.domain.errors import ConfigError
from bridge.domain.schedules import Schedule, gaps, shift_at, shifts, zone_of
from bridge.domain.schedules.lint import Finding, lint

app = typer.Typer(
    help="Who is on call, now and in the time to come.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_ANSWER_IS_NO = 1
_AHEAD = timedelta(days=366)
_BEFORE = timedelta(days=62)
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_NOBODY = "(nobody)"

Name = Annotated[str, typer.Argument(help="a name under `schedules:`; all of them if absent")]
ConfigPath = Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="then instead of now: 2026-10-25T02:30, or with offset")]
Months = Annotated[int, typer.Option("--months", min=1, max=60, help="how far to look")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


class OnCall(msgspec.Struct, frozen=True):
    """One schedule at one moment. `until` is when that ends, None where nothing is known of an end within a year."""

    schedule: str
    at: datetime
    people: tuple[str, ...]
    layer: str
    since: datetime | None
    until: datetime | None
    next: tuple[str, ...]
    fallback: str | None


class Stretch(msgspec.Struct, frozen=True):
    """A shift, or a gap: nobody, and no layer."""

    begin: datetime
    end: datetime
    people: tuple[str, ...]
    layer: str


@app.command("show")
def show(
    name: Name = "",
    at: At = "",
    config: ConfigPath = Path("routes"),
    *,
    url: Annotated[bool, typer.Option("--url", help="print the private addresses for calendars instead")] = False,
    as_json: AsJson = False,
) -> None:
    """Print who is on call. Exit 1 if that is nobody in one of the schedules."""
    loaded = _load(config, at)
    if url:
        _print_addresses(loaded, _chosen(loaded, name), as_json=as_json)
        return
    found = [_standing(each, _moment(at, each), loaded.fallback) for each in _chosen(loaded, name)]
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        rows = [_row(each, zone_of(loaded.schedules[each.schedule].zone)) for each in found]
        show_table(("schedule", "on call", "layer", "since", "until", "next"), rows)
    if not all(each.people for each in found):
        raise typer.Exit(_ANSWER_IS_NO)


@app.command("preview")
def preview(
    name: Annotated[str, typer.Argument(help="a name under `schedules:`")],
    months: Months = 12,
    at: At = "",
    config: ConfigPath = Path("routes"),
    *,
    as_json: AsJson = False,
) -> None:
    """Print the shifts of the months to come, and the gaps between them."""
    (schedule,) = _chosen(_load(config, at, months), name)
    begin = _moment(at, schedule)
    zone = zone_of(schedule.zone)
    end = _months_after(begin.astimezone(zone), months).astimezone(UTC)
    held = [Stretch(each.begin, each.end, each.people, each.layer) for each in shifts(schedule, begin, end)]
    free = [Stretch(opens, closes, (), "") for opens, closes in gaps(schedule, begin, end)]
    found = sorted([*held, *free], key=lambda each: each.begin)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    rows = [(_shown(each.begin, zone), _shown(each.end, zone), _people(each.people), each.layer) for each in found]
    show_table(("begin", "end", "on call", "layer"), rows)


@app.command("lint")
def find_oddities(
    name: Name = "",
    months: Months = 12,
    at: At = "",
    config: ConfigPath = Path("routes"),
    *,
    as_json: AsJson = False,
) -> None:
    """Look for gaps, overlaps, people never on call, hand-offs at hours that clocks skip. Exit 1 if a gap has no fallback."""
    loaded = _load(config, at, months)
    chosen = _chosen(loaded, name)
    begin = _asked(at, UTC)
    people = () if name else tuple(loaded.people)
    found = lint(chosen, people, begin, _months_after(begin, months), fallback=loaded.fallback)
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        for each in found:
            typer.echo(_said(each, loaded.schedules))
        if not found:
            typer.echo(f"nothing found within {months} months")
    if any(each.severity == "error" for each in found):
        raise typer.Exit(_ANSWER_IS_NO)


def _print_addresses(config: Config, schedules: Sequence[Schedule], *, as_json: bool) -> None:
    from bridge.app.calendars import addresses

    found = addresses(config, [schedule.name for schedule in schedules])
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for name, address in found.items():
        typer.echo(address if len(found) == 1 else f"{name}: {address}")


def _load(path: Path, at: str, months: int = 12) -> Config:
    """The configuration, with what calendars said last. Raises ConfigError if it is not valid: no schedule is judged by half of it."""
    from bridge.app.files import read_files
    from bridge.cli.reading import require_readable

    require_readable(path)
    loaded = read_files(path)
    if loaded.config is None or loaded.errors:
        raise ConfigError("\n".join(str(found) for found in loaded.errors) or f"{path}: no configuration there")
    if not loaded.config.calendars:
        return loaded.config
    from bridge.app.calendars import with_copies

    around = _asked(at, UTC)

    config, note = asyncio.run(with_copies(loaded.config, around - _BEFORE, _months_after(around, months + 1)))
    if note:
        typer.echo(note, err=True)
    return config


def _chosen(config: Config, name: str) -> tuple[Schedule, ...]:
    if not name:
        return tuple(config.schedules.values())
    if name not in config.schedules:
        raise typer.BadParameter(f"there is no schedule {name!r}{did_you_mean(name, config.schedules)}")
    return (config.schedules[name],)


def _standing(schedule: Schedule, at: datetime, fallback: str | None) -> OnCall:
    shift = shift_at(schedule, at)
    since, until = (None, None) if shift is None else (shift.begin, shift.end)
    if shift is None:
        closes = gaps(schedule, at, at + _AHEAD)[0][1]
        until = closes if closes < at + _AHEAD else None
    following = None if until is None else shift_at(schedule, until)
    return OnCall(
        schedule=schedule.name,
        at=at,
        people=shift.people if shift else (),
        layer=shift.layer if shift else "",
        since=since,
        until=until,
        next=following.people if following else (),
        fallback=schedule.fallback or fallback,
    )


def _row(found: OnCall, zone: ZoneInfo) -> tuple[str, ...]:
    who = _people(found.people)
    if not found.people and found.fallback:
        who = f"{_NOBODY}; the fallback {found.fallback} is told"
    since, until = (_shown(at, zone) if at else "" for at in (found.since, found.until))
    return found.schedule, who, found.layer, since, until, _people(found.next) if found.until else ""


def _said(found: Finding, schedules: Mapping[str, Schedule]) -> str:
    place = f"{', '.join(found.schedules)}: " if found.schedules else ""
    when = ""
    if found.begin is not None and found.end is not None:
        zone = zone_of(schedules[found.schedules[0]].zone)
        last = f" to {_shown(found.end, zone)}" if found.end > found.begin else ""
        when = f" ({'first ' if found.count > 1 else ''}{_shown(found.begin, zone)}{last})"
    return f"{place}{found.severity}: {found.message}{when}"


def _people(names: tuple[str, ...]) -> str:
    return " + ".join(names) or _NOBODY


def _shown(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %Z")


def _moment(text: str, schedule: Schedule) -> datetime:
    """What is asked for, by the clocks of the schedule where it says no offset."""
    return _asked(text, zone_of(schedule.zone))


def _asked(text: str, zone: tzinfo) -> datetime:
    if not text:
        return SystemClock().now().replace(microsecond=0)
    found = moment_of(text, zone)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise typer.BadParameter(f"a year from {_FIRST_YEAR} to {_LAST_YEAR} is wanted", param_hint="--at")
    return found


def _months_after(at: datetime, months: int) -> datetime:
    years, month = divmod(at.month - 1 + months, 12)
    year = at.year + years
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))
