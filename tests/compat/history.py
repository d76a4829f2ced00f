"""A history: what is posted when, in seconds after its beginning."""

from __future__ import annotations

from msgspec import Struct

from tests.compat.setting import Matcher


class Posted(Struct, frozen=True):
    """One alert as it is posted. Times are seconds after the beginning; None is left out of the request."""

    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...] = ()
    starts: float | None = None
    ends: float | None = None


class Alerts(Struct, frozen=True, tag=True):
    """One `POST /alerts`."""

    at: float
    alerts: tuple[Posted, ...]


class Silence(Struct, frozen=True, tag=True):
    """One `POST /silences`. `key` names the silence, `edits` the one that it edits; `starts` None is now."""

    at: float
    key: str
    matchers: tuple[Matcher, ...]
    starts: float | None
    ends: float
    edits: str = ""


class Expire(Struct, frozen=True, tag=True):
    """One `DELETE /silence/…`."""

    at: float
    key: str


class Look(Struct, frozen=True, tag=True):
    """`GET /alerts` and `GET /alerts/groups`: what is silenced, inhibited, grouped at this moment."""

    at: float


Event = Alerts | Silence | Expire | Look


class History(Struct, frozen=True):
    """`events` in the order of their times."""

    events: tuple[Event, ...]
    end: float
