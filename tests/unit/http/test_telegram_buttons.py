"""A button pressed in Telegram acts, is answered over the chat, and the message shows what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.app.bridge import Bridge
from tests.simulators.telegram import CHAT, TOKEN, Posted, Telegram, told_of
from tests.unit.http.outside import THROUGH_A_PROXY, open_incident, outside_bridge, state
from tests.unit.http.real import port_of

MAIN = """
server: {{listen: "127.0.0.1:0", external_url: "https://alerts.example.org/bridge"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  team: {{type: telegram, token: "env:TELEGRAM", chat_id: CHAT, url: "URL", secret_token: "env:SECRET_TOKEN"}}
  strict: {{type: telegram, token: "env:TELEGRAM", chat_id: CHAT, url: "URL", secret_token: "env:SECRET_TOKEN", strangers: no}}
route: {{receiver: team}}
people:
  anna: {{accounts: {{telegram: "1111"}}}}
"""
REST = 'access: {tokens: [{name: ops, roles: [admin, ingest], token: "env:OPS_TOKEN"}]}'


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as service:
        yield service


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, telegram: Telegram) -> AsyncIterator[Bridge]:
    monkeypatch.setenv("TELEGRAM", TOKEN)
    monkeypatch.setenv("SECRET_TOKEN", "secret_token-1")
    main = MAIN.replace('"URL"', f'"{telegram.url}"').replace("CHAT", str(CHAT))
    async with outside_bridge(tmp_path, monkeypatch, main, REST) as running:
        yield running


async def until(holds: Callable[[], Any]) -> None:
    for _ in range(1200):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to that")


async def called(bridge: Bridge, telegram: Telegram) -> tuple[str, Posted]:
    """An open incident and its message."""
    incident = await open_incident(bridge)
    for _ in range(1200):
        if (await bridge.operator.incident(incident)).told:
            break
        await asyncio.sleep(0.05)
    (message,) = telegram.messages
    return incident, message


async def update(bridge: Bridge, body: bytes, secret: str = "secret_token-1", channel: str = "team") -> int:
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret, "Content-Type": "application/json", **THROUGH_A_PROXY}
    address = f"http://127.0.0.1:{port_of(bridge)}/bridge/callbacks/{channel}"
    async with aiohttp.ClientSession() as session, session.post(address, data=body, headers=headers) as answer:
        return answer.status


def labels(message: Posted) -> list[str]:
    return [button["text"] for row in message.markup.get("inline_keyboard", ()) for button in row]


async def test_who_presses_has_it_and_the_message_shows_it(bridge: Bridge, telegram: Telegram) -> None:
    incident, message = await called(bridge, telegram)
    assert labels(message) == ["Acknowledge", "Snooze 1h", "Resolve"]
    assert await update(bridge, telegram.press(message, "Acknowledge")) == 200
    assert await state(bridge, incident) == ("acknowledged", "anna")
    await until(lambda: message.edits and all(telegram.toasts.values()))
    (toast,) = telegram.toasts.values()
    assert toast["text"] == "Down: acknowledged by anna."
    assert "Acknowledged by anna" in told_of(message.body).text
    assert labels(message) == ["Give back", "Resolve"]
    assert await update(bridge, telegram.press(message, "Resolve")) == 200
    assert (await state(bridge, incident))[0] == "resolved"
    await until(lambda: message.edits == 2)
    assert labels(message) == []
    timeline = (await bridge.operator.incident(incident)).timeline
    assert '{"via":"telegram"}' in [entry.detail for entry in timeline if entry.kind == "acknowledged"]


async def test_what_telegram_says_again_is_not_done_again(bridge: Bridge, telegram: Telegram) -> None:
    incident, message = await called(bridge, telegram)
    pressed = telegram.press(message, "Acknowledge")
    assert await update(bridge, pressed) == 200
    await bridge.operator.unacknowledge(incident, "anna", bridge._clock.now())
    assert await update(bridge, pressed) == 200
    assert await state(bridge, incident) == ("open", None)


async def test_the_second_hears_who_was_first(bridge: Bridge, telegram: Telegram) -> None:
    incident, message = await called(bridge, telegram)
    first, second = telegram.press(message, "Acknowledge"), telegram.press(message, "Acknowledge", 2222, "bob")
    await update(bridge, first)
    await update(bridge, second)
    await until(lambda: all(telegram.toasts.values()))
    assert await state(bridge, incident) == ("acknowledged", "anna")
    assert list(telegram.toasts.values())[1]["text"] == "Nothing was done: acknowledged by anna already."
    assert list(telegram.toasts.values())[1]["show_alert"] is True


async def test_a_reader_whom_nobody_knows_acts_under_a_name_that_is_no_persons(
    bridge: Bridge, telegram: Telegram
) -> None:
    incident, message = await called(bridge, telegram)
    await update(bridge, telegram.press(message, "Acknowledge", 3333, "anna"))
    assert await state(bridge, incident) == ("acknowledged", "anna (telegram)")


async def test_where_strangers_may_not_act_nothing_is_done(bridge: Bridge, telegram: Telegram) -> None:
    incident, message = await called(bridge, telegram)
    await update(bridge, telegram.press(message, "Acknowledge", 3333), channel="strict")
    assert await state(bridge, incident) == ("open", None)
    await until(lambda: all(telegram.toasts.values()))
    assert "nothing was done" in next(iter(telegram.toasts.values()))["text"]
    await update(bridge, telegram.press(message, "Acknowledge"), channel="strict")
    assert await state(bridge, incident) == ("acknowledged", "anna")


async def test_a_button_that_was_made_up_does_nothing(bridge: Bridge, telegram: Telegram) -> None:
    incident, message = await called(bridge, telegram)
    data = message.markup["inline_keyboard"][0][0]["callback_data"]
    for forged in ("x", f"ack:{incident}", data[:-1] + ("A" if data[-1] != "A" else "B"), data.swapcase()):
        assert await update(bridge, telegram.pressed(forged)) == 200
    assert await state(bridge, incident) == ("open", None)
    await until(lambda: all(telegram.toasts.values()))
    assert {toast["text"] for toast in telegram.toasts.values()} == {
        "Nothing was done: this is not a link of this bridge."
    }


@pytest.mark.parametrize("secret", ["", "secret_token-2", "é"])
async def test_without_the_secret_token_nothing_is_done(bridge: Bridge, telegram: Telegram, secret: str) -> None:
    incident, message = await called(bridge, telegram)
    assert await update(bridge, telegram.press(message, "Acknowledge"), secret) == 401
    assert await state(bridge, incident) == ("open", None)
