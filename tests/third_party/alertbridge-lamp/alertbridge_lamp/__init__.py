"""A channel that lights a lamp, as a distribution of its own: `pip install alertbridge-lamp`, nothing to configure.

channels:
office: {type: lamp, url: "http://lamp.example/colour"}
"""

from __future__ import annotations

from typing import ClassVar

from bridge.channels.api import ChannelOptions, Context, Idempotency, Message, Receipt
from bridge.net import outcome_of


class LampOptions(ChannelOptions):
    url: str
    firing: str = "red"
    quiet: str = "green"


class LampChannel:
    Options: ClassVar[type[ChannelOptions]] = LampOptions
    idempotency: ClassVar[Idempotency] = "native"  # to set a colour twice is to set it once
    follows_acknowledgement: ClassVar[bool] = True

    def __init__(self, name: str, options: LampOptions) -> None:
        self.name = name
        self.options = options

    async def send(self, message: Message, context: Context) -> Receipt:
        colour = self.options.firing if message.firing and not message.acknowledged_by else self.options.quiet
        response = await context.http.request("PUT", self.options.url, body=colour.encode())
        outcome_of(response, context.now)
        return Receipt(detail=f"the lamp is {colour}")
