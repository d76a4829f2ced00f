"""An acknowledgement is mirrored to the Alertmanager that the incident came from: a silence there, while somebody has it.

What is wanted is a row of the acknowledgement's own transaction; the loop brings the Alertmanager to it. A silenced alert
ends there without a word to us, so its end is asked for. Of several bridges the one that leads does all this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from bridge.config.senders import MirrorSettings
from bridge.domain.alert import Alert, Status, Webhook
from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.domain.errors import ChannelError, SecretError
from bridge.domain.standing import held
from bridge.domain.storm import GROUP
from bridge.engine.mirror_requests import Upstream, matchers_of
from bridge.engine.planner import Planner
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Work
from bridge.storage import alerts, incidents, mirrors
from bridge.storage.incidents import Incident, Member
from bridge.storage.mirrors import Mirror
from bridge.storage.transaction import Tx

_LOOK = timedelta(seconds=1)
_AGAIN = timedelta(seconds=10)
_PAGE = 200
_log = structlog.get_logger("bridge.mirroring")

Opened = Callable[[str], MirrorSettings | None]
"""The mirror of a source of the configuration in force, None if it has none. Raises SecretError."""


class Mirroring:
    """`opened` gives a source's settings with their secrets opened."""

    def __init__(self, transactions: Transactions, clock: Clock, leads: Callable[[], bool]) -> None:
        self._transactions = transactions
        self._clock = clock
        self._leads = leads
        self._gone: dict[tuple[str, str, str], datetime] = {}
        self._problems: dict[str, str] = {}
        self.opened: Opened = _closed
        self.turns = Turns("mirroring")

    async def run(self) -> None:
        """Mirror until `stop`."""
        await self.turns.run(self.step)

    def stop(self) -> None:
        self.turns.stop()

    def problems(self) -> dict[str, str]:
        """Why the Alertmanager of a source cannot be told, by the source's name."""
        return dict(self._problems)

    async def step(self) -> float:
        """Do what is due; the seconds until the next look."""
        if not self._leads():
            return _LOOK.total_seconds()
        now = self._clock.now()
        due = await self._transactions.read(lambda tx: mirrors.due(tx, now, _PAGE))
        for mirror in due:
            await self._look(mirror)
            self.turns.moved()
        self._problems = await self._transactions.read(mirrors.failing)
        return 0.0 if len(due) == _PAGE else _LOOK.total_seconds()

    async def _look(self, mirror: Mirror) -> None:
        found, members = await self._transactions.read(lambda tx: _look_at(tx, mirror.incident))
        try:
            settings = self.opened(mirror.source)
            if settings is None:
                await self._drop(mirror, "not_configured")
                return
            upstream = Upstream(self._transactions.generation().http, settings)
            if found is None or not found.quiet:
                await self._end(mirror, upstream)
            elif mirror.until is None or mirror.until - self._clock.now() < settings.lasts / 2:
                await self._make(mirror, found, members, settings, upstream)
            else:
                await self._compare(mirror, members, settings, upstream)
        except (ChannelError, SecretError) as error:
            await self._failed(mirror, str(error))

    async def _make(
        self, mirror: Mirror, found: Incident, members: Sequence[Member], settings: MirrorSettings, upstream: Upstream
    ) -> None:
        """Make the silence, or prolong it. That it may have been made is on record before it is."""
        now = self._clock.now()
        matchers = matchers_of([member.alert.labels for member in members])
        if not matchers:
            await self._drop(mirror, "too_many_values" if members else "nothing_fires")
            return
        known, mark = mirror.silence, _mark(mirror.incident)
        if not known and mirror.asked:
            known = await upstream.find(mark, now)
        elif not known:
            mirror = replace(mirror, asked=True)
            await self._transactions.write(now, lambda work: mirrors.keep(work.tx, mirror))
        until = now + settings.lasts
        comment = f"{held(found.acknowledged_by, found.via, found.snoozed_until)}; {mark}"
        silence = await upstream.silence(matchers, now, until, found.acknowledged_by, comment, known)
        made = replace(mirror, silence=silence, until=until, due_at=now + settings.every, problem="")

        async def decision(work: Work) -> None:
            await mirrors.keep(work.tx, made)
            if mirror.until is None:
                work.record(
                    Kind.SILENCE_CREATED,
                    source=mirror.source,
                    incident=mirror.incident,
                    reason="mirror",
                    detail=silence,
                )

        await self._transactions.write(now, decision)

    async def _end(self, mirror: Mirror, upstream: Upstream) -> None:
        now = self._clock.now()
        silence = mirror.silence
        if not silence and mirror.asked:
            silence = await upstream.find(_mark(mirror.incident), now)
        if silence:
            await upstream.end(silence, now)
        await self._drop(mirror, "mirror", silence)

    async def _compare(
        self, mirror: Mirror, members: Sequence[Member], settings: MirrorSettings, upstream: Upstream
    ) -> None:
        """End here what the Alertmanager has not had for a while: it may have been started anew a moment ago."""
        now = self._clock.now()
        matchers = matchers_of([member.alert.labels for member in members])
        there = await upstream.firing(matchers, now) if matchers else set()
        gone = {member.alert.key: member.alert for member in members if member.alert.fingerprint not in there}
        for key in {member.alert.key for member in members} - gone.keys():
            self._gone.pop(key, None)
        over = [alert for key, alert in gone.items() if now - self._gone.setdefault(key, now) >= settings.gone_after]

        async def decision(work: Work) -> None:
            await mirrors.keep(work.tx, replace(mirror, due_at=now + settings.every, problem=""))
            for alert in over:
                await _end_alert(work, alert)

        await self._transactions.write(now, decision)
        for alert in over:
            self._gone.pop(alert.key, None)

    async def _drop(self, mirror: Mirror, reason: str, silence: str = "") -> None:
        async def decision(work: Work) -> None:
            found = await incidents.get(work.tx, mirror.incident)
            await mirrors.drop(work.tx, mirror.incident)
            if reason == "mirror" and found is not None and found.quiet:  # acknowledged again, meanwhile
                await mirrors.want(work.tx, mirror.incident, mirror.source, work.now)
            work.record(
                Kind.SILENCE_EXPIRED, source=mirror.source, incident=mirror.incident, reason=reason, detail=silence
            )

        await self._transactions.write(self._clock.now(), decision)

    async def _failed(self, mirror: Mirror, problem: str) -> None:
        now = self._clock.now()
        if mirror.problem != problem:
            _log.warning("acknowledgement_not_mirrored", source=mirror.source, incident=mirror.incident, error=problem)
        failed = replace(mirror, due_at=now + _AGAIN, problem=problem[:500], asked=True)
        await self._transactions.write(now, lambda work: mirrors.keep(work.tx, failed))


async def want(work: Work, quiet: Incident) -> None:
    """Have the incident mirrored, if its source is; part of the acknowledgement's own transaction."""
    settings = work.generation.config.sources.get(quiet.source)
    if settings is not None and settings.mirror is not None and quiet.group_hash != GROUP:
        await mirrors.want(work.tx, quiet.id, quiet.source, work.now)


async def _look_at(tx: Tx, incident: str) -> tuple[Incident | None, list[Member]]:
    """The incident, and what fires in it."""
    return await incidents.get(tx, incident), [one for one in await incidents.members(tx, incident) if one.fires]


async def _end_alert(work: Work, alert: Alert) -> None:
    known = await alerts.known(work.tx, alert.key)
    if known is None or known.episode.status is not Status.FIRING or known.episode.starts_at != alert.starts_at:
        return
    work.record(Kind.STALE, source=alert.source, reason="gone_upstream", detail=alert.fingerprint)
    ended = replace(alert, status=Status.RESOLVED, ends_at=work.now, ends_text="", expires_at=None, timeout=False)
    await Planner(work, Webhook(alert.source, "ended", (ended,), org=alert.org)).plan()


def _mark(incident: str) -> str:
    """How a silence's comment ends: by this it is found again."""
    return f"Alertbridge incident {incident}"


def _closed(source: str) -> MirrorSettings | None:
    raise SecretError(f"sources.{source}.mirror: not opened yet")
