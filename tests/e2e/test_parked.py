"""What is parked comes back by itself when its channel or its secret does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.e2e.outbound import here, keyring, received
from tests.simulators.webhook import WebhookReceiver

SEALED = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
secrets: {keyring: keyring.json, public_keys: public.json}
fallback: desk
channels:
  chat: {type: webhook, url: "CHAT/", bearer: "SEALED"}
  desk: {type: webhook, url: "DESK/"}
route: {receiver: chat, group_by: [alertname], group_wait: 0s}
"""
PLAIN = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
rehome_after: 5m
channels:
  chat: {type: webhook, url: "CHAT/"}
  desk: {type: webhook, url: "DESK/"}
route: {receiver: desk, group_by: [alertname], group_wait: 0s, routes: [{receiver: ROUTED, matchers: ['team="chat"'], group_wait: 0s}]}
"""
WITHOUT_CHAT = PLAIN.replace('  chat: {type: webhook, url: "CHAT/"}\n', "").replace("ROUTED", "desk")


async def test_what_a_lost_key_parked_is_sent_when_the_keyring_is_back(tmp_path: Path) -> None:
    async with WebhookReceiver() as chat, WebhookReceiver() as desk:
        text = SEALED.replace("CHAT", chat.url).replace("DESK", desk.url)
        sealed = await asyncio.to_thread(seal, tmp_path, text)
        keys = tmp_path / "keyring.json"
        async with here(tmp_path, text.replace("SEALED", sealed)) as bridge:
            good = keys.read_bytes()
            keys.unlink()
            await asyncio.to_thread(bridge.process.command, "secrets", "keygen")
            assert keys.read_bytes() != good
            await bridge.reload(text.replace("SEALED", sealed))
            await bridge.post(["One", "Two"])
            await bridge.until(lambda: bridge.count("parked") == 2)
            assert received(chat) == {}

            keys.write_bytes(good)
            await bridge.reload(text.replace("SEALED", sealed))
            await bridge.at_rest()

            assert received(chat) == {"firing One": 1, "firing Two": 1}
            assert bridge.count("parked", "dead") == 0
            assert len(await bridge.audit("unparked")) == 2
            await bridge.verified()


def seal(folder: Path, text: str) -> str:
    """A keyring, and a token sealed with it for the channel `chat`."""
    ran = keyring(folder, text).command(
        "secrets", "seal", "--for", "channels/chat/bearer", stdin="test-key-of-the-chat"
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip().splitlines()[-1]


async def test_what_a_missing_channel_parked_is_sent_when_the_channel_is_back_in_time(tmp_path: Path) -> None:
    async with WebhookReceiver() as chat, WebhookReceiver() as desk:
        with_chat = PLAIN.replace("CHAT", chat.url).replace("DESK", desk.url).replace("ROUTED", "chat")
        without = WITHOUT_CHAT.replace("DESK", desk.url)
        async with here(tmp_path, with_chat) as bridge:
            chat.always(503)
            await bridge.post(["One", "Two"], team="chat")
            await bridge.until(lambda: len(chat.requests) >= 2)
            await bridge.reload(without)
            await bridge.until(lambda: bridge.count("parked") == 2)
            await bridge.post(["Two"], "resolved", team="chat")
            chat.behave()
            assert received(chat) == {}

            await bridge.reload(with_chat)
            await bridge.at_rest()

            assert received(chat) == {"firing One": 1, "resolved Two": 1}
            assert received(desk) == {}
            assert bridge.count("parked", "dead") == 0
            await bridge.verified()


async def test_what_is_parked_is_sent_after_a_restart_that_brings_its_channel_back(tmp_path: Path) -> None:
    async with WebhookReceiver() as chat, WebhookReceiver() as desk:
        with_chat = PLAIN.replace("CHAT", chat.url).replace("DESK", desk.url).replace("ROUTED", "chat")
        async with here(tmp_path, with_chat) as bridge:
            chat.always(503)
            await bridge.post(["One"], team="chat")
            await bridge.until(lambda: chat.requests)
            await bridge.reload(WITHOUT_CHAT.replace("DESK", desk.url))
            await bridge.until(lambda: bridge.count("parked") == 1)
            chat.behave()
            bridge.process.kill()
            main = tmp_path / "routes" / "main.yml"
            main.write_text(with_chat.replace("PORT", str(bridge.process.port)))

            await asyncio.to_thread(bridge.process.start)
            await bridge.at_rest()

            assert received(chat) == {"firing One": 1}
            await bridge.verified()
