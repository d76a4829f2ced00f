"""A configuration's time intervals, inhibition rules, recurring silences, heartbeats and drills as what routing asks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.config import intervals as written
from bridge.config.drills import drills_of
from bridge.config.heartbeats import expected_of
from bridge.config.model import Config
from bridge.config.recurring import RecurringSilence, matchers_of
from bridge.routing.drills import Drill
from bridge.routing.entries import Entry, Range
from bridge.routing.heartbeats import Heartbeats
from bridge.routing.inhibition import Inhibition, Rule
from bridge.routing.intervals import TimeInterval
from bridge.routing.matchers import Matcher, from_match
from bridge.routing.recurring import Notice, Recurring

_LOCAL = Path("/etc/localtime")


def intervals_of(config: Config) -> Mapping[str, TimeInterval]:
    """The time intervals by name."""
    return {
        interval.name: TimeInterval(interval.name, tuple(map(_entry, interval.time_intervals)))
        for interval in config.time_intervals
    }


def inhibition_of(config: Config) -> Inhibition:
    """The rules, in their order."""
    return Inhibition(map(_rule, config.inhibit_rules))


def recurring_of(config: Config, intervals: Mapping[str, TimeInterval]) -> Mapping[str, Recurring]:
    """The recurring silences by name."""
    return {silence.name: _recurring(silence, intervals) for silence in config.silences}


def heartbeats_of(config: Config) -> Heartbeats:
    """The signs of life that are expected."""
    return Heartbeats(expected_of(config.heartbeats, config.severity))


def held_drills(config: Config, intervals: Mapping[str, TimeInterval]) -> Mapping[str, Drill]:
    """The fire drills by name."""
    return drills_of(config.drills, intervals, config.severity)


def _recurring(silence: RecurringSilence, intervals: Mapping[str, TimeInterval]) -> Recurring:
    return Recurring(
        name=silence.name,
        matchers=matchers_of(silence.matchers),
        intervals=tuple(intervals[name] for name in silence.time_intervals),
        owner=silence.owner,
        comment=silence.comment,
        notice=None if silence.notice is None else Notice(silence.notice.before, silence.notice.to or ""),
    )


def _entry(entry: written.IntervalEntry) -> Entry:
    """A list that stands there empty contains nothing, as in Alertmanager; one that does not stand there asks nothing."""
    given = entry.model_fields_set
    ranges: dict[str, tuple[Range, ...]] = {
        key: getattr(entry, key) for key in ("weekdays", "days_of_month", "months", "years") if key in given
    }
    if "times" in given:
        ranges["times"] = tuple((times.start_time, times.end_time) for times in entry.times)
    return Entry(**ranges, zone=_zone(entry.location))


def _rule(rule: written.InhibitRule) -> Rule:
    return Rule(
        source=_matchers(rule.source_matchers, rule.source_match, rule.source_match_re),
        target=_matchers(rule.target_matchers, rule.target_match, rule.target_match_re),
        equal=rule.equal,
        name=rule.name or "",
    )


def _matchers(texts: tuple[str, ...], match: Mapping[str, str], match_re: Mapping[str, str]) -> tuple[Matcher, ...]:
    return (*matchers_of(texts), *from_match(match, match_re))


def _zone(location: str) -> tzinfo:
    if location in {"", "UTC"}:
        return UTC
    return local_zone() if location == "Local" else ZoneInfo(location)


@lru_cache(maxsize=1)
def local_zone() -> tzinfo:
    """This machine's zone: what `TZ` names, else `/etc/localtime`, else UTC. It does not change while a process runs."""
    named = os.environ.get("TZ")
    try:
        if named is None:
            with _LOCAL.open("rb") as file:
                return ZoneInfo.from_file(file, key="Local")
        name = named.removeprefix(":")
        if name.startswith("/"):
            with Path(name).open("rb") as file:
                return ZoneInfo.from_file(file, key=name)
        return ZoneInfo(name) if name else UTC
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return UTC
