"""Named time intervals: whether they contain a moment, when that changes next, and which routes they mute.

Source of the meaning: Alertmanager's `time_intervals`. An hour that the wall clock skips is contained in nothing, one
that it shows twice is contained twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from bridge.routing.entries import Entry
from bridge.routing.flips import Clock, clocks_of
from bridge.routing.route import Route

_AHEAD = timedelta(days=3653)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)  # so that no zone's wall clock leaves the range of datetime


class TimeInterval(Struct, frozen=True):
    """A named interval: it contains what one of its entries contains."""

    name: str
    entries: tuple[Entry, ...] = ()


def contains(interval: TimeInterval, at: datetime) -> bool:
    """Whether the moment, which knows its zone, is in the interval."""
    return any(entry.contains(at) for entry in interval.entries)


def next_change(intervals: Iterable[TimeInterval], at: datetime) -> datetime | None:
    """The first moment after `at` at which "one of them contains it" is not what it is at `at`, in UTC.

    None if there is none within ten years.
    """
    begun = at.astimezone(UTC)
    clocks = clocks_of(entry for interval in intervals for entry in interval.entries)
    return _change(clocks, begun, _horizon(begun))


def muted_by(route: Route, intervals: Mapping[str, TimeInterval], at: datetime) -> tuple[str, ...]:
    """The names of the intervals that mute the route at this moment; empty if it is not muted.

    Where the route has active intervals and none of them contains the moment, these mute it, all of them; else the mute
    intervals that contain it do. As in Alertmanager, which asks about the active ones first and then no further.

    Raises:
        KeyError: the route names an interval that is not among these.
    """
    active = route.active_time_intervals
    if active and not any(contains(intervals[name], at) for name in active):
        return active
    return tuple(name for name in route.mute_time_intervals if contains(intervals[name], at))


def unmuted_at(route: Route, intervals: Mapping[str, TimeInterval], at: datetime) -> datetime | None:
    """The first moment from `at` on at which the route is not muted, in UTC: `at` itself if it is not muted then.

    None if there is none within ten years.

    Raises:
        KeyError: the route names an interval that is not among these.
    """
    mutes = clocks_of(entry for name in route.mute_time_intervals for entry in intervals[name].entries)
    actives = clocks_of(entry for name in route.active_time_intervals for entry in intervals[name].entries)
    moment: datetime | None = at.astimezone(UTC)
    horizon = _horizon(at.astimezone(UTC))
    while moment is not None and muted_by(route, intervals, moment):
        muting = any(clock.contains(moment) for clock in mutes)
        moment = _change(mutes if muting else actives, moment, horizon)
    return moment


def _change(clocks: tuple[Clock, ...], moment: datetime, horizon: datetime) -> datetime | None:
    now = any(clock.contains(moment) for clock in clocks)
    while True:
        flips = [flip for clock in clocks if (flip := clock.next_flip(moment, horizon)) is not None]
        if not flips:
            return None
        moment = min(flips)
        if any(clock.contains(moment) for clock in clocks) is not now:
            return moment


def _horizon(begun: datetime) -> datetime:
    return begun + _AHEAD if begun < _LAST - _AHEAD else _LAST
