"""What a dry run answers: where alerts would go, what stops them, and what people would read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

Added = Mapping[str, Mapping[str, str]]
"""What a hook added, by alert fingerprint."""


class HookVerdict(Struct, frozen=True):
    """What one hook did. `verdict`: `pass`, `drop`, `hold`, `error` (its `on_error` decided), `not_reached` (a hook before
    it stopped the alert), `not_run` (it does I/O, and none was wanted). `escalation` is the one it named.
    """

    hook: str
    verdict: str
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0
    until: datetime | None = None
    labels: Added = {}
    annotations: Added = {}
    escalation: str = ""


class RouteVisit(Struct, frozen=True):
    """What one route of the tree said. `verdict`: `taken`, `passed_on` (to a route below it), `refused` (by the matcher
    `refused_by`, for the alert's `value`), `not_reached` (`ended_by`, a route before it, took the alert and does not
    continue). `left_out` counts refusing routes below it that are not listed, for want of room.
    """

    route: str
    receiver: str
    matchers: tuple[str, ...]
    continues: bool
    verdict: str
    refused_by: str = ""
    value: str = ""
    ended_by: str = ""
    routes: tuple[RouteVisit, ...] = ()
    left_out: int = 0


class ExplainedAlert(Struct, frozen=True):
    """One alert on its way through the hooks before routing and through the tree. Labels and annotations are with what the
    hooks added. `routes` are the ids of those that took it.

    `news` is what the report is to what is known of the alert: `opened`, `repeat` (it fires already, and stays in the
    incidents where it is; hooks before routing do not see it again), `resolved`, `unseen` (the end of a firing that never
    came here), `duplicate`, `stale` or `late`. `why` says what stops it before it is routed: one of these, a hook's reason,
    or `never_fired`; `until` when it is judged again. `tree` is null then.
    """

    fingerprint: str
    source: str
    status: str
    starts_at: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    hooks: tuple[HookVerdict, ...]
    tree: RouteVisit | None
    routes: tuple[str, ...]
    news: str
    why: str = ""
    until: datetime | None = None


class Obstacle(Struct, frozen=True):
    """Something that keeps an alert from people. `why`: `inhibited` (`by` is the fingerprint of the alert that fires),
    `muted` (a time interval), `silenced` (a silence's id). `until` is when it ends, null where nobody knows.
    """

    why: str
    by: str
    detail: str
    until: datetime | None = None


class GroupAlert(Struct, frozen=True):
    """One alert of a group. The first of the `obstacles` is what the bridge would name; none, and it is shown."""

    fingerprint: str
    status: str
    obstacles: tuple[Obstacle, ...] = ()


class Told(Struct, frozen=True):
    """One channel: the words it would get, also where it would not be told. `why` says why it would not: `send_on`,
    `send_resolved` (it wants no such word), `channel_unusable`, `no_such_channel`, or what stops its whole group.
    `problem` is what is wrong with the channel here. `person` names the people it is for, joined by `/`.
    """

    channel: str
    type: str
    reason: str
    told: bool
    why: str = ""
    problem: str = ""
    title: str = ""
    text: str = ""
    note: str = ""
    person: str = ""


class LaterRule(Struct, frozen=True):
    """A rule of a person's that comes `after` he was called, unless somebody acknowledges: the channels it uses."""

    person: str
    after: str
    channels: tuple[str, ...]


class Called(Struct, frozen=True):
    """The people behind receivers and steps at that moment. `on_call`: who is, by the word for the schedule."""

    on_call: Mapping[str, tuple[str, ...]] = {}
    rules: tuple[LaterRule, ...] = ()


class EscalationStep(Struct, frozen=True):
    """Who is told next while nobody acknowledges: `after` the first word, at `at`, and again `every` so often, `times`
    times. `run` is what it does, `when` the condition on which it is taken, in words; empty if there is none.
    """

    after: str
    at: datetime | None
    notify: tuple[str, ...]
    channels: tuple[Told, ...]
    every: str = ""
    times: int = 0
    called: Called = Called()
    run: tuple[str, ...] = ()
    when: str = ""


class Timeline(Struct, frozen=True):
    """When a group is looked at. `looked_at` is the first look; `reminder_at` the first reminder where the route has its
    own `repeat_interval`, while the incident is open and nobody acknowledges.
    """

    group_wait: str
    group_interval: str
    repeat_interval: str
    looked_at: datetime
    reminder_at: datetime | None = None


class ExplainedGroup(Struct, frozen=True):
    """Alerts that one route takes together: an incident, or what would become one.

    `told`: somebody would be told at the first look. If not, `why` says what stops it: `inhibited`, `muted`, `silenced`,
    a hook's reason, `acknowledged`, `nothing_new`, `ended_untold`, or `no_channel_wants_it`; and `told_at` the earliest
    moment at which somebody may be told all the same, null where nobody knows. `incident` is the open one that the alerts
    would join, empty for a new one.
    """

    route: str
    receiver: str
    source: str
    group_labels: Mapping[str, str]
    severity: str
    transition: str
    incident: str
    timeline: Timeline
    alerts: tuple[GroupAlert, ...]
    hooks: tuple[HookVerdict, ...]
    told: bool
    why: str
    by: str
    told_at: datetime | None
    channels: tuple[Told, ...]
    escalation: str
    steps: tuple[EscalationStep, ...]
    called: Called = Called()


class Explained(Struct, frozen=True):
    """The whole dry run, at the moment `at`. `told`: somebody would be told of at least one of the alerts at the first
    look. `notes` say what is not in it.
    """

    at: datetime
    told: bool
    alerts: tuple[ExplainedAlert, ...]
    groups: tuple[ExplainedGroup, ...]
    notes: tuple[str, ...] = ()
