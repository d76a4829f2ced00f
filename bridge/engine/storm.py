"""Storms: a source that opens too many incidents at once is told to people in digests; machines get everything.

The incidents that were opened in a storm belong to it for the rest of their lives: a channel for people hears of them by
its digest alone. The digest of a channel is told by an incident of its own (see `bridge.engine.storm_digest`), so that it
is ordered, acknowledged and ended as any other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bridge.config.senders import Storm
from bridge.domain.audit import Kind
from bridge.domain.message import FOLLOW_UPS, Reason
from bridge.domain.moment import new_id
from bridge.domain.storm import GROUP, Span
from bridge.engine import quiet_ends
from bridge.engine.work import Work
from bridge.storage import incidents, storms, timers
from bridge.storage.incidents import Incident
from bridge.storage.storms import Source

_NEWS = frozenset({Reason.CHANGED, Reason.REMINDER})
_RELAPSE = timedelta(minutes=10)


class StormData(Struct, frozen=True):
    """A storm's timer: how long after the last look this one is; `fresh` on the first."""

    source: str
    began_at: datetime
    wait_seconds: float
    fresh: bool = False


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(StormData)


def settings_of(work: Work, source: str) -> Storm | None:
    found = work.generation.config.sources.get(source)
    return found.storm if found is not None else None


async def opened(work: Work, incident: Incident) -> None:
    """Count a new incident; if there are too many, a storm begins, and its first digests follow at once."""
    settings = settings_of(work, incident.source)
    if settings is None:
        return
    now = work.now
    known = await storms.source(work.tx, incident.source) or Source(Span(now), now, "", now)
    span = known.span.one_more(now, settings.per)
    known = replace(known, span=span)
    if span.rate(now, settings.per) > settings.new_incidents:
        if not known.lasts:
            known = replace(known, storm=await _begin(work, incident.source, settings, known), storm_began_at=now)
        known = replace(known, over_at=now, lasts=True)
    await storms.keep(work.tx, incident.source, known)


async def _begin(work: Work, source: str, settings: Storm, known: Source) -> str:
    """The storm that begins: the last one again if it was over a short while ago, and nobody has acknowledged it."""
    now = work.now
    if known.storm and now - known.over_at < max(_RELAPSE, 2 * settings.per) and await _comes_back(work, known.storm):
        return known.storm
    storm = new_id(now)
    await look_at(work, storm, now, StormData(source, now, settings.per.total_seconds(), fresh=True))
    return storm


async def _comes_back(work: Work, storm: str) -> bool:
    """Have a storm that was over looked at as if it were new, unless somebody has acknowledged it; whether that is so."""
    found = await storms.timer(work.tx, storm)
    timer = await timers.get(work.tx, found[0]) if found is not None else None
    for heard in await storms.listeners(work.tx, storm):
        digest = await incidents.get(work.tx, heard.incident) if heard.incident else None
        if digest is not None and digest.quiet:
            return False
    if timer is None:
        return False
    await timers.delete(work.tx, timer.id)
    await look_at(work, storm, work.now, replace(_DECODER.decode(timer.data), fresh=True))
    return True


async def look_at(work: Work, storm: str, due: datetime, data: StormData) -> None:
    """Have the storm looked at when that is due."""
    await timers.add(work.tx, "storm", due, _ENCODER.encode(data).decode(), incident=storm)
    work.effects.due(due)


async def absorbs(work: Work, incident: Incident, channel: str, reason: Reason, *, first: bool, step: str) -> bool:
    """Whether a channel hears of this in a storm's digest instead; then that is on record.

    `first` says that the incident is new; `step` names the escalation's step that is taken.
    """
    settings = settings_of(work, incident.source)
    configured = work.generation.channels.get(channel)
    if settings is None or configured is None or not configured.people or incident.group_hash == GROUP:
        return False
    if reason in FOLLOW_UPS:  # of what was told singly
        return False
    storm = await _storm_of(work, incident, channel, reason, first=first)
    if not storm:
        return False
    urgent = await storms.join(work.tx, storm, incident.id, channel, follows=not step)
    if step:
        urgent |= await _pages(work, storm, channel, step)
    elif reason in _NEWS:
        await _note_news(work, storm, channel)
    if urgent:
        await hasten(work, storm, work.now)
    elif reason in _NEWS:
        await hasten(work, storm, work.now + settings.per)
    work.record(
        Kind.SUPPRESSED, source=incident.source, incident=incident.id, channel=channel, reason="storm",
        detail=f"{reason.value}; in the digest of storm {storm}",
    )  # fmt: skip
    work.effects.suppressed.append(("storm", reason.value))
    return True


async def _storm_of(work: Work, incident: Incident, channel: str, reason: Reason, *, first: bool) -> str:
    """The storm whose digest tells the channel of the incident: it did already, or the incident was opened in one.

    Whoever was told of an incident singly goes on being told so.
    """
    if reason is Reason.RESOLVED and not first:
        return ""  # who heard by digest hears of the end by digest, without being asked for here
    by_channel = {} if first else await storms.of(work.tx, incident.id)
    if channel in by_channel:
        return by_channel[channel]
    storm = next(iter(by_channel.values()), "")
    if not storm:
        known = await storms.source(work.tx, incident.source)
        if known is not None and known.lasts and (first or incident.opened_at >= known.storm_began_at):
            storm = known.storm
    return "" if not storm or (not first and await incidents.was_told(work.tx, incident.id, channel)) else storm


async def _pages(work: Work, storm: str, channel: str, step: str) -> bool:
    """A step is taken for one incident of many: the channel is called for the first of them, and for no other."""
    heard = await storms.listener(work.tx, storm, channel)
    if heard is None or step in heard.pages:
        return False
    await storms.note(work.tx, storm, replace(heard, paging=True, pages=(*heard.pages, step)))
    return True


async def _note_news(work: Work, storm: str, channel: str) -> None:
    heard = await storms.listener(work.tx, storm, channel)
    if heard is not None and not heard.news:
        await storms.note(work.tx, storm, replace(heard, news=True))


async def hasten(work: Work, storm: str, due: datetime) -> None:
    """Have the storm looked at by then."""
    found = await storms.timer(work.tx, storm)
    if found is not None and found[1] > due:
        await timers.move(work.tx, found[0], due)
        work.effects.due(due)


async def acknowledged(work: Work, digest: Incident, before: Incident) -> list[Incident]:
    """Somebody acknowledged an incident; if it stands for a storm, so are the incidents it tells of,
    which are given.

    Those that are opened later are not covered: for them the channels are called again. `digest` may be snoozed as well.
    `before` is how it was.
    """
    of = await storms.told_by(work.tx, digest.id) if digest.group_hash == GROUP else None
    covers: list[Incident] = []
    if of is None:
        return covers
    storm, channel = of
    covered_before: list[str] = []
    if before.acknowledged_at is not None:
        covered_before = await storms.acknowledged_members(
            work.tx, storm, channel, before.acknowledged_at, before.acknowledged_by
        )
    for member in [*await storms.open_members(work.tx, storm, channel), *covered_before]:
        found = await incidents.get(work.tx, member)
        if found is not None:
            covered = replace(
                found, state=digest.state, version=found.version + 1, updated_at=work.now,
                acknowledged_at=digest.acknowledged_at, acknowledged_by=digest.acknowledged_by,
                snoozed_until=digest.snoozed_until, via=digest.via,
            )  # fmt: skip
            await incidents.save(work.tx, covered)
            covers.append(covered)
            await timers.pause_steps(work.tx, member, work.now)
            await quiet_ends.write(work, covered, reminds=False)  # its own end, should the digest be resolved before
            work.record(
                Kind.SNOOZED if digest.snoozed_until else Kind.ACKNOWLEDGED,
                actor=digest.acknowledged_by,
                source=found.source,
                incident=member,
                reason="storm",
            )
    for heard in await storms.listeners(work.tx, storm):
        if heard.pages and not await storms.open_members(work.tx, storm, heard.channel):
            await storms.note(work.tx, storm, replace(heard, paging=False, pages=()))
    return covers


async def unacknowledged(work: Work, digest: Incident) -> list[Incident]:
    """Somebody took an acknowledgement back, given as it was; if it was of a storm, it is taken back of all it covered,
    which is given.
    """
    of = await storms.told_by(work.tx, digest.id) if digest.group_hash == GROUP else None
    uncovered: list[Incident] = []
    if of is None or digest.acknowledged_at is None:
        return uncovered
    covered = await storms.acknowledged_members(work.tx, *of, digest.acknowledged_at, digest.acknowledged_by)
    for member in covered:
        found = await incidents.get(work.tx, member)
        if found is not None:
            again = replace(
                found, state="open", version=found.version + 1, updated_at=work.now, acknowledged_at=None,
                acknowledged_by="", snoozed_until=None, via="",
            )  # fmt: skip
            await incidents.save(work.tx, again)
            uncovered.append(again)
            await timers.stop_quiet(work.tx, member)
            await timers.resume_steps(work.tx, member, work.now)
            work.record(Kind.UNACKNOWLEDGED, source=found.source, incident=member, reason="storm")
    work.effects.due(work.now)
    return uncovered
