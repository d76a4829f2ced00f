"""A channel that hears: loaded by `plugins:` as a user's would be. A request is signed by `X-Parrot`, hex HMAC-SHA256."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import ClassVar

import msgspec
from msgspec import Struct

from bridge.channels.api import ChannelOptions, Context, Message, Receipt
from bridge.channels.callbacks import (
    Ask,
    CallbackAnswer,
    CallbackRequest,
    Done,
    Forged,
    Heard,
    Unreadable,
    is_fresh,
    is_same,
)
from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.net import HttpClient

SECRET = b"polly"


class ParrotOptions(ChannelOptions):
    deaf: bool = False
    strangers: bool = True


class Said(Struct):
    key: str
    account: str = ""
    shown: str = ""
    token: str = ""
    incident: str = ""
    dedup: str = ""
    deed: Deed | None = None


class ParrotChannel:
    """Keeps what it was told, and answers in one line what became of each ask."""

    name: ClassVar = "parrot"
    Options: ClassVar = ParrotOptions
    idempotency: ClassVar = "none"
    follows_acknowledgement = False
    sent: ClassVar[list[Message]] = []
    replies: ClassVar[list[str]] = []

    def __init__(self, _name: str, options: ParrotOptions) -> None:
        self.callback = None if options.deaf else ParrotEar(strangers=options.strangers)

    async def send(self, message: Message, _context: Context) -> Receipt:
        self.sent.append(message)
        return Receipt()


class ParrotEar:
    via = Via.SLACK
    accounts = "slack"

    def __init__(self, *, strangers: bool) -> None:
        self.strangers = strangers

    def hear(self, request: CallbackRequest) -> Heard:
        signed = request.header("X-Parrot-Time").encode() + request.url.encode() + request.body
        fresh = is_fresh(request.header("X-Parrot-Time"), request.now)
        if not is_same(request.header("X-Parrot"), hmac.digest(SECRET, signed, "sha256").hex()) or not fresh:
            raise Forged("not the parrot's")
        try:
            said = msgspec.json.decode(request.body, type=list[Said])
        except msgspec.DecodeError as error:
            raise Unreadable("the parrot mumbles") from error
        return Heard(
            tuple(Ask(one.key, one.account, one.shown, one.token, one.incident, one.dedup, one.deed) for one in said)
        )

    def answer(self, _heard: Heard, done: Sequence[Done]) -> CallbackAnswer:
        return CallbackAnswer("\n".join(each.text for each in done).encode())

    async def reply(self, _heard: Heard, done: Sequence[Done], _http: HttpClient) -> None:
        for each in done:
            ParrotChannel.replies.append(each.text)
            if not each.changed:
                raise RuntimeError("the parrot is tired")
