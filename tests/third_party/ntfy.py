"""A channel for ntfy (https://ntfy.sh), as somebody else would write it: one file, named under `plugins:`.

plugins: [ntfy.py]
channels:
phone: {type: ntfy, topic: payments, token: "env:NTFY_TOKEN"}
"""

from __future__ import annotations

import json
from typing import ClassVar

from bridge.channels.api import ChannelOptions, Context, Idempotency, Message, Receipt, Secret
from bridge.net import outcome_of


class NtfyOptions(ChannelOptions):
    topic: str
    token: Secret | None = None
    url: str = "https://ntfy.sh"


class NtfyChannel:
    Options: ClassVar[type[ChannelOptions]] = NtfyOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: ClassVar[bool] = False

    def __init__(self, name: str, options: NtfyOptions) -> None:
        self.name = name
        self.options = options

    async def send(self, message: Message, context: Context) -> Receipt:
        headers = {"Content-Type": "application/json"}
        if self.options.token is not None:
            headers["Authorization"] = f"Bearer {self.options.token.reveal()}"
        body = {
            "topic": self.options.topic,
            "title": message.title,
            "message": message.text,
            "priority": 5 if message.severity == "critical" and message.firing else 3,
        }
        response = await context.http.request(
            "POST",
            self.options.url,
            body=json.dumps(body).encode(),
            headers=headers,
            timeout=self.options.timeout.total_seconds(),
        )
        outcome_of(response, context.now)
        return Receipt(data={"id": str(json.loads(response.body)["id"])})
