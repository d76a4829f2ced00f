"""Slack: an incoming webhook, or a bot that also updates and threads what it posted.

The bot form edits the first message of an incident when it changes, is acknowledged, given back or resolved, and answers in its
thread on change and resolve, because an edit notifies nobody. Reminders and escalations are thread replies that are
also shown in the channel (`reply_broadcast`), so that they ring and stay with their incident.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from pydantic import BeforeValidator, Field, model_validator

from bridge.channels.api import (
    ChannelOptions,
    Context,
    Idempotency,
    Message,
    Reason,
    Receipt,
    Secret,
)
from bridge.channels.endpoints import WebAddress
from bridge.channels.slack_answers import MessageGone, Posted, accepted, posted
from bridge.channels.slack_blocks import Attachment, Block, Content, content
from bridge.channels.slack_callback import SlackEar
from bridge.domain.message import FOLLOW_UPS
from bridge.net import Response

_HOME = "https://slack.com"
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_BROADCAST = frozenset({Reason.REMINDER, Reason.ESCALATED})
_UPDATE = frozenset({Reason.CHANGED, *FOLLOW_UPS, Reason.RESOLVED})
_MENTION = re.compile(r"<(?:@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!here|!channel|!everyone)>")


def _mention(value: object) -> object:
    """`@here`, `@channel`, `@everyone`, `<@U…>`, `!subteam^S…` → the form Slack parses."""
    if not isinstance(value, str):
        return value
    text = value.strip("<>")
    if text in {"@here", "@channel", "@everyone"}:
        text = f"!{text[1:]}"
    text = f"<{text}>"
    if _MENTION.fullmatch(text) is None:
        raise ValueError(f"{value!r} is no mention; write @here, @channel, <@U…> or !subteam^S…")
    return text


Mention = Annotated[str, BeforeValidator(_mention)]


class SlackOptions(ChannelOptions):
    """Either `webhook_url`, or `token` and `channel`."""

    webhook_url: Secret | None = Field(None, description="an incoming webhook's URL")
    token: Secret | None = Field(None, description="a bot token with the scope chat:write")
    channel: str = Field(
        "", description="the channel's id (C…) or name: for the bot, and for a webhook that may post to others"
    )
    url: WebAddress | None = Field(None, description="replaces https://slack.com")
    signing_secret: Secret | None = Field(None, description="the app's: what proves that a button was pressed in Slack")
    strangers: bool = Field(
        True, description="whether those whose account nobody under `people:` has may press buttons"
    )
    mention: tuple[Mention, ...] = Field((), max_length=20, description="who is called when it fires")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.webhook_url is None) == (self.token is None):
            raise ValueError("a slack channel needs either webhook_url, or token and channel")
        if self.token is not None and not self.channel.strip():
            raise ValueError("a slack channel with a token needs channel: the channel's id or name")
        return self


class _Webhook(Struct, frozen=True, omit_defaults=True):
    text: str
    blocks: tuple[Block, ...]
    attachments: tuple[Attachment, ...]
    channel: str = ""


class _Post(Struct, frozen=True, omit_defaults=True):
    channel: str
    text: str
    blocks: tuple[Block, ...]
    attachments: tuple[Attachment, ...]
    unfurl_links: bool
    unfurl_media: bool
    thread_ts: str = ""
    reply_broadcast: bool = False


class _Update(Struct, frozen=True):
    channel: str
    ts: str
    text: str
    blocks: tuple[Block, ...]
    attachments: tuple[Attachment, ...]


class SlackChannel:
    """Sends to one Slack channel. The receipt of the bot form holds `channel` (an id) and `ts` of the first message, and
    `held` while that says that somebody has the incident.
    """

    Options: ClassVar[type[ChannelOptions]] = SlackOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: bool = False
    follows_unacknowledgement: bool = False

    def __init__(self, name: str, options: SlackOptions) -> None:
        self.name = name
        self._options = options
        self.callback = _ear(options)
        self.follows_acknowledgement = self.follows_unacknowledgement = options.token is not None

    async def send(self, message: Message, context: Context) -> Receipt:
        shown = content(message, mention=self._options.mention, plain=context.plain, buttons=self.callback is not None)
        if self._options.token is None:
            return await self._to_webhook(shown, context)
        bot = _Bot(self._options, self._options.token, context)
        first = _first(context.previous)
        if first is None or message.reason in {Reason.OPENED, Reason.NOTICE, Reason.TEST}:
            return _receipt(await bot.post(shown), message)
        outdated = bool(context.previous and context.previous.data.get("held")) != message.held
        try:
            await self._follow_up(bot, first, message.reason, shown, outdated=outdated)
        except MessageGone:
            first = await bot.post(shown)
        return _receipt(first, message)

    async def _follow_up(self, bot: _Bot, first: Posted, reason: Reason, shown: Content, *, outdated: bool) -> None:
        """Changes the first message and answers in its thread; the first message stays the one to follow."""
        if reason in _UPDATE or outdated:
            await bot.update(first, shown)
        if reason not in FOLLOW_UPS or reason in self._options.send_on:
            await bot.reply(first, shown, broadcast=reason in _BROADCAST)

    async def _to_webhook(self, shown: Content, context: Context) -> Receipt:
        url = _webhook_url(self._options)
        channel = self._options.channel
        body = msgspec.json.encode(_Webhook(shown.text, shown.blocks, shown.attachments, channel))
        timeout = self._options.timeout.total_seconds()
        response = await context.http.request("POST", url, body=body, headers=_JSON, timeout=timeout)
        accepted(response, context)
        return Receipt(detail="accepted by Slack")


class _Bot:
    """The three Web API calls of one attempt, all within the attempt's time."""

    def __init__(self, options: SlackOptions, token: Secret, context: Context) -> None:
        self._options = options
        self._token = token
        self._context = context
        self._deadline = asyncio.get_running_loop().time() + options.timeout.total_seconds()

    async def post(self, shown: Content) -> Posted:
        body = _Post(self._options.channel, shown.text, shown.blocks, shown.attachments, False, False)
        return posted(await self._call("chat.postMessage", body), context=self._context, to_earlier=False)

    async def update(self, first: Posted, shown: Content) -> None:
        body = _Update(first.channel, first.ts, shown.text, shown.blocks, shown.attachments)
        posted(await self._call("chat.update", body), context=self._context, to_earlier=True)

    async def reply(self, first: Posted, shown: Content, *, broadcast: bool) -> None:
        body = _Post(
            first.channel,
            shown.text,
            shown.blocks,
            shown.attachments,
            False,
            False,
            first.ts,
            reply_broadcast=broadcast,
        )
        posted(await self._call("chat.postMessage", body), context=self._context, to_earlier=True)

    async def _call(self, method: str, body: Struct) -> Response:
        left = max(0.1, self._deadline - asyncio.get_running_loop().time())
        headers = {**_JSON, "Authorization": f"Bearer {self._token.reveal()}"}
        url = Secret(f"{_api(self._options)}/{method}")
        return await self._context.http.request(
            "POST", url, body=msgspec.json.encode(body), headers=headers, timeout=left
        )


def _ear(options: SlackOptions) -> SlackEar | None:
    if options.signing_secret is None:
        return None
    home = options.url.reveal() if options.url else ""
    return SlackEar(options.signing_secret, strangers=options.strangers, public=options.token is None, home=home)


def _first(previous: Receipt | None) -> Posted | None:
    if previous is None or not previous.data.get("channel") or not previous.data.get("ts"):
        return None
    return Posted(previous.data["channel"], previous.data["ts"])


def _receipt(where: Posted, message: Message) -> Receipt:
    data = {"channel": where.channel, "ts": where.ts, **({"held": "1"} if message.held else {})}
    return Receipt(data, f"posted in {where.channel} at {where.ts}")


def _api(options: SlackOptions) -> str:
    """The Web API's base: `url` may be given with or without its last part, /api."""
    base = (options.url.reveal() if options.url else _HOME).rstrip("/")
    return base if base.endswith("/api") else f"{base}/api"


def _webhook_url(options: SlackOptions) -> Secret:
    """The webhook's own URL; `url` replaces its scheme and host."""
    webhook = options.webhook_url or Secret("")
    if options.url is None:
        return webhook
    return Secret(options.url.reveal().rstrip("/") + urlsplit(webhook.reveal()).path)
