"""What Slack's answers mean.

The Web API answers HTTP 200 with `{"ok": false, "error": …}` when it refuses; incoming webhooks answer `ok` as text,
or an error word as text. Sources: Slack's reference of chat.postMessage, chat.update and of incoming webhooks.
"""

from __future__ import annotations

import re

from msgspec import Struct

from bridge.channels.api import Context
from bridge.channels.endpoints import read_json, unreadable
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.net import Response, outcome_of, retry_after

_WORD = re.compile(r"[a-z][a-z0-9_]{1,60}")
_RETRY = {
    "ratelimited": FailureReason.RATE_LIMITED,
    "rate_limited": FailureReason.RATE_LIMITED,
    "request_timeout": FailureReason.TEMPORARY,
    "service_unavailable": FailureReason.SERVER_ERROR,
    "fatal_error": FailureReason.SERVER_ERROR,
    "internal_error": FailureReason.SERVER_ERROR,
    "team_added_to_org": FailureReason.TEMPORARY,
}
_UNAUTHORIZED = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "org_login_required",
        "missing_scope",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "not_allowed_token_type",
        "team_access_not_granted",
    }
)
_NO_DESTINATION = frozenset({"channel_not_found", "not_in_channel", "is_archived", "restricted_action"})
_TOO_LARGE = frozenset({"msg_too_long", "msg_blocks_too_long", "too_many_attachments"})
_NOT_THERE = frozenset(
    {"message_not_found", "edit_window_closed", "cant_update_message", "thread_not_found", *_NO_DESTINATION}
)


class MessageGone(Exception):  # noqa: N818 - a state of the service, handled inside the channel
    """What was posted earlier can no longer be changed or answered: it must be posted anew."""


class Posted(Struct, frozen=True):
    """Where a message is: the channel's id (also if a name was sent) and its `ts`, a text that is never a number."""

    channel: str
    ts: str


class _Answer(Struct, frozen=True):
    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""


def posted(response: Response, *, context: Context, to_earlier: bool) -> Posted:
    """Reads a Web API answer. `to_earlier` says that the call changed or answered an earlier message.

    Raises:
        MessageGone: the earlier message or its channel is no longer there.
        ChannelError: refused; `Retryable` with `unknown` when the answer cannot be read.
    """
    outcome_of(response, context.now)
    answer = read_json(response, _Answer) if response.status == 200 else None
    if answer is None:
        raise unreadable("Slack", response, context.attempt)
    if answer.ok:
        return Posted(answer.channel, answer.ts)
    if to_earlier and answer.error in _NOT_THERE:
        raise MessageGone
    raise _refusal(answer.error, retry_after(response, context.now))


def accepted(response: Response, context: Context) -> None:
    """Reads an incoming webhook's answer: status 200 and the text `ok`.

    Raises:
        ChannelError: refused; the detail names Slack's error word.
    """
    word = _word(response.body.decode("utf-8", "replace").strip())
    try:
        outcome_of(response, context.now)
    except (Permanent, Refused) as error:
        raise type(error)(error.reason, f"{error.detail}, {word}" if word else error.detail) from error
    if response.status != 200 or word != "ok":
        raise unreadable("Slack", response, context.attempt)


def _refusal(error: str, seconds: float | None) -> ChannelError:
    word = _word(error) or "an unreadable error"
    if error in _RETRY:
        return Retryable(_RETRY[error], f"Slack said {word}", retry_after=seconds)
    if error in _UNAUTHORIZED:
        return Refused(FailureReason.UNAUTHORIZED, f"Slack said {word}: the token does not serve")
    if error in _NO_DESTINATION:
        return Refused(FailureReason.DESTINATION_GONE, f"Slack said {word}: is the app a member of the channel?")
    reason = FailureReason.TOO_LARGE if error in _TOO_LARGE else FailureReason.CONTENT_REFUSED
    return Permanent(reason, f"Slack said {word}")


def _word(text: str) -> str:
    """An error word as Slack has them; anything else may be hostile and is not repeated."""
    return text if _WORD.fullmatch(text) else ""
