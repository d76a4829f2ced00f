"""What a channel is asked to tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bridge.domain.alert import Status
from bridge.domain.deed import Deed


class Reason(StrEnum):
    """Why people are told; also what `send_on` lists."""

    OPENED = "opened"
    CHANGED = "changed"
    REMINDER = "reminder"
    DIGEST = "digest"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    NOTICE = "notice"
    TEST = "test"


FOLLOW_UPS = frozenset({Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED})
"""What only changes or answers what was told already: nobody hears of it who heard of nothing before."""


class AlertView(Struct, frozen=True):
    """One alert as shown to people: hooks' labels and annotations are merged in. `extra` as in `Alert`."""

    fingerprint: str
    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    starts_text: str = ""
    ends_text: str = ""
    generator_url: str = ""
    extra: str = "{}"

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "") or self.fingerprint


class Action(Struct, frozen=True):
    """What a reader may do about the incident. `label` is for a button; `token` comes back with a callback of the channel,
    `url` opens a page that asks before it acts: it is empty where nobody knows from where the bridge can be reached.
    """

    deed: Deed
    label: str
    token: str
    url: str


class Message(Struct, frozen=True):
    """One notification for one channel, rendered when it is sent.

    `alerts` are those firing now, then those resolved since this channel was last told. `status` is the incident's.
    `fired_and_resolved` says that a resolve is told to somebody who never heard of the firing.
    `title` and `text` are plain text made by the channel's templates: a channel escapes them for its own markup.
    `note` is a line from the bridge itself (a template that failed, a delivery that died elsewhere), empty if none.
    `truncated` counts alerts the sender itself left out. `dedup` is stable per (incident, channel): a PagerDuty
    `dedup_key`. `group_key` names the group for receivers written for Alertmanager. `actions` are signed for who reads the
    channel, and belong to no text that others see. `standing` says in words who has the
    incident, or ended it, and by which way; empty if nobody. `snoozed_until`: when it is open again, if that is why
    it is acknowledged.
    """

    reason: Reason
    status: Status
    incident: str
    channel: str
    receiver: str
    source: str
    route: str
    title: str
    text: str
    alerts: tuple[AlertView, ...]
    group_labels: Mapping[str, str]
    common_labels: Mapping[str, str]
    common_annotations: Mapping[str, str]
    severity: str
    opened_at: datetime
    dedup: str
    group_key: str = ""
    external_url: str = ""
    note: str = ""
    acknowledged_by: str = ""
    truncated: int = 0
    fired_and_resolved: bool = False
    actions: tuple[Action, ...] = ()
    standing: str = ""
    snoozed_until: datetime | None = None

    @property
    def held(self) -> bool:
        """Whether somebody has an incident that goes on."""
        return self.status is Status.FIRING and bool(self.acknowledged_by)

    @property
    def firing(self) -> tuple[AlertView, ...]:
        return tuple(alert for alert in self.alerts if alert.status is Status.FIRING)

    @property
    def resolved(self) -> tuple[AlertView, ...]:
        return tuple(alert for alert in self.alerts if alert.status is Status.RESOLVED)


def common(maps: list[Mapping[str, str]]) -> dict[str, str]:
    """The pairs equal in all maps, as Alertmanager's commonLabels; empty for no maps."""
    if not maps:
        return {}
    shared = dict(maps[0])
    for other in maps[1:]:
        for name in [name for name, value in shared.items() if other.get(name) != value]:
            del shared[name]
        if not shared:
            break
    return shared
