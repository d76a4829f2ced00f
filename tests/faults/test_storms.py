"""A flood of unique alerts, with a storm configured: people read a handful of messages, machines get everything.

The oracle is outside: what got a 2xx, and what each receiver saw. The bridge is killed in the middle of it. STORM=N
scales the run.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.faults.test_overload import memory
from tests.faults.witness import Town, town, witnesses_of
from tests.running_bridge import eventually
from tests.simulators.slack import SlackWebhook

STORM = int(os.environ.get("STORM", "600"))
ALLOWED = 20
CONFIG = """
secrets: {allow_plaintext: true}
sources: {default: {storm: {new_incidents: ALLOWED, per: 5s}}}
fallback: home
channels:
  home: {type: webhook, url: "<home>/"}
  machine: {type: webhook, url: "<machine>/"}
  chat: {type: slack, webhook_url: "<chat>", max_in_flight: 8}
receivers: {all: [machine, chat]}
route: {receiver: all}
"""
COUNT = re.compile(r"(\d+) (?:new )?incidents? from default")


def titles(chat: SlackWebhook) -> list[str]:
    """The first line of each message that people read."""
    return [told.text.strip().splitlines()[0] for told in chat.told()]


async def insist(place: Town, name: str, status: str = "firing") -> None:
    """Post until it is accepted, as Alertmanager does."""
    try:
        if await place.post(name, status) == 200:
            return
    except (aiohttp.ClientError, OSError):
        pass
    await asyncio.sleep(0.1)
    await insist(place, name, status)


async def flood(place: Town, names: list[str], status: str = "firing") -> None:
    waiting = list(reversed(names))

    async def poster() -> None:
        while waiting:
            await insist(place, waiting.pop(), status)

    await asyncio.gather(*(poster() for _ in range(16)))


@pytest.mark.parametrize("killed", [False, True])
async def test_people_read_a_handful_of_messages_and_machines_get_everything(tmp_path: Path, killed: bool) -> None:
    async with SlackWebhook() as chat, witnesses_of("home", "machine") as at:
        config = CONFIG.replace("ALLOWED", str(ALLOWED)).replace(
            "<chat>", chat.url + chat.path + "slack-canary-webhook"
        )
        async with town(tmp_path, config, at) as place:
            names = [f"Alert{number}" for number in range(STORM)]
            began = time.monotonic()
            flooding = asyncio.create_task(flood(place, names))
            if killed:
                await eventually(lambda: len(place.accepted) > STORM // 2, within=120)
                await asyncio.to_thread(place.bridge.kill)
                await asyncio.to_thread(place.bridge.start)
            await flooding
            await place.all_at("machine", within=60 + STORM / 20)
            took = time.monotonic() - began
            await eventually(lambda: any("Storm over" in title for title in titles(chat)), within=60)
            while_it_lasted = titles(chat)
            singles = [title for title in while_it_lasted if "Storm" not in title]
            most = memory(place, "VmHWM")

            await flood(place, names, "resolved")
            await place.all_at("machine", within=60 + STORM / 20)
            await eventually(lambda: any("Storm past" in title for title in titles(chat)), within=120)

            told = titles(chat)
            past = next(title for title in told if "Storm past" in title)
            together = int(COUNT.search(past)[1])  # type: ignore[index]
            sys.stderr.write(
                f"{STORM} unique alerts in {took:.0f} s{', killed once' if killed else ''}: {len(singles)} told singly,"
                f" {together} together in {len(told) - 2 * len(singles)} digests; at most {most} MiB\n"
            )
            doubled = 8 if killed else 0  # what was under way at the kill
            assert len(singles) <= ALLOWED + 8 + doubled
            assert len(while_it_lasted) - len(singles) <= 3 + took / 5
            assert together + len(set(singles)) == STORM
            assert len(told) <= len(while_it_lasted) + len(singles) + 8
            assert at["machine"].names == set(names)
            assert max(at["machine"].copies().values()) <= (2 if killed else 1)
            assert at["machine"].disorder() == []
            assert not at["home"].heard
