"""What the tests of single channels share."""

from __future__ import annotations

from bridge.channels.api import Channel, Context, Receipt
from bridge.domain.message import Message
from bridge.net import HttpClient
from tests.contract.channels.messages import NOW


def context(http: HttpClient, *, key: str = "key-1", attempt: int = 1, plain: bool = False) -> Context:
    return Context(http=http, now=NOW, idempotency_key=key, attempt=attempt, plain=plain)


def build(channel: type[Channel], **options: object) -> Channel:
    """A channel from options in their written form."""
    return channel("the-channel", channel.Options.model_validate({"type": "any", **options}))


async def send(http: HttpClient, channel: Channel, message: Message, *, key: str = "key-1") -> Receipt:
    return await channel.send(message, context(http, key=key))
