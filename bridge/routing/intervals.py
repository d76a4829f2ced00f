"""Named time intervals: whether they contain a moment, when that changes next, and which routes they mute.

Source of the meaning: Alertmanager's `time_intervals`. An hour that the wall clock skips is contained in nothing, one
that it shows twice is contained twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from bridge.routing.entries import Entry
from bridge.routing.flips import clocks_of, first
from bridge.routing.route import Route


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
    clocks = clocks_of(entry for interval in intervals for entry in interval.entries)
    now = any(clock.contains(at) for clock in clocks)
    return first(clocks, at, lambda inside: any(inside) is not now)


def opens(intervals: Mapping[str, TimeInterval], names: Sequence[str], at: datetime) -> datetime | None:
    """The first moment from `at` on that is in one of the named intervals; `at` itself if one of the names is not among
    them, so that nothing waits for what is not there. None if none of them contains anything within ten years.
    """
    found = [intervals[name] for name in names if name in intervals]
    if len(found) < len(names) or any(contains(one, at) for one in found):
        return at
    return next_change(found, at)


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

    def heard(inside: Sequence[bool]) -> bool:
        active = not route.active_time_intervals or any(inside[len(mutes) :])
        return active and not any(inside[: len(mutes)])

    return first((*mutes, *actives), at, heard)
