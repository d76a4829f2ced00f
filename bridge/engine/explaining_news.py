"""What supposed alerts are to their group, when it would be looked at, and what keeps its people from hearing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from bridge.domain.alert import API, Alert, Status
from bridge.domain.ticks import Timing
from bridge.engine.explaining_state import Joined, Key
from bridge.engine.explaining_views import Obstacle
from bridge.engine.generation import Generation
from bridge.engine.telling import flush_data
from bridge.hooks.api import Drop, Hold, Transition
from bridge.hooks.chain import Judged
from bridge.routing.route import Route
from bridge.storage.incidents import Incident


class Party(Struct, frozen=True):
    """Alerts that one route takes together, with the open incident that they would join."""

    route: Route
    source: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    joined: Joined | None = None

    @property
    def incident(self) -> Incident | None:
        return self.joined.incident if self.joined is not None else None


class News(Struct, frozen=True):
    """What the alerts are to their group. `before` are alerts that fire in it already, `repeated` those of them that are
    among the supposed ones, as they are known. `ended` do not fire.
    """

    transition: Transition
    opened: tuple[Alert, ...]
    ended: tuple[Alert, ...]
    repeated: tuple[Alert, ...]
    before: tuple[Alert, ...]

    @property
    def firing(self) -> tuple[Alert, ...]:
        """All that fire, as messages list them."""
        return (*self.before, *self.opened)


class Stop(Struct, frozen=True):
    """Why nobody is told at the first look, and the earliest moment at which somebody may be; nothing if somebody is."""

    why: str = ""
    by: str = ""
    until: datetime | None = None


class Looked(Struct, frozen=True):
    """A look at a group: what is news, and what hides each alert that fires, by its key."""

    party: Party
    news: News
    at: datetime
    severity: str
    obstacles: Mapping[Key, tuple[Obstacle, ...]]

    @property
    def shown(self) -> tuple[Alert, ...]:
        """The alerts that fire and that nothing hides; where everything is hidden all, as if nothing did."""
        return tuple(alert for alert in self.news.firing if not self.obstacles.get(alert.key)) or self.news.firing

    @property
    def about(self) -> tuple[Alert, ...]:
        """The alerts that the hooks see: the news that is shown, or all of it where nothing is."""
        if self.news.transition is Transition.REPEAT:
            return self.news.repeated
        shown = tuple(alert for alert in self.news.opened if not self.obstacles.get(alert.key))
        return (*shown, *self.news.ended) or self.news.opened


def news_of(party: Party) -> News:
    """Sorts the alerts. Where nothing is known of the group, what fires in it is new."""
    members = party.joined.members if party.joined else ()
    firing = {member.alert.key: member.shown for member in members if member.fires}
    opened = tuple(one for one in party.alerts if one.status is Status.FIRING and one.key not in firing)
    repeated = tuple(firing[one.key] for one in party.alerts if one.status is Status.FIRING and one.key in firing)
    ended = tuple(one for one in party.alerts if one.status is Status.RESOLVED)
    over = {one.key for one in ended}
    before = tuple(alert for key, alert in firing.items() if key not in over)
    transition = Transition.OPENED if _opens(party.joined) else Transition.CHANGED
    if not opened and not ended:
        transition = Transition.REPEAT
    elif not (opened or before):
        transition = Transition.RESOLVED
    return News(transition, opened, ended, repeated, before)


def _opens(joined: Joined | None) -> bool:
    """Whether nobody was told of the incident yet, or it was reopened and the look at that is still to come."""
    if joined is None or joined.incident.told_at is None:
        return True
    return joined.tick is not None and flush_data(joined.tick.data).transition is Transition.OPENED


def first_look(party: Party, news: News, timing: Timing, now: datetime) -> datetime:
    """When the group is looked at. A sender's repeat, and an end whose beginning nobody saw, wait for nothing."""
    joined = party.joined
    if not timing.ticks or news.transition is Transition.REPEAT or (joined is None and not news.opened):
        return now
    flushed = joined.incident.flushed_at if joined else None
    if flushed is None and news.opened:
        due = timing.first(min(alert.starts_at for alert in news.opened), now)
    else:
        due = timing.next(flushed, now)
    return max(now, min(due, joined.tick.due_at)) if joined is not None and joined.tick is not None else due


def stop_of(generation: Generation, looked: Looked, judged: Judged) -> Stop:
    """What keeps the group's people from hearing of it at this look, asked in the bridge's order."""
    return _before_hooks(looked) or _by_hooks(looked, judged) or _by_people(generation, looked) or Stop()


def _before_hooks(looked: Looked) -> Stop | None:
    party, news = looked.party, looked.news
    if news.transition is Transition.REPEAT and party.source == API:
        return Stop("nothing_new", "the alert fires already; the route's repeat_interval reminds")
    if news.transition is Transition.RESOLVED:
        untold = party.joined is not None and not party.joined.heard
        return Stop("ended_untold") if untold else None
    if news.transition is Transition.REPEAT:
        candidates = news.repeated
    elif news.transition is Transition.OPENED:
        candidates = news.firing
    else:
        candidates = () if news.ended else news.opened
    if candidates and all(looked.obstacles.get(alert.key) for alert in candidates):
        return _hidden([looked.obstacles[alert.key] for alert in candidates])
    return None


def _by_hooks(looked: Looked, judged: Judged) -> Stop | None:
    verdict = judged.verdict
    if isinstance(verdict, Drop):
        return Stop(verdict.reason, judged.hook)
    return Stop(verdict.reason, judged.hook, max(verdict.until, looked.at)) if isinstance(verdict, Hold) else None


def _by_people(generation: Generation, looked: Looked) -> Stop | None:
    """Whoever acknowledged hears no more, unless it becomes worse."""
    incident, news = looked.party.incident, looked.news
    if incident is None or not incident.quiet or news.transition is Transition.RESOLVED:
        return None
    rises = generation.severities.rises(incident.severity, looked.severity)
    return None if news.transition is Transition.CHANGED and rises else Stop("acknowledged", incident.acknowledged_by)


def _hidden(found: Sequence[tuple[Obstacle, ...]]) -> Stop:
    """The first obstacle of the first alert; the first end of all that hides one of them."""
    ends = [end for obstacles in found if (end := _over(obstacles)) is not None]
    first = found[0][0]
    return Stop(first.why, first.by, min(ends, default=None))


def _over(obstacles: tuple[Obstacle, ...]) -> datetime | None:
    """When all of them are over; None where that is known of one of them not."""
    ends = [obstacle.until for obstacle in obstacles if obstacle.until is not None]
    return max(ends) if len(ends) == len(obstacles) else None
