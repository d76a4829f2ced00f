"""What the answers of Telegram's Bot API mean.

A refusal is `{"ok": false, "error_code": …, "description": …}`, with the same code as HTTP status. Codes are made to
be read by programs, descriptions by people, and those may change: only a few are looked at. Source: Telegram's
reference of the Bot API, "Making requests" and "ResponseParameters".
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from bridge.channels.api import Context
from bridge.channels.endpoints import read_json, unreadable
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.net import Response, outcome_of, retry_after
from bridge.net.outcome import RETRY_AFTER_CAP

_MARKUP = "can't parse entities"
_UNCHANGED = "message is not modified"
_CHAT = ("chat not found", "bot was kicked", "bot was blocked", "user is deactivated", "not a member", "chat_write")
_LONG = "message is too long"


class MessageGone(Exception):  # noqa: N818 - a state of the service, handled inside the channel
    """What was sent earlier can no longer be changed: it must be sent anew."""


class Moved(Exception):  # noqa: N818 - as above
    """The group has become another chat, whose id is `to`."""

    def __init__(self, to: int) -> None:
        super().__init__(f"the chat is now {to}")
        self.to = to


class Chat(Struct, frozen=True):
    id: int


class Earlier(Struct, frozen=True):
    """The message that another one answers."""

    message_id: int = 0


class Sent(Struct, frozen=True):
    """A message as Telegram has it. `reply_to_message` is what it answers, None if that is gone."""

    message_id: int
    chat: Chat
    reply_to_message: Earlier | None = None


class _Parameters(Struct, frozen=True):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Sending(Struct, frozen=True):
    ok: bool
    result: Sent | None = None


class Verdict(Struct, frozen=True):
    """An answer without its result."""

    ok: bool
    error_code: int = 0
    description: str = ""
    parameters: _Parameters = _Parameters()


def sent(response: Response, context: Context, masked: Callable[[str], str]) -> Sent:
    """Reads the answer to sendMessage.

    Raises:
        Moved: the chat has another id now.
        ChannelError: refused; `Retryable` with `unknown` when the answer cannot be read.
    """
    judge(response, context, masked)
    answer = read_json(response, _Sending)
    if answer is None or answer.result is None:
        raise unreadable("Telegram", response, context.attempt)
    return answer.result


def edited(response: Response, context: Context, masked: Callable[[str], str]) -> None:
    """Reads the answer to editMessageText. A message that says so already counts as edited.

    Raises:
        MessageGone: there is no such message, it can no longer be edited, or its chat is gone.
        ChannelError: refused, as of `sent`.
    """
    answer = read_json(response, Verdict)
    said = "" if answer is None or answer.ok else answer.description.casefold()
    if _UNCHANGED in said:
        return
    if said and response.status in {400, 403} and _MARKUP not in said:
        raise MessageGone
    judge(response, context, masked)


def said_ok(response: Response, masked: Callable[[str], str]) -> None:
    """Reads the answer to a call outside of a delivery, which is not tried again.

    Raises:
        ChannelError: it was refused.
    """
    answer = read_json(response, Verdict) or Verdict(ok=False, description="not Telegram's answer")
    outcome_of(response, None, masked(answer.description))
    if not answer.ok:
        raise Permanent(FailureReason.BAD_RESPONSE, masked(answer.description))


def judge(response: Response, context: Context, masked: Callable[[str], str]) -> None:
    """Returns if Telegram said `ok`.

    Raises:
        Moved, ChannelError: as of `sent`.
    """
    answer = read_json(response, Verdict)
    if answer is None or answer.ok:
        outcome_of(response, context.now)
        if answer is None or response.status != 200:
            raise unreadable("Telegram", response, context.attempt)
        return
    if answer.parameters.migrate_to_chat_id is not None:
        raise Moved(answer.parameters.migrate_to_chat_id)
    status = answer.error_code if response.status == 200 else response.status
    if not 300 <= status < 600:
        raise unreadable("Telegram", response, context.attempt)
    raise _refusal(replace(response, status=status), answer, context, masked(answer.description))


def _refusal(response: Response, answer: Verdict, context: Context, said: str) -> ChannelError:
    text = f"Telegram {response.status}: {said}"
    folded = said.casefold()
    if response.status in {400, 403} and any(part in folded for part in _CHAT):
        return Refused(FailureReason.DESTINATION_GONE, text)
    if response.status == 404:
        return Refused(FailureReason.UNAUTHORIZED, f"{text}: is the token right?")
    if response.status == 429:
        return Retryable(FailureReason.RATE_LIMITED, text, retry_after=_wait(answer, response, context))
    if response.status == 400 and _LONG in folded:
        return Permanent(FailureReason.TOO_LARGE, text)
    try:
        outcome_of(response, context.now, said)
    except ChannelError as error:
        return error
    return unreadable("Telegram", response, context.attempt)


def _wait(answer: Verdict, response: Response, context: Context) -> float | None:
    """Seconds: Telegram names them in the body."""
    seconds = answer.parameters.retry_after
    if seconds is None:
        return retry_after(response, context.now)
    return min(max(seconds, 0.0), RETRY_AFTER_CAP)
