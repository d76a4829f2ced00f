"""Buttons in Slack: only Slack itself is heard, and who pressed is told what he has to know."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.channels.callbacks import Ask, CallbackRequest, Done, Forged, Unreadable
from bridge.channels.slack import SlackChannel, SlackOptions
from bridge.channels.slack_blocks import content
from bridge.channels.slack_callback import SlackEar
from bridge.domain.deed import Deed
from bridge.domain.message import Action
from bridge.domain.secret import Secret
from bridge.net import Egress, HttpClient
from tests.contract.channels.messages import message, resolved
from tests.simulators.server import Answer, Recorded, Simulator
from tests.simulators.slack import fault_of

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EAR = SlackEar(Secret(SECRET), strangers=True, public=False)
TOKEN = "T" * 54


def payload(**changed: Any) -> dict[str, Any]:
    """As in Slack's reference of `block_actions`."""
    pressed = {
        "action_id": "alertbridge.acknowledge", "block_id": "b1", "value": TOKEN, "type": "button",
        "text": {"type": "plain_text", "text": "Acknowledge"}, "action_ts": "1700000010.000000",
    }  # fmt: skip
    whole = {
        "type": "block_actions", "user": {"id": "U0AAAAAAA", "username": "alice", "name": "alice", "team_id": "T0AAAAAAA"},
        "api_app_id": "A0AAAAAAA", "token": "deprecated", "container": {"type": "message"}, "trigger_id": "1.2.abc",
        "response_url": "https://hooks.slack.com/actions/T0AAAAAAA/1/x", "actions": [pressed],
    }  # fmt: skip
    return {**whole, **changed}


def request(
    body: bytes, *, at: datetime = NOW, secret: str = SECRET, version: str = "v0", **headers: str
) -> CallbackRequest:
    timestamp = str(int(at.timestamp()))
    mac = hmac.digest(secret.encode(), version.encode() + b":" + timestamp.encode() + b":" + body, "sha256").hex()
    signed = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"{version}={mac}", **headers}
    return CallbackRequest("https://x.example/callbacks/slack", body, tuple(signed.items()), NOW)


def form(document: object) -> bytes:
    return f"payload={quote_plus(json.dumps(document))}".encode()


def test_a_button_that_was_pressed_is_heard() -> None:
    (ask,) = EAR.hear(request(form(payload()))).asks
    assert (ask.account, ask.shown, ask.token) == ("U0AAAAAAA", "alice", TOKEN)


def test_slacks_own_vector_holds() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14"
        b"d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    when = datetime.fromtimestamp(1531420618, UTC) + timedelta(seconds=299)
    vector = CallbackRequest("", body, tuple(headers.items()), when)
    with pytest.raises(Unreadable, match="no interactive payload"):
        EAR.hear(vector)
    with pytest.raises(Forged):
        EAR.hear(replace(vector, body=body[:-1] + b"d"))
    with pytest.raises(Forged):
        EAR.hear(replace(vector, now=when + timedelta(seconds=2)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"version": "v1"},
        {"at": NOW - timedelta(seconds=301)},
        {"at": NOW + timedelta(seconds=301)},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0="},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "\udcff"},
    ],
)
def test_what_slack_did_not_sign_just_now_is_not_heard(wrong: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        EAR.hear(request(form(payload()), **wrong))


def test_a_signature_covers_every_byte() -> None:
    right = request(form(payload()))
    for place in range(len(right.body)):
        changed = bytearray(right.body)
        changed[place] ^= 1
        with pytest.raises(Forged):
            EAR.hear(replace(right, body=bytes(changed)))


def test_a_signature_that_is_there_twice_proves_nothing() -> None:
    right = request(form(payload()))
    with pytest.raises(Forged):
        EAR.hear(replace(right, headers=(*right.headers, ("x-slack-signature", right.header("X-Slack-Signature")))))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"payload=", b"payload={}", b"payload=[1]", b"payload=%ff", b"\xff", b"payload={&payload={", b"{}", b"a=1",
        b"payload=" + b"[" * 100_000, form({"type": 1}), form(payload(user={"id": 7})), form(payload(actions={})),
    ],
)  # fmt: skip
def test_what_slack_never_sends_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        EAR.hear(request(body))


@given(st.binary(max_size=300))
def test_no_body_breaks_it(body: bytes) -> None:
    with pytest.raises(Unreadable):
        EAR.hear(request(body))


@pytest.mark.parametrize(
    "other",
    [
        {"type": "view_submission"}, {"type": "shortcut", "actions": []}, {"user": None}, {"actions": []},
        {"actions": [{"action_id": "deploy", "value": TOKEN}]},
    ],
)  # fmt: skip
def test_what_is_not_for_us_is_let_be(other: dict[str, Any]) -> None:
    assert EAR.hear(request(form(payload(**other)))).asks == ()


def test_the_same_press_has_one_key_and_every_other_another() -> None:
    def key(user: str = "U1", at: str = "1.0", action: str = "alertbridge.resolve", value: str = TOKEN) -> str:
        pressed = {"action_id": action, "action_ts": at, "value": value}
        return EAR.hear(request(form(payload(user={"id": user}, actions=[pressed])))).asks[0].key

    keys = {key(), key(), key("U2"), key(at="1.1"), key(action="alertbridge.snooze"), key(value="x")}
    assert len(keys) == 5


class Responder(Simulator):
    def answer(self, _request: Recorded) -> Answer:
        return Answer(200, b"ok")


@pytest.fixture
async def service() -> AsyncIterator[Responder]:
    async with Responder() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()


ASK = Ask("k", "U1")
NEWS, NOTHING, AGAIN = Done(ASK, True, "<Down>: acknowledged"), Done(ASK, False, "bob has it"), Done(ASK, False, "")


@pytest.mark.parametrize(
    ("public", "said"),
    [
        (False, [{"response_type": "ephemeral", "replace_original": False, "text": "bob has it"}]),
        (
            True,
            [
                {"response_type": "in_channel", "replace_original": False, "text": "&lt;Down&gt;: acknowledged"},
                {"response_type": "ephemeral", "replace_original": False, "text": "bob has it"},
            ],
        ),
    ],
)
async def test_who_pressed_is_told_what_the_message_will_not_say(
    service: Responder, http: HttpClient, public: bool, said: list[dict[str, Any]]
) -> None:
    ear = SlackEar(Secret(SECRET), strangers=True, public=public, home=service.url)
    heard = ear.hear(request(form(payload(response_url=f"{service.url}/actions/1"))))
    await ear.reply(heard, [NEWS, NOTHING, AGAIN], http)
    assert [json.loads(each.body) for each in service.requests] == said
    assert ear.answer(heard, [NEWS]).body == b""


@pytest.mark.parametrize(
    "url",
    [
        "", "http://hooks.slack.com/x", "https://evilslack.com/x", "https://hooks.slack.com.evil.example/x", "file:///etc/passwd",
        "https://hooks.slack.com@evil.example/", "https://[::1/", "https://hooks.slack.com:8443/x", "https://127.0.0.1/",
    ],
)  # fmt: skip
async def test_replies_go_to_slack_alone(http: HttpClient, url: str) -> None:
    heard = EAR.hear(request(form(payload(response_url=url))))
    assert not EAR._may_reply_to(url)
    await EAR.reply(heard, [NOTHING], http)


def test_slacks_own_addresses_are_replied_to() -> None:
    assert EAR._may_reply_to("https://hooks.slack.com/actions/T0/1/x")
    assert EAR._may_reply_to("https://hooks.slack-gov.com/actions/T0/1/x")


ACTIONS = tuple(
    Action(deed, deed.value.title(), deed.value[0] * 54, f"https://x.example/a/{deed.value[0] * 54}")
    for deed in (Deed.ACKNOWLEDGE, Deed.SNOOZE, Deed.RESOLVE)
)


def blocks_of(*, buttons: bool, actions: tuple[Action, ...] = ACTIONS) -> str:

    shown = msgspec.json.encode(content(replace(message(), actions=actions), buttons=buttons))
    assert fault_of(json.loads(shown)) == ""
    return shown.decode()


def test_with_a_secret_there_are_buttons_and_without_one_links() -> None:
    pressed, followed = blocks_of(buttons=True), blocks_of(buttons=False)
    assert ('"value":"' + "a" * 54 in pressed, "/a/" in pressed) == (True, False)
    assert ('"type":"actions"' in followed, f"<https://x.example/a/{'a' * 54}|Acknowledge>" in followed) == (
        False,
        True,
    )


def test_what_is_over_has_neither() -> None:
    over = content(resolved(), buttons=True)
    assert over == content(resolved())


def test_only_a_channel_with_a_secret_hears() -> None:
    def channel(**options: object) -> SlackChannel:
        given_ = {"type": "slack", "token": "t", "channel": "C1", **options}
        return SlackChannel("slack", SlackOptions.model_validate(given_))

    assert channel().callback is None
    heard = channel(signing_secret=SECRET, strangers=False).callback
    assert heard is not None
    assert (heard.strangers, heard.via.value, heard.accounts) == (False, "slack", "slack")
