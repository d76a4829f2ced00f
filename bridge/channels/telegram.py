"""Telegram: a bot that writes to one chat, edits what it wrote and answers it.

The first message of an incident is edited when it changes, is acknowledged, given back or resolved; because an edit notifies
nobody, a change and the end are answers to it too. Reminders and escalations are answers.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar
from urllib.parse import quote

import msgspec
from msgspec import Struct
from pydantic import BeforeValidator, Field

from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Reason,
    Receipt,
    Refused,
    Secret,
)
from bridge.channels.endpoints import Masking, WebAddress
from bridge.channels.telegram_answers import MessageGone, Moved, Sent, edited, sent
from bridge.channels.telegram_buttons import Keyboard, TelegramEar, keyboard
from bridge.channels.telegram_text import shown
from bridge.domain.message import FOLLOW_UPS
from bridge.net import Response

_JSON = {"Content-Type": "application/json"}
_ALONE = frozenset({Reason.OPENED, Reason.NOTICE, Reason.TEST})
_UPDATE = frozenset({Reason.CHANGED, *FOLLOW_UPS, Reason.RESOLVED})


def _number_if_one(value: object) -> object:
    """An id in quotes is an id; an id with a fraction, or true, is none."""
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
        return int(value)
    return value


ChatId = Annotated[
    Annotated[int, Field(strict=True, ge=-(2**52), le=2**52)] | Annotated[str, Field(pattern=r"^@[A-Za-z]\w{3,31}$")],
    BeforeValidator(_number_if_one),
]


class TelegramOptions(ChannelOptions):
    """Which bot writes to which chat."""

    token: Secret = Field(description="the bot's token, as BotFather gave it")
    chat_id: ChatId = Field(description="a person's, group's or channel's id, or a public channel's @name")
    message_thread_id: int | None = Field(None, ge=1, description="the topic of a forum")
    silent: bool = Field(False, description="messages come without a sound")
    url: WebAddress = Field(Secret("https://api.telegram.org"), description="the base URL")
    secret_token: Secret | None = Field(None, description="what setWebhook was given; with it messages have buttons")
    strangers: bool = Field(True, description="whether those whose account nobody under `people:` has may press them")


class _NoPreview(Struct, frozen=True):
    is_disabled: bool = True


class _Answering(Struct, frozen=True):
    """The message that is answered; the answer is sent even if that one was deleted."""

    message_id: int
    allow_sending_without_reply: bool = True


class _Send(Struct, frozen=True, omit_defaults=True):
    chat_id: int | str
    text: str
    link_preview_options: _NoPreview
    parse_mode: str = ""
    message_thread_id: int | None = None
    disable_notification: bool = False
    reply_parameters: _Answering | None = None
    reply_markup: Keyboard | None = None


class _Edit(Struct, frozen=True, omit_defaults=True):
    """Without `reply_markup` the buttons are taken away."""

    chat_id: int
    message_id: int
    text: str
    link_preview_options: _NoPreview
    parse_mode: str = ""
    reply_markup: Keyboard | None = None


class _First(Struct, frozen=True):
    """Where the first message of the incident is: the chat's id, also if its name is configured."""

    chat: int
    message: int


class TelegramChannel:
    """Writes to one chat. The receipt holds `chat` and `message`, the ids of the first message of the incident, and `held`
    while that says that somebody has it.

    A group that Telegram has made a supergroup has a new id: the channel learns it from the refusal and keeps it in
    memory; after a restart it learns it again.
    """

    Options: ClassVar[type[ChannelOptions]] = TelegramOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: ClassVar[bool] = True
    follows_unacknowledgement: ClassVar[bool] = True

    def __init__(self, name: str, options: TelegramOptions) -> None:
        self.name = name
        self._options = options
        self._chat = options.chat_id
        self.callback = _ear(options)

    async def send(self, message: Message, context: Context) -> Receipt:
        """As `Channel.send`: one request, or two where the first message is edited and answered."""
        buttons = self.callback is not None and not context.plain
        bot = _Bot(self._options, context, keyboard(message.actions) if buttons else None)
        text = shown(message, plain=context.plain, buttons=buttons)
        first = _first(context.previous)
        if first is None or message.reason in _ALONE:
            return _receipt(await self._post(bot, text), message)
        outdated = bool(context.previous and context.previous.data.get("held")) != message.held
        try:
            first = await self._follow_up(bot, first, message.reason, text, outdated=outdated)
        except MessageGone:
            return _receipt(await self._post(bot, text), message)
        return _receipt_of(first, message)

    async def _follow_up(self, bot: _Bot, first: _First, reason: Reason, text: str, *, outdated: bool) -> _First:
        """Edits the first message and answers it; gives the one to follow: where it was deleted, the answer."""
        if reason in _UPDATE or outdated:
            await bot.edit(first, text)
        if reason not in FOLLOW_UPS or reason in self._options.send_on:
            answer = await self._answer(bot, first, text)
            if answer.reply_to_message is None or answer.reply_to_message.message_id != first.message:
                return _First(answer.chat.id, answer.message_id)
        return first

    async def _answer(self, bot: _Bot, first: _First, text: str) -> Sent:
        """Raises MessageGone where the chat is no longer there: another one may be configured by now."""
        try:
            return await bot.send(first.chat, text, answering=first)
        except Moved as moved:
            if self._chat == first.chat:
                self._chat = moved.to
            raise MessageGone from None
        except Refused as refused:
            if refused.reason is FailureReason.DESTINATION_GONE:
                raise MessageGone from None
            raise

    async def _post(self, bot: _Bot, text: str) -> Sent:
        try:
            return await bot.send(self._chat, text)
        except Moved as moved:
            self._chat = moved.to
            return await bot.send(self._chat, text)


class _Bot:
    """The calls of one attempt, all within the attempt's time. What they write has the same buttons."""

    def __init__(self, options: TelegramOptions, context: Context, buttons: Keyboard | None) -> None:
        self._options = options
        self._context = context
        self._buttons = buttons
        self._masked = _masking(options)
        self._deadline = asyncio.get_running_loop().time() + options.timeout.total_seconds()
        self._markup = "" if context.plain else "HTML"

    async def send(self, chat: int | str, text: str, answering: _First | None = None) -> Sent:
        body = _Send(
            chat,
            text,
            _NoPreview(),
            self._markup,
            self._options.message_thread_id,
            self._options.silent,
            None if answering is None else _Answering(answering.message),
            self._buttons,
        )
        return sent(await self._call("sendMessage", body), self._context, self._masked)

    async def edit(self, first: _First, text: str) -> None:
        body = _Edit(first.chat, first.message, text, _NoPreview(), self._markup, self._buttons)
        edited(await self._call("editMessageText", body), self._context, self._masked)

    async def _call(self, method: str, body: Struct) -> Response:
        left = max(0.1, self._deadline - asyncio.get_running_loop().time())
        url = address(self._options, method)
        return await self._context.http.request(
            "POST", url, body=msgspec.json.encode(body), headers=_JSON, timeout=left
        )


def address(options: TelegramOptions, method: str) -> Secret:
    """Where a method of the Bot API is: the token is part of the path, so the whole URL is a credential."""
    return Secret(f"{options.url.reveal().rstrip('/')}/bot{quote(options.token.reveal(), safe=':')}/{method}")


def _masking(options: TelegramOptions) -> Masking:
    """Repeats what Telegram said without our credentials."""
    return Masking(options.token, *([options.secret_token] if options.secret_token else ()))


def _ear(options: TelegramOptions) -> TelegramEar | None:
    if options.secret_token is None:
        return None
    answering = address(options, "answerCallbackQuery")
    return TelegramEar(options.secret_token, answering, _masking(options), strangers=options.strangers)


def _first(previous: Receipt | None) -> _First | None:
    """None if the receipt is not one of ours."""
    if previous is None:
        return None
    try:
        return _First(int(previous.data.get("chat", "")), int(previous.data.get("message", "")))
    except ValueError:
        return None


def _receipt(sent: Sent, message: Message) -> Receipt:
    return _receipt_of(_First(sent.chat.id, sent.message_id), message)


def _receipt_of(first: _First, message: Message) -> Receipt:
    data = {"chat": str(first.chat), "message": str(first.message), **({"held": "1"} if message.held else {})}
    return Receipt(data, f"message {first.message} in chat {first.chat}")
