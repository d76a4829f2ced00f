"""Buttons pressed in Slack: signed interactive payloads, and what is said to who pressed.

Source: Slack's pages on verifying requests, interaction payloads and `response_url`. Slack has one address for a whole app, so
any channel of the app hears of every button; a button's value is a token that says the incident.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

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
from bridge.channels.slack_blocks import PREFIX, escape
from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.domain.secret import Secret
from bridge.net import HttpClient, outcome_of

_DEEDS = frozenset(f"{PREFIX}{deed.value}" for deed in Deed)
_RESPONDS = (".slack.com", ".slack-gov.com")


class _User(Struct, frozen=True):
    id: str
    name: str = ""
    username: str = ""


class _Pressed(Struct, frozen=True):
    action_id: str
    action_ts: str = ""
    value: str = ""


class _Payload(Struct, frozen=True):
    type: str
    user: _User | None = None
    actions: tuple[_Pressed, ...] = ()
    response_url: str = ""


class SlackEar:
    """Hears for one channel. `public` says everybody there what was done, where no message can be edited for it.

    `home` replaces Slack's own hosts in the addresses that replies may go to.
    """

    via = Via.SLACK
    accounts = "slack"

    def __init__(self, signing_secret: Secret, *, strangers: bool, public: bool, home: str = "") -> None:
        self.strangers = strangers
        self._secret = signing_secret
        self._public = public
        self._home = home

    def hear(self, request: CallbackRequest) -> Heard:
        self._prove(request)
        payload = _payload(request.body)
        if payload.type != "block_actions" or payload.user is None:
            return Heard()
        user = payload.user
        asks = tuple(
            Ask(
                key=f"{pressed.action_ts} {user.id} {pressed.action_id} {pressed.value}",
                account=user.id,
                shown=user.name or user.username,
                token=pressed.value or "-",
            )
            for pressed in payload.actions
            if pressed.action_id in _DEEDS
        )
        return Heard(asks, {"response_url": payload.response_url})

    def answer(self, _heard: Heard, _done: Sequence[Done]) -> CallbackAnswer:
        """Empty: Slack would show anything else as an error."""
        return CallbackAnswer()

    async def reply(self, heard: Heard, done: Sequence[Done], http: HttpClient) -> None:
        """Say it to who pressed, or to everybody where it is news and the message stays as it is."""
        url = heard.data.get("response_url", "")
        if not self._may_reply_to(url):
            return
        for each in done:
            if (body := self._words(each)) is not None:
                headers = {"Content-Type": "application/json; charset=utf-8"}
                outcome_of(await http.request("POST", Secret(url), body=msgspec.json.encode(body), headers=headers))

    def _words(self, done: Done) -> Mapping[str, object] | None:
        if not done.text or (done.changed and not self._public):
            return None
        seen_by = "in_channel" if done.changed else "ephemeral"
        return {"response_type": seen_by, "replace_original": False, "text": escape(done.text)}

    def _prove(self, request: CallbackRequest) -> None:
        timestamp = request.header("X-Slack-Request-Timestamp")
        base = b"v0:" + timestamp.encode("utf-8", "surrogateescape") + b":" + request.body
        expected = f"v0={hmac.digest(self._secret.reveal().encode(), base, 'sha256').hex()}"
        proven = is_same(request.header("X-Slack-Signature"), expected)
        if not proven or not is_fresh(timestamp, request.now):
            raise Forged("not signed by Slack, or too old")

    def _may_reply_to(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            home = urlsplit(self._home)
        except ValueError:
            return False
        if self._home:
            return (parts.scheme, parts.netloc) == (home.scheme, home.netloc)
        return parts.scheme == "https" and f".{parts.hostname or ''}".endswith(_RESPONDS) and parts.port in {None, 443}


def _payload(body: bytes) -> _Payload:
    """The payload of a form of one field.

    Raises:
        Unreadable: it is none.
    """
    try:
        fields = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10, errors="strict")
        (text,) = fields["payload"]
        return msgspec.json.decode(text.encode(), type=_Payload)
    except (KeyError, ValueError, RecursionError) as error:
        raise Unreadable("no interactive payload of Slack") from error
