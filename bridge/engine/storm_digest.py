"""What people are told of a storm, and when: at once, then once a span, when it is over, and when all is resolved.

Each channel is told by an incident that stands for the storm on it: opened with the first digest, resolved with the last
incident of the storm.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bridge.config.senders import Storm as StormSettings
from bridge.domain.alert import Alert, Status
from bridge.domain.audit import Kind
from bridge.domain.episode import Episode
from bridge.domain.message import Reason
from bridge.domain.moment import new_id
from bridge.domain.storm import ALERT, GROUP, Phase, Storm, Tally, next_wait, words
from bridge.engine import outbox
from bridge.engine.storm import StormData, look_at, settings_of
from bridge.engine.work import Work
from bridge.storage import alerts, incidents, storms, timers
from bridge.storage.alerts import KnownAlert
from bridge.storage.incidents import Incident
from bridge.storage.storms import Listener
from bridge.storage.timers import Timer

_DECODER = msgspec.json.Decoder(StormData)
_WITHDRAWN = 5000
_DEFAULT = StormSettings()


class _Look(Struct, frozen=True):
    """One look at a storm. `closing` when it is found to be over."""

    work: Work
    storm: str
    data: StormData
    settings: StormSettings
    phase: Phase
    closing: bool

    def words(self, tally: Tally, phase: Phase) -> str:
        link = f"{self.work.generation.config.server.url}/api/v1/incidents?state=open"
        settings = self.settings
        facts = Storm(self.data.source, self.data.began_at, settings.new_incidents, settings.per, phase, link)
        return words(facts, tally, self.work.generation.severities.order)


async def look(work: Work, timer: Timer) -> None:
    """Tell the channels of a storm what is new, and end it when its time is over; its timer was just deleted."""
    data = _DECODER.decode(timer.data)
    storm = timer.incident
    known = await storms.source(work.tx, data.source)
    settings = settings_of(work, data.source)
    per = (settings or _DEFAULT).per
    if data.fresh and known is not None:
        await _withdraw(work, storm, data.source, known.storm_began_at - per)
    lasts = known is not None and known.lasts and known.storm == storm
    ends = lasts and (known is None or work.now - known.over_at >= per)
    if ends:
        await storms.over(work.tx, data.source, storm)
    phase = Phase.LASTS if lasts and not ends else Phase.OVER
    present = _Look(work, storm, data, settings or _DEFAULT, phase, ends)
    past = phase is Phase.OVER and not await storms.any_open(work.tx, storm)
    for heard in await storms.listeners(work.tx, storm):
        await (_end(present, heard) if past else _tell(present, heard))
    if past:
        await storms.forget(work.tx, storm)
        return
    wait = per if lasts else next_wait(timedelta(seconds=data.wait_seconds), per)
    following = replace(data, wait_seconds=wait.total_seconds(), fresh=False)
    await look_at(work, storm, work.now + wait, following)


async def _withdraw(work: Work, storm: str, source: str, since: datetime) -> None:
    """What was queued for people before anybody knew of the storm, and not tried, goes into the digest too."""
    for delivery, incident, channel in await storms.queued(work.tx, source, since, GROUP, _WITHDRAWN):
        configured = work.generation.channels.get(channel)
        if configured is None or not configured.people or work.is_in_flight(delivery):
            continue
        if await storms.withdraw(work.tx, delivery, work.now):
            await storms.join(work.tx, storm, incident, channel)
            work.record(
                Kind.SUPERSEDED, source=source, incident=incident, delivery=delivery, channel=channel,
                reason="storm", detail=f"in the digest of storm {storm}",
            )  # fmt: skip


async def _tell(look: _Look, heard: Listener) -> None:
    """Tell a channel what it has to hear, if anything."""
    work = look.work
    tally = await storms.tally(work.tx, look.storm, heard.channel)
    severities = work.generation.severities
    worst = severities.worst(entry.severity for entry in tally.severe if entry.open)
    digest = await incidents.get(work.tx, heard.incident) if heard.incident else None
    if digest is not None and digest.state == "resolved":  # by hand
        await _end_alert(work, digest)
        if heard.paging or tally.total > heard.total:
            digest = None  # there is more
    reason: Reason | None
    if digest is None:
        reason = Reason.ESCALATED if heard.paging else Reason.OPENED if heard.follows else None
    else:
        reason = _reason(look, heard, tally, digest, rises=severities.rises(digest.severity, worst))
    if reason is None:
        return
    if digest is None:
        digest = await _open(look, heard.channel, worst)
    digest = replace(digest, severity=worst, version=digest.version + 1, updated_at=work.now, told_at=work.now)
    await incidents.save(work.tx, digest)
    await outbox.tell_channels(work, digest, [heard.channel], reason, note=look.words(tally, look.phase))
    told = replace(
        heard, incident=digest.id, told_at=work.now, total=tally.total, open=tally.open, news=False, paging=False
    )
    await storms.note(work.tx, look.storm, told)


def _reason(look: _Look, heard: Listener, tally: Tally, digest: Incident, *, rises: bool) -> Reason | None:
    """Why a channel is told again, if it is: never twice within a span, unless it is called or there is worse to tell."""
    if digest.state == "resolved":
        return None
    if heard.paging or not heard.follows:
        return Reason.ESCALATED if heard.paging else None
    if look.closing or rises:
        return Reason.DIGEST
    changed = heard.news or (heard.total, heard.open) != (tally.total, tally.open)
    due = heard.told_at is None or look.work.now - heard.told_at >= look.settings.per
    return Reason.DIGEST if changed and due and not digest.quiet else None


async def _open(look: _Look, channel: str, severity: str) -> Incident:
    """The incident that stands for the storm on a channel."""
    work, source = look.work, look.data.source
    now, digest = work.now, new_id(work.now)
    labels = {"alertname": ALERT, "source": source, "channel": channel}
    alert = _alert(digest, source, labels, now, None)
    episode = Episode(1, Status.FIRING, now)
    known = KnownAlert(await alerts.put(work.tx, 0, alert, episode, {}, {}, now), episode, {}, {})
    incident = Incident(
        digest, source, work.generation.root.id, channel, GROUP, labels, labels, "open", 1, severity, now, now,
        firing=1,
    )  # fmt: skip
    await incidents.add(work.tx, incident)
    await incidents.join(work.tx, digest, known, alert)
    work.record(Kind.OPENED, source=source, incident=digest, channel=channel, reason="storm", detail=look.storm)
    return incident


async def _end(look: _Look, heard: Listener) -> None:
    """All of it is resolved: so is what stands for it."""
    work, now = look.work, look.work.now
    digest = await incidents.get(work.tx, heard.incident) if heard.incident else None
    if digest is None or digest.state == "resolved":
        return
    ended = replace(
        digest, state="resolved", version=digest.version + 1, updated_at=now, resolved_at=now, firing=0, resolved=1
    )
    await _end_alert(work, digest)
    await timers.stop_steps(work.tx, digest.id)
    work.record(Kind.RESOLVED, source=digest.source, incident=digest.id, channel=heard.channel, reason="storm")
    tally = await storms.tally(work.tx, look.storm, heard.channel)
    await outbox.tell_channels(work, ended, [heard.channel], Reason.RESOLVED, note=look.words(tally, Phase.PAST))
    await incidents.save(work.tx, ended)


async def _end_alert(work: Work, digest: Incident) -> None:
    """The alert that stands for the storm on a channel has ended, if it has not yet."""
    now = work.now
    known = await alerts.known(work.tx, (digest.source, "", _fingerprint(digest.id)))
    if known is None or known.episode.status is Status.RESOLVED:
        return
    began = known.episode.starts_at
    alert = _alert(digest.id, digest.source, digest.labels, began, now)
    await alerts.put(work.tx, known.id, alert, Episode(1, Status.RESOLVED, began, now), {}, {}, now)
    await incidents.end(work.tx, digest.id, known.id, now, now.isoformat())


def _alert(digest: str, source: str, labels: Mapping[str, str], began: datetime, ended: datetime | None) -> Alert:
    """The alert that stands for the storm."""
    return Alert(
        source, "", _fingerprint(digest), Status.RESOLVED if ended else Status.FIRING, labels,
        {"summary": f"more incidents from {source} than can be told one by one"}, began, ended, began.isoformat(),
        ended.isoformat() if ended else "",
    )  # fmt: skip


def _fingerprint(digest: str) -> str:
    return f"storm-{digest}"
