"""Which incident somebody means who texts `ack`, or `ack 4711`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from bridge.channels.callbacks import Ask, Callback, short_number
from bridge.domain.deed import Deed
from bridge.engine.generation import ConfiguredChannel
from bridge.engine.transactions import Transactions
from bridge.secrets.instance import InstanceKeys
from bridge.storage import incidents

_BREATH = 200


class Texted:
    """Finds incidents among those that channels told to who asks, and that are not over."""

    def __init__(self, transactions: Transactions, keys: InstanceKeys) -> None:
        self._transactions = transactions
        self._keys = keys

    async def which(self, channels: Sequence[str], ask: Ask) -> tuple[str, ...]:
        """The incidents that are meant: none, one, or several that happen to have the same number.

        Without a number it is the newest, and to acknowledge the newest that is open, if one is.
        """
        if ask.number:
            return await self._numbered(channels, ask.number)
        opened = await self._newest(channels, open_only=True) if ask.deed is Deed.ACKNOWLEDGE else ()
        return opened or await self._newest(channels, open_only=False)

    async def _numbered(self, channels: Iterable[str], number: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for channel in channels:
            for place, each in enumerate(await self._told(channel)):
                if short_number(self._keys.idempotency("incident", each, channel)) == number:
                    found[each] = None
                if place % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)  # of ten thousand incidents others must not wait for the last
        return tuple(found)

    async def _told(self, channel: str) -> list[str]:
        return await self._transactions.read(lambda tx: incidents.told_unended(tx, channel))

    async def _newest(self, channels: Iterable[str], *, open_only: bool) -> tuple[str, ...]:
        found = [await self._newest_of(channel, open_only=open_only) for channel in channels]
        newest = max(found, default="")
        return (newest,) if newest else ()

    async def _newest_of(self, channel: str, *, open_only: bool) -> str:
        return await self._transactions.read(lambda tx: incidents.newest_told(tx, channel, open_only=open_only))


def channels_to(account: str, callback: Callback, channels: Mapping[str, ConfiguredChannel]) -> tuple[str, ...]:
    """The channels that reach an account, by the same service as the one that hears from it."""
    return tuple(
        name
        for name, configured in channels.items()
        if (ear := getattr(configured.channel, "callback", None)) is not None
        and ear.accounts == callback.accounts
        and account in getattr(ear, "reaches", ())
    )
