"""Every way in which a channel can fail, all at once: each slows only itself, is announced once over another channel, and
catches up by itself.

The oracle is outside: what got a 2xx, and what each receiver saw.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.faults.witness import Town, Witness, dripping_header, garbage, reset, status, town, witnesses_of
from tests.running_bridge import eventually
from tests.tcp_proxy import Link, TcpProxy, proxy_to
from tests.unit.net.certificates import Authority

ANSWERS = {"garbage": garbage, "drip": dripping_header, "reset": reset, "five": lambda: status(503)}
NETWORKS = ("hole", "nobody", "cut_request", "cut_answer")
SECURE = ("stalled", "expired", "misnamed")
BAD = (*ANSWERS, *NETWORKS, *SECURE)
GOOD = ("home", "good", "fine")
ONCE = tuple(name for name in BAD if name != "cut_answer")
"""The channels whose receiver cannot have heard what the bridge believes unheard."""


def config(folder: Path) -> str:
    lines = [f"  {name}: {{type: webhook, url: '<{name}>/', timeout: 1s, max_in_flight: 4}}" for name in (*GOOD, *BAD)]
    return (
        f"http: {{ca_file: {folder / 'ca.pem'}}}\nfallback: home\nchannels:\n" + "\n".join(lines)
        + f"\nreceivers: {{all: [good, fine, {', '.join(BAD)}]}}\nroute: {{receiver: all}}\n"
    )  # fmt: skip


def cut_request(link: Link, from_client: bool, data: bytes) -> bytes | None:
    if not from_client:
        return data
    link.reset()
    return None


def cut_answer(link: Link, from_client: bool, data: bytes) -> bytes | None:
    if from_client:
        return data
    link.reset()
    return None


class Unreachable:
    """A port at which connections are neither taken nor refused: its queue is full."""

    def __init__(self, port: int) -> None:
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", port))
        self._listening.listen(0)
        self._queued = [socket.socket() for _ in range(4)]
        for one in self._queued:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))

    def close(self) -> None:
        for one in (*self._queued, self._listening):
            one.close()


class Weather:
    """What lies between the bridge and its receivers: proxies that can be broken and mended."""

    def __init__(
        self, witnesses: dict[str, Witness], proxies: dict[str, TcpProxy], certified: dict[str, tuple[int, int]]
    ) -> None:
        self._witnesses = witnesses
        self._proxies = proxies
        self._certified = certified
        self._nobody: Unreachable | None = None

    async def turn_bad(self) -> None:
        for name, act in ANSWERS.items():
            self._witnesses[name].badly(act())
        proxies = self._proxies
        proxies["hole"].blackhole()
        proxies["cut_request"].watch = cut_request
        proxies["cut_answer"].watch = cut_answer
        proxies["stalled"].pause()
        for name in ("expired", "misnamed"):
            proxies[name].retarget("127.0.0.1", self._certified[name][1])
            proxies[name].reset()
        await proxies["nobody"].stop()
        self._nobody = Unreachable(proxies["nobody"].port)

    async def clear(self) -> None:
        for name in ANSWERS:
            self._witnesses[name].behave()
        for name, proxy in self._proxies.items():
            proxy.watch = None
            proxy.resume()
            if name in SECURE:
                proxy.retarget("127.0.0.1", self._certified[name][0])
                proxy.reset()
        if self._nobody is not None:
            self._nobody.close()
            await self._proxies["nobody"].start(self._proxies["nobody"].port)


@asynccontextmanager
async def weather(folder: Path) -> AsyncIterator[tuple[Weather, Town]]:
    """A bridge with every channel, and what lies between. Fair at first."""
    authority = Authority(folder)
    good = authority.issue("127.0.0.1")
    bad = {
        "stalled": good,
        "expired": authority.issue("127.0.0.1", expired=True),
        "misnamed": authority.issue("other.example.com"),
    }
    async with AsyncExitStack() as stack:
        witnesses = await stack.enter_async_context(witnesses_of(*GOOD, *BAD))
        certified = {
            name: (await witnesses[name].listen_with(good), await witnesses[name].listen_with(bad[name]))
            for name in SECURE
        }
        proxies = {}
        for name in NETWORKS:
            proxies[name] = await stack.enter_async_context(proxy_to("127.0.0.1", witnesses[name].port))
        for name in SECURE:
            proxies[name] = await stack.enter_async_context(proxy_to("127.0.0.1", certified[name][0]))
        urls = {name: f"http://127.0.0.1:{proxies[name].port}" for name in NETWORKS}
        urls |= {name: f"https://127.0.0.1:{proxies[name].port}" for name in SECURE}
        place = await stack.enter_async_context(town(folder, config(folder), witnesses, **urls))
        yield Weather(witnesses, proxies, certified), place


def notices(place: Town, channel: str, words: str) -> int:
    return sum(f"channel {channel} {words}" in text for text in place.at["home"].notices)


async def test_each_bad_channel_slows_only_itself_is_announced_once_and_catches_up(tmp_path: Path) -> None:
    async with weather(tmp_path) as (sky, place):
        told, staying, passing = ([f"{kind}{number}" for number in range(8)] for kind in ("Told", "Staying", "Passing"))
        await place.storm(told)
        await place.all_at("good", "fine", *BAD)

        await sky.turn_bad()
        await place.storm([*staying, *passing])
        await place.storm([*told, *passing], "resolved")
        await place.all_at("good", "fine")
        number = 0
        while any(not notices(place, name, "does not take messages") for name in BAD):
            number += 1
            assert number < 120, place.at["home"].notices
            await place.post(f"Later{number}")
            await asyncio.sleep(0.5)
        await place.all_at("good", "fine")

        await sky.clear()
        await place.all_at(*BAD, within=150)
        await eventually(lambda: all(notices(place, name, "takes messages again") for name in BAD))

        for name in ("good", "fine"):
            assert max(place.at[name].copies().values()) == 1
        for name in (*BAD, "good", "fine"):
            assert place.at[name].disorder() == []
        for name in BAD:
            assert notices(place, name, "does not take messages") == 1, name
        for name in ONCE:  # of an incident that came and went meanwhile they hear once, that it is over
            copies = place.at[name].copies()
            assert max(copies.values()) == 1, name
            assert all(copies[passed, "firing"] == 0 for passed in passing), name
        assert not place.at["home"].heard  # nothing died
