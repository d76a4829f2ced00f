"""The `twilio_sms` channel: one text message for each number, through Twilio's Messages API.

Twilio has no idempotency key. Who of several numbers already got a delivery is remembered in memory, so that a
retry for the others does not text them again; after a restart it may.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, ClassVar
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BeforeValidator, Field, StringConstraints

from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Permanent,
    Reason,
    Receipt,
    Refused,
    Retryable,
    Secret,
)
from bridge.channels.callbacks import short_number
from bridge.channels.endpoints import Masking, WebAddress, endpoint, read_json, unreadable
from bridge.channels.sizes import body
from bridge.channels.sms_text import bits, room, spelled
from bridge.channels.twilio_replies import TwilioEar
from bridge.domain.alert import Status
from bridge.domain.errors import ChannelError
from bridge.net import Response, outcome_of, retry_after

_REMEMBERED = 1000
_WIDEST = 16
_ANSWERABLE = frozenset(Reason) - {Reason.NOTICE, Reason.TEST}
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
_RECIPIENT = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614, 21635, 30003, 30005, 30006})
_SENDER = frozenset({21212, 21603, 21606, 21607, 21659, 21660, 21661, 21703})


def _several(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


Number = Annotated[str, StringConstraints(pattern=r"^(?:[a-z]{2,16}:)?\+?[A-Za-z0-9._-]{2,40}$")]
Sender = Annotated[str, StringConstraints(pattern=r"^(?:[a-z]{2,16}:)?\+?[A-Za-z0-9][A-Za-z0-9 ._-]{1,40}$")]


class TwilioSmsOptions(ChannelOptions):
    """From which number to which."""

    account_sid: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    auth_token: Secret
    from_: Sender = Field(alias="from", description="a number, a sender name, or a messaging service (MG…)")
    to: Annotated[tuple[Number, ...], BeforeValidator(_several)] = Field(min_length=1, max_length=50)
    url: WebAddress = Field(Secret("https://api.twilio.com"), description="the base URL")
    replies: bool = Field(False, description="texts that come back acknowledge; each text says how")
    max_segments: int = Field(4, ge=1, le=10, description="each is charged; longer texts are cut and say so")


class _Answer(Struct, frozen=True):
    sid: str | None = None
    status: str | int | None = None
    error_code: int | None = None
    code: int | None = None
    message: str | None = None


class TwilioSmsChannel:
    """201 with a message id means that Twilio queued the message."""

    Options: ClassVar[type[ChannelOptions]] = TwilioSmsOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: ClassVar[bool] = False

    def __init__(self, name: str, options: TwilioSmsOptions) -> None:
        self._name = name
        self._options = options
        self._timeout = options.timeout.total_seconds()
        account = quote(options.account_sid, safe="")
        self._url = endpoint(options.url, f"/2010-04-01/Accounts/{account}/Messages.json")
        self._to = tuple(dict.fromkeys(options.to))
        self._sender = "MessagingServiceSid" if options.from_.startswith("MG") else "From"
        self._masked = Masking(options.auth_token)
        self.callback = TwilioEar(options.auth_token, options.to) if options.replies else None
        self._texted: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def send(self, message: Message, context: Context) -> Receipt:
        """One request for each number not texted yet. As `Channel.send`.

        A number that refuses for good does not stop the others: the receipt names it. The failure of a number that
        can be tried again is raised when every number has been tried.
        """
        text = spelled(self._shown(message))
        texted = self._remember(context.idempotency_key)
        waiting = [number for number in self._to if number not in texted]
        failed = await asyncio.gather(*(self._text(number, text, context, texted) for number in waiting))
        failures = [failure for failure in failed if failure is not None]
        failure = _worst(failures)
        if isinstance(failure, Retryable) or (failure is not None and not texted):
            raise failure
        self._texted.pop(context.idempotency_key, None)
        return _receipt(texted, failures)

    def _shown(self, message: Message) -> str:
        """Title and text; and in place of links how to answer, where an answer is heard."""
        size = room(self._options.max_segments)
        if self.callback is None or message.reason not in _ANSWERABLE or message.status is not Status.FIRING:
            return body(message, size, bits, title=True)
        number, message = short_number(message.dedup), replace(message, actions=())
        line = f"\nReply ack {number}" if not message.acknowledged_by else f"\nReply resolve {number}"
        text = body(message, size - bits(line), bits, title=True) + line
        if bits(text) > size:  # one character outside GSM-7 makes the line larger too
            text = body(message, size - _WIDEST * len(line), bits, title=True) + line
        return text

    async def _text(self, number: str, text: str, context: Context, texted: dict[str, str]) -> ChannelError | None:
        """Text one number and note it in `texted`, or give the failure back."""
        form = {"To": number, self._sender: self._options.from_, "Body": text}
        try:
            response = await context.http.request(
                "POST",
                self._url,
                body=urlencode(form).encode(),
                headers=_HEADERS,
                basic=(self._options.account_sid, self._options.auth_token),
                timeout=self._timeout,
            )
            texted[number] = self._accepted(response, number, context)
        except ChannelError as error:
            return error
        return None

    def _accepted(self, response: Response, number: str, context: Context) -> str:
        """The message's id."""
        answer = read_json(response, _Answer) or _Answer()
        said = self._masked(answer.message or "")
        code = answer.code or answer.error_code
        if code is not None and (response.status < 300 or 400 <= response.status < 500):
            _judge(code, f"{_short(number)}: Twilio {code}: {said}", response, context)
        outcome_of(response, context.now, said)
        if not answer.sid or answer.status in {"failed", "undelivered"}:
            raise unreadable("Twilio", response, context.attempt)
        return answer.sid

    def _remember(self, key: str) -> dict[str, str]:
        while len(self._texted) >= _REMEMBERED and key not in self._texted:
            self._texted.popitem(last=False)
        return self._texted.setdefault(key, {})


def _judge(code: int, text: str, response: Response, context: Context) -> None:
    """Raises for the codes that say more than the HTTP status; the others are judged by it."""
    if code == 20003:
        raise Refused(FailureReason.UNAUTHORIZED, text)
    if code == 20429:
        raise Retryable(FailureReason.RATE_LIMITED, text, retry_after=retry_after(response, context.now))
    if code in _SENDER or code == 20404:
        raise Refused(FailureReason.DESTINATION_GONE, text)
    if code in _RECIPIENT:
        raise Permanent(FailureReason.RECIPIENT_REFUSED, text)
    if code == 21617:
        raise Permanent(FailureReason.TOO_LARGE, text)


def _worst(failures: Sequence[ChannelError]) -> ChannelError | None:
    """What the whole delivery failed with: try again if any number can be, else the credential, else the content."""
    retryable = [failure for failure in failures if isinstance(failure, Retryable)]
    if retryable:
        waits = [failure.retry_after for failure in retryable if failure.retry_after is not None]
        return Retryable(
            retryable[0].reason,
            retryable[0].detail,
            retry_after=max(waits, default=None),
            unknown=any(failure.unknown for failure in retryable),
        )
    return next((failure for failure in failures if isinstance(failure, Refused)), failures[0] if failures else None)


def _receipt(texted: dict[str, str], failures: Sequence[ChannelError]) -> Receipt:
    refused = f"; refused: {'; '.join(failure.detail for failure in failures)}" if failures else ""
    return Receipt(
        data={"sids": ",".join(texted.values())}, detail=f"accepted as {', '.join(texted.values())}{refused}"
    )


def _short(number: str) -> str:
    """Enough of a number to know it by, not enough to call it."""
    return f"…{number[-4:]}"
