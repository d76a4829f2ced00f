"""Retention: what is older than `storage.retention` and of no use to anything that goes on is deleted, a page at a time.

First the oldest audit records go, in segments between checkpoints; then ended incidents of which no record is left,
with their deliveries, alerts and what was told; then requests, notices, alerts nobody reports any more, and silences
that ended five days ago. Nothing of
an incident that goes on is touched. Each page is a transaction of its own, so that everything else gets in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from bridge.domain.clock import uptime
from bridge.engine import outbox
from bridge.engine.audit_retention import SegmentUnsound, oldest_segment, prune
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.secrets.instance import InstanceKeys
from bridge.storage import retention, silences
from bridge.storage.retention import Page

_EVERY = timedelta(hours=1)
_AFTER_START = timedelta(minutes=1)
_STEADY = timedelta(hours=1)
_JUMP = timedelta(minutes=1)
_REMEMBERED = timedelta(days=1)
_SILENCES_SHOWN = timedelta(hours=120)  # as long as Alertmanager shows ended ones
_BUDGET = 0.2
_PAGE = 200
_ROWS = 300
_BYTES = 8 * 2**20
_log = structlog.get_logger("bridge.retention")

Chore = Callable[[datetime, datetime], Awaitable[bool]]
"""Does a page of work, given the cutoff and the time; whether there may be more."""


class Retention:
    """`step` works for a fifth of a second at most, and rests for up to an hour when nothing is left to do.

    A clock that jumps must not make everything look old: after a jump nothing is pruned for an hour.
    """

    def __init__(
        self,
        transactions: Transactions,
        keys: InstanceKeys,
        *,
        shared: bool = False,
        monotonic: Callable[[], float] = uptime,
        budget: float = _BUDGET,
    ) -> None:
        """`keys` sign what is said of pruned records. `budget` is how many seconds, as `monotonic` gives them, a step takes."""
        self._transactions = transactions
        self._keys = keys
        self._shared = shared
        self._monotonic = monotonic
        self._budget = budget
        self._chores: list[Chore] = []
        self._rests_until: datetime | None = None
        self._seen: tuple[datetime, float] | None = None
        self._steady_at = float("-inf")
        self._incidents_after: str = ""
        self._requests_after = self._alerts_after = 0
        self._gone: dict[str, int] = {}
        self._refused = ""

    @property
    def at_work(self) -> bool:
        """Whether something may be left to prune at once."""
        return bool(self._chores)

    async def step(self, now: datetime) -> None:
        """Prune for a while, if it is time to.

        Raises:
            StorageBusy, StorageFatal: see `Database.write`.
        """
        kept = self._transactions.generation().config.storage.retention
        try:
            cutoff = now - kept
        except OverflowError:  # kept for longer than there is a calendar
            return
        if not self._is_time(now, kept) or not self._clock_is_steady(now):
            return
        end = self._monotonic() + self._budget
        while self._chores:
            if not await self._chores[0](cutoff, now):
                self._chores.pop(0)
            if self._monotonic() >= end:
                break
        if not self._chores:
            self._rest(now, kept)

    def _is_time(self, now: datetime, kept: timedelta) -> bool:
        if self._chores:
            return True
        if self._rests_until is None:
            self._rests_until = now + min(_AFTER_START, kept / 10)
        if now < self._rests_until <= now + _EVERY:
            return False
        self._incidents_after, self._requests_after, self._alerts_after = "", 0, 0
        self._chores = [self._audit, self._incidents, self._notices, self._requests, self._alerts, self._silences]
        return True

    def _rest(self, now: datetime, kept: timedelta) -> None:
        self._rests_until = now + min(_EVERY, kept / 10)
        if self._gone:
            _log.info("pruned", **self._gone)
            self._gone = {}

    def _clock_is_steady(self, now: datetime) -> bool:
        """Whether the wall clock has gone as time does since it last jumped, and for long enough."""
        seconds = self._monotonic()
        if self._seen is not None:
            expected = self._seen[0] + timedelta(seconds=seconds - self._seen[1])
            if abs(now - expected) > _JUMP:
                self._steady_at = seconds + _STEADY.total_seconds()
                _log.warning("retention_waits", reason="the clock jumped", by=(now - expected).total_seconds())
        self._seen = (now, seconds)
        return seconds >= self._steady_at

    async def _audit(self, cutoff: datetime, now: datetime) -> bool:
        try:
            segment = await self._transactions.read(partial(oldest_segment, cutoff=cutoff))
            if segment is None:
                return False
            if await self._transactions.write(
                now, lambda work: prune(work.tx, segment, now, self._keys, shared=self._shared)
            ):
                self._count("records", segment.last - segment.first + 1)
        except SegmentUnsound as error:
            await self._refuse(str(error), now)
            return False
        return True

    async def _refuse(self, why: str, now: datetime) -> None:
        """Evidence is not deleted: the audit stays as it is, and somebody is told, once."""
        if why == self._refused:
            return
        self._refused = why
        _log.error("audit_not_pruned", reason=why)
        text = f"the audit log is not pruned: {why}. Nothing of it is deleted; `alertbridge audit verify` tells more."
        await self._transactions.write(now, partial(outbox.notice, text=text))

    async def _incidents(self, cutoff: datetime, now: datetime) -> bool:
        after = self._incidents_after
        page = await self._transactions.read(
            lambda tx: retention.incidents(tx, after=after, before=cutoff, limit=_PAGE)
        )

        async def decision(work: Work) -> tuple[int, str]:
            rows = number = 0
            last = after
            for incident in map(str, page.ids):
                gone, whole = await retention.drop_incident(work.tx, incident, cutoff, _ROWS)
                rows += gone
                if not whole or rows >= _ROWS:
                    return number + whole, incident if whole else last
                number, last = number + 1, incident
            return number, str(page.last)

        number = 0
        self._incidents_after = str(page.last)
        if page.ids:
            number, self._incidents_after = await self._transactions.write(now, decision)
        self._count("incidents", number)
        return page.more or self._incidents_after != page.last

    async def _notices(self, cutoff: datetime, now: datetime) -> bool:
        number = await self._transactions.write(now, lambda work: retention.drop_notices(work.tx, cutoff, _PAGE))
        self._count("notices", number)
        return number == _PAGE

    async def _requests(self, cutoff: datetime, now: datetime) -> bool:
        after = self._requests_after
        page = await self._transactions.read(
            lambda tx: retention.requests(tx, after, cutoff, limit=_ROWS, most_bytes=_BYTES)
        )
        await self._drop("requests", page, now, lambda work: retention.drop_requests(work.tx, page))
        self._requests_after = int(page.last)
        return page.more

    async def _alerts(self, cutoff: datetime, now: datetime) -> bool:
        """The last episode of an alert is what a late report is judged by: it is kept for a day at least."""
        before, after = min(cutoff, now - _REMEMBERED), self._alerts_after
        page = await self._transactions.read(lambda tx: retention.alerts(tx, after, before, limit=_PAGE))
        await self._drop("alerts", page, now, lambda work: retention.drop_alerts(work.tx, page, before))
        self._alerts_after = int(page.last)
        return page.more

    async def _silences(self, _cutoff: datetime, now: datetime) -> bool:
        """Ended silences, whatever the retention of everything else is."""
        before = now - _SILENCES_SHOWN
        number = await self._transactions.write(now, lambda work: silences.drop_ended(work.tx, before, _PAGE))
        self._count("silences", number)
        return number == _PAGE

    async def _drop(self, what: str, page: Page, now: datetime, decision: Callable[[Work], Awaitable[None]]) -> None:
        if page.ids:
            await self._transactions.write(now, decision)
            self._count(what, len(page.ids))

    def _count(self, what: str, number: int) -> None:
        if number:
            self._gone[what] = self._gone.get(what, 0) + number
