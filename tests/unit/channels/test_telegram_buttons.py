"""A button in Telegram counts by the secret token alone, and who pressed it hears what came of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from bridge.channels.callbacks import Ask, CallbackRequest, Done, Forged, Unreadable
from bridge.channels.telegram import TelegramChannel, TelegramOptions
from bridge.channels.telegram_buttons import TelegramEar
from bridge.domain.errors import ChannelError
from bridge.net import HttpClient
from tests.contract.channels.leaks import assert_no_secret
from tests.simulators.telegram import CHAT, TOKEN, Telegram

SECRET = "canary-secret_token-AZ09"
PROOF = ("X-Telegram-Bot-Api-Secret-Token", SECRET)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXAMPLE = {
    "update_id": 1001,
    "callback_query": {
        "id": "4382bfdwdsb323b2d9",
        "from": {"id": 1111, "is_bot": False, "first_name": "Alice", "username": "alice"},
        "message": {
            "message_id": 77,
            "date": 1_700_000_000,
            "chat": {"id": CHAT, "type": "supergroup"},
            "text": "HighCPU",
        },
        "chat_instance": "-3",
        "data": "ack:g1",
    },
}


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as service:
        yield service


def ear(url: str = "http://127.0.0.1:1") -> TelegramEar:
    options = {"type": "telegram", "token": TOKEN, "chat_id": CHAT, "url": url, "secret_token": SECRET}
    callback = TelegramChannel("team", TelegramOptions.model_validate(options)).callback
    assert callback is not None
    return callback


def update(body: object = EXAMPLE, *headers: tuple[str, str]) -> CallbackRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CallbackRequest("https://alerts.example.org/callbacks/team", raw, headers or (PROOF,), NOW)


def changed(**more: object) -> dict[str, object]:
    return {**EXAMPLE, "callback_query": {**EXAMPLE["callback_query"], **more}}  # type: ignore[dict-item]


def done(text: str, *, changed: bool = True) -> Done:
    return Done(Ask("key", "1111"), changed, text)


def test_a_channel_without_the_secret_token_hears_nothing() -> None:
    options = {"type": "telegram", "token": TOKEN, "chat_id": CHAT}
    assert TelegramChannel("team", TelegramOptions.model_validate(options)).callback is None


class TestHearing:
    def test_a_button_asks_what_it_holds_in_the_name_of_who_pressed_it(self) -> None:
        heard = ear().hear(update())
        assert heard.asks == (Ask("update 1001", "1111", "alice", token="ack:g1"),)

    @pytest.mark.parametrize(
        ("sender", "shown"),
        [
            ({"id": 5, "first_name": "Eve", "last_name": "Ö"}, "Eve Ö"),
            ({"id": 5, "first_name": "Eve"}, "Eve"),
            ({"id": 5}, ""),
        ],
    )
    def test_who_has_no_username_is_called_by_the_name(self, sender: dict[str, object], shown: str) -> None:
        (ask,) = ear().hear(update(changed(**{"from": sender}))).asks
        assert (ask.account, ask.shown) == ("5", shown)

    @pytest.mark.parametrize(
        "headers",
        [
            (("X-Other", "1"),),
            ((PROOF[0], ""),),
            ((PROOF[0], SECRET[:-1]),),
            ((PROOF[0], f"{SECRET}x"),),
            ((PROOF[0], SECRET.upper()),),
            ((PROOF[0], "é"),),
            (PROOF, PROOF),
            ((PROOF[0], "wrong"), PROOF),
        ],
    )
    def test_without_the_secret_token_it_is_forged(self, headers: tuple[tuple[str, str], ...]) -> None:
        with pytest.raises(Forged) as caught:
            ear().hear(update(EXAMPLE, *headers))
        assert_no_secret((SECRET, TOKEN), caught.value)

    def test_the_proof_is_looked_at_before_the_body(self) -> None:
        with pytest.raises(Forged):
            ear().hear(update(b"\x00", ("X-Other", "1")))

    @pytest.mark.parametrize(
        "other",
        [
            {"update_id": 7, "message": {"message_id": 1, "text": "/ack"}},
            {"update_id": 7, "my_chat_member": {}},
            changed(data=""),
            {"update_id": 7, "callback_query": {"id": "1", "from": {"id": 1}, "game_short_name": "chess"}},
        ],
    )
    def test_other_updates_are_taken_and_nothing_is_done(self, other: object) -> None:
        assert ear().hear(update(other)).asks == ()

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, changed(**{"from": {"id": "x"}}), {"update_id": "7"}]
    )
    def test_what_is_no_update_is_unreadable(self, body: object) -> None:
        with pytest.raises(Unreadable):
            ear().hear(update(body))


class TestAnsweringWhoPressed:
    async def test_what_was_done_is_shown_over_the_chat(self, telegram: Telegram, http: HttpClient) -> None:
        heard = ear().hear(update(telegram.pressed("x")))
        await ear(telegram.url).reply(heard, [done("HighCPU: acknowledged by alice.")], http)
        (toast,) = telegram.toasts.values()
        assert (toast["text"], toast.get("show_alert")) == ("HighCPU: acknowledged by alice.", None)

    async def test_where_nothing_was_done_it_has_to_be_closed(self, telegram: Telegram, http: HttpClient) -> None:
        heard = ear().hear(update(telegram.pressed("x")))
        await ear(telegram.url).reply(heard, [done("Nothing was done: bob has it.", changed=False)], http)
        (toast,) = telegram.toasts.values()
        assert toast["show_alert"] is True

    async def test_a_repetition_only_lets_the_button_rest(self, telegram: Telegram, http: HttpClient) -> None:
        heard = ear().hear(update(telegram.pressed("x")))
        await ear(telegram.url).reply(heard, [done("", changed=False)], http)
        (toast,) = telegram.toasts.values()
        assert set(toast) == {"callback_query_id"}

    async def test_a_long_answer_is_cut_to_what_telegram_shows(self, telegram: Telegram, http: HttpClient) -> None:
        heard = ear().hear(update(telegram.pressed("x")))
        await ear(telegram.url).reply(heard, [done("ü" * 500)], http)
        (toast,) = telegram.toasts.values()
        assert len(toast["text"]) == 200

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, json.dumps({"ok": False, "error_code": 400, "description": f"too old {TOKEN} {SECRET}"})),
            (200, json.dumps({"ok": False, "description": f"{TOKEN}"})),
            (200, "<html>"),
            (502, TOKEN),
        ],
    )
    async def test_a_refusal_is_told_without_credentials(
        self, telegram: Telegram, http: HttpClient, status: int, body: str
    ) -> None:
        telegram.next(status, body)
        with pytest.raises(ChannelError) as caught:
            await ear(telegram.url).reply(ear().hear(update()), [done("x")], http)
        assert_no_secret((SECRET, TOKEN), caught.value)
