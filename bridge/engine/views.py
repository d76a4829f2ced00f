"""What the engine answers to those who ask: the API and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from bridge.storage.on_call import Comment, Responder


class Accepted(Struct, frozen=True):
    """A request that is kept. `accepted` counts alerts stored, `duplicates` those among them that were no news.

    `quarantined` counts entries that could not be understood; they are kept in the request's raw body and audited.
    """

    id: str
    accepted: int
    duplicates: int
    quarantined: int


class AlertCounts(Struct, frozen=True):
    firing: int
    resolved: int


class IncidentSummary(Struct, frozen=True):
    """One line of `GET /api/v1/incidents`; field names are the API's. `acknowledged_by` is also who snoozed it; `owner` is whom
    it was assigned to.
    """

    id: str
    state: str
    source: str
    route: str
    receiver: str
    group_labels: Mapping[str, str]
    labels: Mapping[str, str]
    severity: str
    opened_at: datetime
    acknowledged_by: str | None
    resolved_at: datetime | None
    alerts: AlertCounts
    snoozed_until: datetime | None = None
    owner: str | None = None


class IncidentAlert(Struct, frozen=True):
    """`hidden` is why it is kept from people at the moment: `waits` (for its group's next look), `inhibited`, `muted`,
    `silenced`; empty if it is not. `hidden_by` is by what: the fingerprint of the alert that inhibits it, a time interval's
    name, a silence's id.
    """

    fingerprint: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    ends_at: str | None
    generator_url: str
    hidden: str = ""
    hidden_by: str = ""


class DeliveryView(Struct, frozen=True):
    """One delivery. `end_reason` says why it ended or why it waits; empty while all is well. `person` names the people it
    is for, joined by `/`.
    """

    id: str
    incident: str
    channel: str
    receiver: str
    reason: str
    state: str
    end_reason: str
    attempts: int
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    last_error: str
    person: str = ""


class TimelineEntry(Struct, frozen=True):
    """One audit record that concerns the incident."""

    seq: int
    at: datetime
    kind: str
    actor: str
    channel: str
    delivery: str
    attempt: int
    reason: str
    detail: str


class Pending(Struct, frozen=True):
    """Something the incident waits for, at `at`. `what`: `look` (at its group), `judgement` (by its route's hooks), `step`
    (of its escalation), `window` (a time interval that a step waits for), `rule` (by which somebody who was called is told next), `snooze` (its end), `acknowledgement` (its end). `why`: of a look `opened`, `news`, `end_of_mute` or `reminder`; of a judgement `queued`, or the
    reason a hook held it for; of a step the escalation's name; of a rule whose it is; of a snooze who snoozed; of an acknowledgement `reminds` or `expires`. `detail` is for people. While a step or a rule is `paused` its clock
    stands still, with `left` seconds to go.
    """

    what: str
    at: datetime
    why: str
    detail: str = ""
    paused: bool = False
    left: float | None = None


class ToldOf(Struct, frozen=True):
    """What a channel last heard of an alert: `firing`, `resolved`, or `withdrawn` (it is told of anew once it is shown
    again). `before`: that was of an earlier firing of the alert, not of this one.
    """

    channel: str
    fingerprint: str
    status: str
    before: bool = False


class IncidentDetail(Struct, frozen=True):
    """`GET /api/v1/incidents/{id}`: the summary's fields under `incident`. `note` is set when an action changed nothing,
    or did so otherwise than one might expect.

    `told` is what each channel has heard, `pending` what is still to come.
    """

    incident: IncidentSummary
    alerts: tuple[IncidentAlert, ...]
    deliveries: tuple[DeliveryView, ...]
    timeline: tuple[TimelineEntry, ...]
    note: str = ""
    told: tuple[ToldOf, ...] = ()
    pending: tuple[Pending, ...] = ()
    comments: tuple[Comment, ...] = ()
    responders: tuple[Responder, ...] = ()


class IncidentPage(Struct, frozen=True):
    incidents: tuple[IncidentSummary, ...]
    next: str | None


class DeliveryPage(Struct, frozen=True):
    deliveries: tuple[DeliveryView, ...]
    next: str | None


class ChannelReplay(Struct, frozen=True):
    """What a replay did for one channel. `replayed` go out again; `superseded` are told by another, or were; both ended
    as dead letters. `left_out` stay.
    """

    channel: str
    replayed: int
    superseded: int
    left_out: int


class LeftOutLetter(Struct, frozen=True):
    """A dead letter that a replay left as it is. `why`: `not_firing`, `acknowledged`, `notice`, `send_on` (the channel
    does not take ends), `channel_unusable`, `incident_gone`.
    """

    delivery: str
    incident: str
    channel: str
    why: str


class ReplayPage(Struct, frozen=True):
    """One page of `POST /api/v1/deliveries/replay`: `looked` letters of a replay that goes on at `next`.

    `wait` is in seconds: so many replayed deliveries are `waiting` to be sent that the next page has time.
    """

    channels: tuple[ChannelReplay, ...]
    left_out: tuple[LeftOutLetter, ...]
    looked: int
    next: str | None
    wait: float = 0.0
    waiting: int = 0


class Trouble(Struct, frozen=True, omit_defaults=True):
    """Something `/-/ready` names: `what` is a short word (`channel_parked`, `file_refused`, …), `detail` for people.

    `since` is there where the bridge noticed it by watching itself.
    """

    what: str
    name: str
    detail: str
    since: datetime | None = None


class Health(Struct, frozen=True):
    """`ready` is False only when an alert could not be committed or shutdown has begun."""

    ready: bool
    troubles: tuple[Trouble, ...]
