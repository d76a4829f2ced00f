"""What fires and why it is or is not told, as Alertmanager's API v2 shows it.

Everything is read page by page from the last committed state, so that neither what is planned and sent nor the memory
minds how much fires. What changes meanwhile may be seen or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from functools import partial

from msgspec import Struct

from bridge.engine.alertmanager_filters import AlertFilter
from bridge.engine.alertmanager_look import Look
from bridge.engine.alertmanager_shapes import GettableAlert
from bridge.engine.transactions import Transactions
from bridge.routing.intervals import muted_by
from bridge.routing.silences import Silences
from bridge.storage import alert_views
from bridge.storage.alert_views import Group, Head

_HEADS = 2000
_PAGE = 200


class GroupPart(Struct, frozen=True):
    """Some alerts of a group, at least one; a large one comes in several parts, one after the other."""

    group: Group
    alerts: tuple[GettableAlert, ...]


class AlertmanagerViews:
    """Answers in the generation, with the silences and at the time of the question."""

    def __init__(self, transactions: Transactions, silences: Callable[[], Silences]) -> None:
        self._transactions = transactions
        self._silences = silences

    async def alerts(self, wanted: AlertFilter, now: datetime) -> AsyncGenerator[tuple[GettableAlert, ...]]:
        """What fires, by fingerprint; of several sources that report the same, the newest report. At least one at a time."""
        generation = self._transactions.generation()
        look = Look(generation, self._silences(), wanted, now)
        ids = [head.id for head in await self._heads()]
        for begin in range(0, len(ids), _PAGE):
            shown = await self._transactions.read(partial(look.page, ids=ids[begin : begin + _PAGE]))
            if shown:
                yield tuple(shown)
            await asyncio.sleep(0)

    async def groups(self, wanted: AlertFilter, now: datetime) -> AsyncGenerator[GroupPart]:
        """The incidents that go on, by group labels and receiver; those with nothing to show are left out."""
        generation = self._transactions.generation()
        look = Look(generation, self._silences(), wanted, now)
        for group in await self._groups(wanted):
            route = generation.routes.get(group.route)
            mutes = () if route is None else muted_by(route, generation.intervals, now)
            if mutes and not wanted.muted:
                continue
            async with aclosing(self._of_group(group, look, mutes)) as parts:
                async for shown in parts:
                    yield GroupPart(group, shown)

    async def _of_group(
        self, group: Group, look: Look, mutes: tuple[str, ...]
    ) -> AsyncGenerator[tuple[GettableAlert, ...]]:
        after = 0
        while True:
            ids = await self._transactions.read(partial(alert_views.members, group=group.id, after=after, limit=_PAGE))
            if ids and (shown := await self._transactions.read(partial(look.page_of_group, ids=ids, mutes=mutes))):
                yield tuple(shown)
            await asyncio.sleep(0)
            if len(ids) < _PAGE:
                return
            after = ids[-1]

    async def _heads(self) -> list[Head]:
        """One of each fingerprint, in their order."""
        newest: dict[str, Head] = {}
        after = 0
        while True:
            page = await self._transactions.read(partial(alert_views.heads, after=after, limit=_HEADS))
            for head in page:
                known = newest.get(head.fingerprint)
                if known is None or known.last_seen <= head.last_seen:
                    newest[head.fingerprint] = head
            await asyncio.sleep(0)
            if len(page) < _HEADS:
                return [newest[fingerprint] for fingerprint in sorted(newest)]
            after = page[-1].id

    async def _groups(self, wanted: AlertFilter) -> list[Group]:
        found: list[Group] = []
        after = ""
        while True:
            page = await self._transactions.read(partial(alert_views.groups, after=after, limit=_HEADS))
            found += (group for group in page if wanted.takes_receiver((group.receiver,)))
            await asyncio.sleep(0)
            if len(page) < _HEADS:
                return sorted(found, key=_by_labels)
            after = page[-1].id


def _by_labels(group: Group) -> tuple[int, list[tuple[str, str]], str, str]:
    """Alertmanager's order of groups: fewer labels first, then by name and value, then by receiver."""
    return len(group.labels), sorted(group.labels.items()), group.receiver, group.id
