"""What services ask for in people's names, carried out once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime

from bridge.channels.callbacks import Ask, Callback, Done
from bridge.domain.deed import Deed
from bridge.domain.errors import Conflict, NotFound
from bridge.domain.person import Person
from bridge.engine import deeds
from bridge.engine.incident_acts import IncidentActs
from bridge.engine.links import BadLink, links_of
from bridge.engine.once import Once, Repeated
from bridge.engine.texted import Texted, channels_to
from bridge.engine.transactions import Transactions
from bridge.engine.views import IncidentDetail
from bridge.net import HttpClient
from bridge.secrets.instance import InstanceKeys
from bridge.storage import incidents

_BREATH = 200
_LONGEST_NAME = 100
_GONE = "There is no such incident any more."


class Asks:
    """Finds who asks and for which incident, and does it."""

    def __init__(self, transactions: Transactions, keys: InstanceKeys) -> None:
        self._transactions = transactions
        self._keys = keys
        self._links = links_of(keys)
        self._texted = Texted(transactions, keys)

    def callback(self, channel: str) -> Callback | None:
        """The ear of a channel, if it has one."""
        configured = self._transactions.generation().channels.get(channel)
        found: Callback | None = getattr(configured.channel, "callback", None) if configured else None
        return found

    @property
    def http(self) -> HttpClient:
        """What replies are sent with."""
        return self._transactions.generation().http

    async def carry_out(self, channel: str, callback: Callback, ask: Ask, now: datetime) -> Done:
        """Do what was asked, once. Nothing that is wrong with an ask raises: the answer says it.

        Raises:
            StorageError: not now.
        """
        by = self._who(callback, ask)
        if not by:
            return Done(ask, False, f"Nobody under `people:` has this account ({callback.accounts}); nothing was done.")
        try:
            deed, meant = await self._which(channel, callback, ask, now)
        except BadLink as error:
            return Done(ask, False, f"Nothing was done: {error}.", by=by)
        if len(meant) > 1:
            return Done(ask, False, f"Nothing was done: {len(meant)} incidents have the number {ask.number}.", by=by)
        if deed is None or not meant:
            return Done(ask, False, _GONE, by=by)
        incident = meant[0]
        acts = IncidentActs(Once(self._transactions, channel, ask.key))
        doing = deeds.do(acts, deed, incident, by, now, callback.via, ask.lasting)
        changed, text = await _told(doing, deed, by, now)
        return Done(ask, changed, text, incident, by)

    def _who(self, callback: Callback, ask: Ask) -> str:
        """The name under which it goes on record; empty for nobody who may act."""
        people = self._transactions.generation().config.people
        person = person_of(people, callback.accounts, ask.account)
        if person or not callback.strangers:
            return person
        return stranger(ask.shown or ask.account, callback.accounts)

    async def _which(
        self, channel: str, callback: Callback, ask: Ask, now: datetime
    ) -> tuple[Deed | None, tuple[str, ...]]:
        """The deed and the incidents that may be meant."""
        if ask.token:
            opened = self._links.open(ask.token, now)
            return opened.deed, (opened.incident,)
        if ask.incident:
            return ask.deed, (ask.incident,)
        if ask.dedup:
            return ask.deed, await self._keyed(channel, ask.dedup)
        channels = channels_to(ask.account, callback, self._transactions.generation().channels)
        return ask.deed, await self._texted.which(channels, ask)

    async def _keyed(self, channel: str, dedup: str) -> tuple[str, ...]:
        """The incident that is not over and that the channel knows by this key, if there is one."""
        told = await self._transactions.read(lambda tx: incidents.told_unended(tx, channel))
        for number, incident in enumerate(told):
            if self._keys.idempotency("incident", incident, channel) == dedup:
                return (incident,)
            if number % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)  # of ten thousand incidents others must not wait for the last
        return ()


async def _told(doing: Awaitable[IncidentDetail], deed: Deed, by: str, now: datetime) -> tuple[bool, str]:
    """Whether a deed changed anything, and what is said of it."""
    try:
        detail = await doing
    except Repeated:
        return False, ""
    except NotFound:
        return False, _GONE
    except Conflict as error:
        return False, f"Nothing was done: {error}."
    return not detail.note, deeds.sentence(deed, detail, by, now)


def person_of(people: Mapping[str, Person], kind: str, account: str) -> str:
    """Whose account it is; empty if nobody's."""
    if not account:
        return ""
    return next((name for name, person in people.items() if account in person.accounts.get(kind, ())), "")


def stranger(shown: str, where: str) -> str:
    """What somebody is called who is not under `people:`: nobody under `people:` is called so."""
    name = " ".join("".join(each if each.isprintable() else " " for each in shown).split())
    return f"{name[:_LONGEST_NAME] or 'somebody'} ({where})"
