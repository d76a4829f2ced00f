"""Dead letters, from the command line of a real bridge: they are listed, and replayed to a receiver that was mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.e2e.outbound import Here, here, keyring, received
from tests.simulators.webhook import WebhookReceiver

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "DATABASE"}
secrets: {keyring: keyring.json, public_keys: public.json}
channels:
  chat: {type: webhook, url: "CHAT/"}
  desk: {type: webhook, url: "DESK/"}
route:
  receiver: chat
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {name: desk, matchers: ['team="desk"'], receiver: desk}
"""
REPLAYED_AT_ONCE = 16
"""Of one channel: more cannot be under way when the bridge is killed."""
MANY = 2000


class Choked(WebhookReceiver):
    """Once `choked` it answers nothing but the news, and everything after that."""

    def __init__(self) -> None:
        super().__init__()
        self.choked = False
        self._free = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        news = b'"News"' in await request.read()
        if self.choked and not news:
            await self._free.wait()
        answer = await super()._handle(request)
        if news:
            self._free.set()
        return answer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str:
    """Where the bridge keeps what it has."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else "sqlite:bridge.db"


@asynccontextmanager
async def place(
    folder: Path, database: str = "sqlite:bridge.db"
) -> AsyncIterator[tuple[Here, Choked, WebhookReceiver]]:
    """A bridge and the two receivers that it tells."""
    async with Choked() as chat, WebhookReceiver() as desk, AsyncExitStack() as stack:
        text = CONFIG.replace("CHAT", chat.url).replace("DESK", desk.url).replace("DATABASE", database)
        await asyncio.to_thread(keyring, folder, text)
        yield await stack.enter_async_context(here(folder, text)), chat, desk


async def two_thousand_dead(bridge: Here, chat: WebhookReceiver) -> list[str]:
    """So many incidents, each with a letter that died; the receiver is mended then. Their names."""
    chat.always(400)
    names = [f"Alert{number}" for number in range(MANY)]
    for start in range(0, MANY, 250):
        await bridge.post(names[start : start + 250])
    await bridge.at_rest()
    chat.behave()
    return names


async def test_letters_that_died_are_listed_and_replayed_once_the_receiver_is_mended(
    tmp_path: Path, database: str
) -> None:
    async with place(tmp_path, database) as (bridge, chat, desk):
        chat.always(400)
        desk.always(400)
        await bridge.post(["DiskFull", "HighLoad", "Over"])
        await bridge.post(["Printer"], team="desk")
        await bridge.until(lambda: bridge.count("dead") == 4)
        await bridge.post(["Over"], "resolved")
        listed = await bridge.deliveries("list", "--state", "dead", "--channel", "chat", "--since", "1h")
        assert listed.returncode == 0
        assert listed.stdout.count("dead") == 3
        assert "Printer" not in listed.stdout
        assert (await bridge.deliveries("list", "--state", "dead", "--until", "1h", "--json")).stdout.count('"id"') == 0
        chat.behave()
        desk.behave()

        looked = await bridge.deliveries("replay", "--dry-run")
        assert looked.returncode == 0, looked.stderr
        assert "a replay would take 3 dead letters; nothing was changed" in looked.stdout
        assert "it is over, and nobody was told of it there" in looked.stdout
        assert bridge.count("dead") == 4

        ran = await bridge.deliveries("replay", "--yes")
        assert ran.returncode == 0, ran.stderr
        await bridge.at_rest()
        assert received(chat) == {"firing DiskFull": 1, "firing HighLoad": 1}
        assert received(desk) == {"firing Printer": 1}

        again = await bridge.replay("--yes")
        assert (again["channels"], [one["why"] for one in again["left_out"]]) == (
            [{"channel": "chat", "replayed": 0, "superseded": 0, "left_out": 1}],
            ["not_firing"],
        )
        await bridge.replay("--yes", "--all")
        await bridge.at_rest()
        assert received(chat)["resolved Over"] == 1
        assert bridge.count("dead") == 0
        await bridge.verified()


async def test_a_replay_asks_nobody_where_there_is_no_terminal(tmp_path: Path) -> None:
    async with place(tmp_path) as (bridge, _chat, _desk):
        ran = await bridge.deliveries("replay")
        assert ran.returncode == 2
        assert "--yes" in ran.stderr
        empty = await bridge.deliveries("replay", "--yes")
        assert (empty.returncode, empty.stdout) == (0, "there is nothing to replay\n")
        unknown = await bridge.deliveries("replay", "--yes", "--channel", "chta")
        assert unknown.returncode == 1
        assert "no such channel" in unknown.stderr


async def test_two_thousand_dead_letters_are_replayed_once_each_and_news_does_not_wait_for_them(tmp_path: Path) -> None:
    """What is replayed hangs, all of it that may be under way at once, until the news has come through."""
    async with place(tmp_path) as (bridge, chat, _desk):
        names = await two_thousand_dead(bridge, chat)

        replaying = asyncio.create_task(bridge.replay("--yes"))
        await bridge.until(lambda: len(chat.told()) > 100)
        chat.choked = True
        await bridge.post(["News"])
        done = await replaying
        await bridge.at_rest()

        assert done["channels"] == [{"channel": "chat", "replayed": MANY, "superseded": 0, "left_out": 0}]
        assert received(chat) == {f"firing {name}": 1 for name in [*names, "News"]}
        assert (await bridge.replay("--yes"))["channels"] == []
        await bridge.verified()


async def test_a_bridge_killed_in_the_middle_of_a_replay_loses_none_and_the_next_replay_takes_the_rest(
    tmp_path: Path, database: str
) -> None:
    async with place(tmp_path, database) as (bridge, chat, _desk):
        names = await two_thousand_dead(bridge, chat)

        replaying = asyncio.create_task(bridge.deliveries("replay", "--yes"))
        await bridge.until(lambda: len(chat.told()) > 300)
        bridge.process.kill()
        stopped = await replaying
        assert stopped.returncode == 3
        assert "run it again, nothing is replayed twice" in stopped.stderr
        assert len(chat.told()) < MANY

        await asyncio.to_thread(bridge.process.start)
        rest = await bridge.replay("--yes")
        await bridge.at_rest()

        assert 0 < rest["channels"][0]["replayed"] < MANY
        taken = received(chat)
        assert set(taken) == {f"firing {name}" for name in names}
        assert taken.total() - MANY <= REPLAYED_AT_ONCE
        keys = {request.headers["webhook-id"] for request in chat.requests[-taken.total() :]}
        assert len(keys) == MANY, "a message told twice has the same key, so that its receiver can tell"
        assert (await bridge.replay("--yes"))["channels"] == []
        await bridge.verified()
