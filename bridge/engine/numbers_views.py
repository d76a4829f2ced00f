"""The numbers of a time, as they are shown."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Times(Struct, frozen=True):
    """Durations in seconds; `median` and `p90` are exact to 2 %. None where nothing was measured."""

    count: int
    mean: float | None
    median: float | None
    p90: float | None


class Line(Struct, frozen=True):
    """What is counted of a route, of a team, or of all.

    `incidents` is the sum of `acknowledged`, `unacknowledged` (resolved without), `waiting` (neither yet) and `untold` (nobody
    was to hear of them); `reopened` are those of them that an earlier incident became again.
    """

    name: str
    incidents: int
    reopened: int
    acknowledged: int
    unacknowledged: int
    waiting: int
    untold: int
    pages: int
    time_to_acknowledge: Times
    time_to_resolve: Times


class Paged(Struct, frozen=True):
    """How often a person was paged, or a channel that is nobody's: `kind` is `person` or `channel`.

    `incidents` are those it was paged for, `hours` the pages of each hour of the day.
    """

    name: str
    kind: str
    pages: int
    incidents: int
    hours: tuple[int, ...]


class Responded(Struct, frozen=True):
    """Who acknowledged, and how long it took."""

    name: str
    acknowledged: int
    time_to_acknowledge: Times


class Hour(Struct, frozen=True):
    """An hour of the day, 0 to 23: the pages sent in it and the incidents that began in it, whatever the day."""

    hour: int
    pages: int
    incidents: int


class Report(Struct, frozen=True):
    """The numbers from `since` to before `until`. `recorded_since` is the oldest record that retention left: what was before it
    is not counted. `team` is the label that says whose an incident is.
    """

    since: datetime
    until: datetime
    zone: str
    team: str
    recorded_since: datetime | None
    total: Line
    routes: tuple[Line, ...]
    teams: tuple[Line, ...]
    people: tuple[Paged, ...]
    responders: tuple[Responded, ...]
    hours: tuple[Hour, ...]


class Counted(Struct, frozen=True):
    """How many of the incidents to look at were looked at."""

    done: int
    total: int
