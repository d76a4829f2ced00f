"""Incidents, the alerts in them, and who was told of which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import Alert, Status
from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.storage.alerts import KnownAlert
from bridge.storage.text import pack, unpack
from bridge.storage.transaction import Expected, Row, Tx


class Incident(Struct, frozen=True):
    """One incident. `firing` and `resolved` count its alerts; `version` grows with every change of its state.

    `labels` are those common to the alerts that joined. `told_at` is when telling was last planned.
    `group_key`, `external_url`, `truncated` are the sender's, of the last request. `flushed_at` is the last tick of the
    route's timing; `hidden` counts the firing alerts that are kept from people (silenced, inhibited, muted).
    While it is acknowledged or snoozed, `acknowledged_at` and `acknowledged_by` say since when and by whom; `snoozed_until`
    counts only while it is snoozed. `owner` is whom somebody assigned it to.
    `via` is the way by which a person acknowledged, snoozed or resolved it last; empty if nobody did.
    """

    id: str
    source: str
    route: str
    receiver: str
    group_hash: str
    group_labels: Mapping[str, str]
    labels: Mapping[str, str]
    state: str
    version: int
    severity: str
    opened_at: datetime
    updated_at: datetime
    told_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    escalation: str = ""
    external_url: str = ""
    group_key: str = ""
    truncated: int = 0
    firing: int = 0
    resolved: int = 0
    flushed_at: datetime | None = None
    hidden: int = 0
    snoozed_until: datetime | None = None
    owner: str = ""
    via: str = ""

    @property
    def title(self) -> str:
        """What to call it in one line of the bridge's own: its alerts' name, else its id."""
        return self.group_labels.get("alertname") or self.labels.get("alertname") or self.id

    @property
    def quiet(self) -> bool:
        """Whether somebody has it: news that is no worse, reminders and steps are not told."""
        return self.state in {"acknowledged", "snoozed"}


class Member(Struct, frozen=True):
    """An alert in an incident: its last report, its state there, and what hooks added.

    `told` says that the channel asked about was told of this firing. `planned` is what the last notification was to say of
    it: firing, resolved, past (an earlier one told the end), withdrawn (it said so once, and left it out since), again (it told
    the end, and this is a new firing), or nothing. `hidden` is why it is not shown: waits (for its group's next tick), silenced,
    inhibited, muted, or ended (while it was hidden, or untold at the tick it waited for); `hidden_by` by what.
    """

    alert_id: int
    alert: Alert
    episode: int
    added_labels: Mapping[str, str]
    added_annotations: Mapping[str, str]
    told: bool = False
    planned: str = ""
    hidden: str = ""
    hidden_by: str = ""

    @property
    def fires(self) -> bool:
        return self.alert.status is Status.FIRING

    @property
    def shown(self) -> Alert:
        """The alert with what hooks added."""
        if not self.added_labels and not self.added_annotations:
            return self.alert
        return replace(
            self.alert,
            labels={**self.alert.labels, **self.added_labels},
            annotations={**self.alert.annotations, **self.added_annotations},
        )


def _incident(row: Row) -> Incident:
    return Incident(
        row[0], row[1], row[2], row[3], row[4], unpack(row[5]), unpack(row[6]), row[7], row[8], row[9], moment(row[10]),
        moment(row[11]), maybe_moment(row[12]), maybe_moment(row[13]), row[14], maybe_moment(row[15]), row[16], row[17],
        row[18], row[19], row[20], row[21], row[22], maybe_moment(row[23]), row[24],
        maybe_moment(row[25]), row[26], row[27],
    )  # fmt: skip


def _member(row: Row) -> Member:
    alert = Alert(
        source=row[1], org=row[2], fingerprint=row[3], status=Status(row[5]), labels=unpack(row[6]), annotations=unpack(row[7]),
        starts_at=moment(row[10]), ends_at=maybe_moment(row[11]), starts_text=row[12], ends_text=row[13],
        generator_url=row[14], receiver=row[15], extra=row[16],
    )  # fmt: skip
    told = len(row) > 20 and row[20] == "firing" and row[21] == row[4]
    return Member(row[0], alert, row[4], unpack(row[8]), unpack(row[9]), told, row[17], row[18], row[19])


async def get(tx: Tx, incident: str) -> Incident | None:
    row = await tx.one("incident_get", incident)
    return None if row is None else _incident(row)


def expected_in_group(source: str, route: str, group_hash: str) -> Expected:
    """The look that `open_in_group` makes."""
    return "incident_open_by_group", (source, route, group_hash)


async def open_in_group(tx: Tx, source: str, route: str, group_hash: str) -> Incident | None:
    row = await tx.one("incident_open_by_group", source, route, group_hash)
    return None if row is None else _incident(row)


async def with_firing(tx: Tx, alert_id: int) -> list[str]:
    """Ids of the incidents in which the alert still fires, those resolved by hand included."""
    return [row[0] for row in await tx.all("incidents_with_firing", alert_id)]


async def ended_with_firing(tx: Tx, alerts: Sequence[int]) -> list[tuple[str, int]]:
    """(incident, alert) where one of these alerts still fires in an incident that was ended by hand."""
    rows = await tx.all("incidents_ended_with_firing", msgspec.json.encode(alerts).decode())
    return [(row[0], row[1]) for row in rows]


async def of_episode(tx: Tx, alert_id: int, episode: int) -> list[str]:
    """Ids of the incidents that an episode of the alert was in."""
    return [row[0] for row in await tx.all("incidents_of_episode", alert_id, episode)]


async def has_resolved(tx: Tx, incident: str, alert_id: int) -> bool:
    """Whether the alert is in the incident as a resolved one."""
    return await tx.one("incident_alert_resolved", incident, alert_id) is not None


async def add(tx: Tx, incident: Incident) -> None:
    await tx.run(
        "incident_add", incident.id, incident.source, incident.route, incident.receiver, incident.group_hash,
        pack(incident.group_labels), pack(incident.labels), incident.state, incident.version, incident.severity,
        micros(incident.opened_at), micros(incident.updated_at), maybe_micros(incident.told_at),
        maybe_micros(incident.acknowledged_at), incident.acknowledged_by, maybe_micros(incident.resolved_at),
        incident.resolved_by, incident.escalation, incident.external_url, incident.group_key, incident.truncated,
        incident.firing, incident.resolved, maybe_micros(incident.flushed_at), incident.hidden,
        maybe_micros(incident.snoozed_until), incident.owner, incident.via,
    )  # fmt: skip


async def save(tx: Tx, incident: Incident) -> None:
    """Keep everything that can change."""
    await tx.run(
        "incident_set", incident.receiver, pack(incident.labels), incident.state, incident.version, incident.severity,
        micros(incident.updated_at), maybe_micros(incident.told_at), maybe_micros(incident.acknowledged_at),
        incident.acknowledged_by, maybe_micros(incident.resolved_at), incident.resolved_by, incident.escalation,
        incident.external_url, incident.group_key, incident.truncated, incident.firing, incident.resolved,
        maybe_micros(incident.flushed_at), incident.hidden, maybe_micros(incident.snoozed_until), incident.owner,
        incident.via, incident.id,
    )  # fmt: skip


async def join(tx: Tx, incident: str, known: KnownAlert, alert: Alert, hidden: str = "", hidden_by: str = "") -> None:
    """An alert enters an incident, firing or (unseen) resolved; `hidden`, `hidden_by` as in `Member`."""
    episode = known.episode
    await tx.run(
        "incident_alert_put", incident, known.id, episode.number, episode.status.value, pack(known.added_labels),
        pack(known.added_annotations), micros(episode.starts_at), maybe_micros(episode.ends_at), alert.starts_text,
        alert.ends_text, hidden, hidden_by,
    )  # fmt: skip


async def end(tx: Tx, incident: str, alert_id: int, ends_at: datetime, ends_text: str) -> bool:
    """An alert resolves in an incident; whether it fired there."""
    return await tx.run("incident_alert_end", micros(ends_at), ends_text, incident, alert_id) > 0


async def enrich(
    tx: Tx, incident: str, alert: Alert, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> None:
    """Keep what the route's hooks added to an alert in this incident."""
    await tx.run("incident_alert_enrich", pack(labels), pack(annotations), incident, *alert.key)


async def members(tx: Tx, incident: str) -> list[Member]:
    """Every alert of the incident, firing ones first."""
    return [_member(row) for row in await tx.all("incident_alerts_all", incident)]


async def news_for(tx: Tx, incident: str, channel: str) -> list[Member]:
    """What a channel is to be told: the alerts firing now, then those whose end it was not told."""
    return [_member(row) for row in await tx.all("incident_alerts_for_channel", channel, incident)]


class Told(Struct, frozen=True):
    """What a delivery is about: its incident, what its channel is to be told, and what it was told before."""

    incident: Incident
    members: tuple[Member, ...]
    told: bool
    receipt: dict[str, str]


async def of_deliveries(tx: Tx, ids: Sequence[int]) -> dict[str, Incident]:
    """The incidents that these deliveries are about, by id; without those that are gone."""
    rows = await tx.all("incidents_of_deliveries", msgspec.json.encode(ids).decode())
    return {row[0]: _incident(row) for row in rows}


async def told_of(tx: Tx, claimed: Mapping[int, str]) -> dict[int, Told]:
    """For deliveries (id: incident) what they are about; without those whose incident is gone."""
    ids = msgspec.json.encode(list(claimed)).decode()
    found = {row[0]: _incident(row) for row in await tx.all("incidents_of_deliveries", ids)}
    members: dict[int, list[Member]] = {}
    for row in await tx.all("members_of_deliveries", ids):
        members.setdefault(row[22], []).append(_member(row))
    told = {row[0] for row in await tx.all("told_of_deliveries", ids)}
    receipts = {row[0]: unpack(row[1]) for row in await tx.all("receipts_of_deliveries", ids)} if told else {}
    return {
        delivery: Told(found[incident], tuple(members.get(delivery, ())), delivery in told, receipts.get(delivery, {}))
        for delivery, incident in claimed.items()
        if incident in found
    }


async def severities(tx: Tx, incident: str, label: str) -> list[str]:
    """The severities of the alerts firing in the incident."""
    return [row[1] or row[0] or "" for row in await tx.all("incident_severities", label, label, incident)]


async def page(tx: Tx, before: str, states: Sequence[str], limit: int) -> list[Incident]:
    """Newest first, ids below `before`."""
    return [
        _incident(row)
        for row in await tx.all("incidents_page", before or "~", msgspec.json.encode(states).decode(), limit)
    ]


ToldRow = tuple[str, str, int, int, Status]
"""(incident, channel, alert id, episode, status): the channel was told so of the alert."""


async def tell(tx: Tx, told: Sequence[ToldRow]) -> None:
    """Keep what channels were told of the alerts in their messages."""
    await tx.many("told_put", [(*row[:4], row[4].value) for row in told])


async def told_channels(tx: Tx, incident: str) -> list[str]:
    """The channels that were told anything."""
    return [row[0] for row in await tx.all("told_channels", incident)]


async def told_unended(tx: Tx, channel: str) -> list[str]:
    """The incidents that are not over and of which a channel was told, the newest first."""
    return [row[0] for row in await tx.all("told_unended", channel)]


async def newest_told(tx: Tx, channel: str, *, open_only: bool = False) -> str:
    """The newest incident that is not over, or nobody's yet, and of which a channel was told; empty if there is none."""
    row = await tx.one("told_newest_open" if open_only else "told_newest", channel)
    return "" if row is None else str(row[0])


async def channels_told_of_firing(tx: Tx, incident: str) -> list[str]:
    """The channels that were told of a firing, and not yet of its end."""
    return [row[0] for row in await tx.all("told_firing", incident)]


async def was_told(tx: Tx, incident: str, channel: str) -> bool:
    return await tx.one("told_any", incident, channel) is not None


async def receipt(tx: Tx, incident: str, channel: str) -> dict[str, str]:
    row = await tx.one("receipt_get", incident, channel)
    return unpack(row[0]) if row else {}


async def keep_receipt(tx: Tx, incident: str, channel: str, data: Mapping[str, str], now: datetime) -> None:
    await tx.run("receipt_put", incident, channel, pack(data), micros(now))
