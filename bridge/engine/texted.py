"""Which incident somebody means who texts `ack`, or `ack 4711`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.channels.callbacks import Ask, Callback, short_number
from bridge.domain.deed import Deed
from bridge.engine.generation import ConfiguredChannel
from bridge.secrets.instance import InstanceKeys
from bridge.storage import incidents
from bridge.storage.transaction import Tx


class Texted:
    """Finds incidents among those that channels told to who asks, and that are not over."""

    def __init__(self, keys: InstanceKeys) -> None:
        self._keys = keys

    async def which(self, tx: Tx, channels: Iterable[str], ask: Ask) -> tuple[str, ...]:
        """The incidents that are meant: none, one, or several that happen to have the same number.

        Without a number it is the newest, and to acknowledge the newest that is open, if one is.
        """
        told = [(each, channel) for channel in channels for each in await incidents.told_unended(tx, channel)]
        if ask.number:
            return tuple({each: None for each, channel in told if self._number(each, channel) == ask.number})
        newest = sorted({each for each, _ in told}, reverse=True)
        if ask.deed is Deed.ACKNOWLEDGE:
            for each in newest:
                found = await incidents.get(tx, each)
                if found is not None and found.state == "open":
                    return (each,)
        return tuple(newest[:1])

    def _number(self, incident: str, channel: str) -> str:
        return short_number(self._keys.idempotency("incident", incident, channel))


def channels_to(account: str, callback: Callback, channels: Mapping[str, ConfiguredChannel]) -> tuple[str, ...]:
    """The channels that reach an account, by the same service as the one that hears from it."""
    return tuple(
        name
        for name, configured in channels.items()
        if (ear := getattr(configured.channel, "callback", None)) is not None
        and ear.accounts == callback.accounts
        and account in getattr(ear, "reaches", ())
    )
