"""Receivers that misbehave as channels do, and an oracle outside of the bridge: what it accepted, what each receiver took."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.faults.serving import bridge_of
from tests.running_bridge import BridgeProcess, eventually
from tests.simulators.server import Act, Answer, Recorded, Simulator, _plain, _raw, _reset

ROOT = Path(__file__).resolve().parents[2]
PLANTED = ""
"""The bug that is planted in the bridge, of `tests.faults.channel_bugs`."""
HEAD = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
log: {level: warning}
"""


class Witness(Simulator):
    """Takes Alertmanager's payload; `heard` is what it answered 2xx to: (the alert's name, the message's status)."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str]] = []
        self.notices: list[str] = []

    def answer(self, request: Recorded) -> Answer:
        payload = json.loads(request.body)
        name = payload["alerts"][0]["labels"]["alertname"]
        if name == "AlertbridgeNotice":
            self.notices.append(payload["alerts"][0]["annotations"]["summary"])
        else:
            self.heard.append((name, payload["status"]))
        return Answer()

    def badly(self, act: Act) -> None:
        """Every request is answered so until `behave`."""
        self._always = act

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.heard}

    @property
    def port(self) -> int:
        return self._port

    async def listen_with(self, certificate: Path) -> int:
        """Take requests over TLS too, with this certificate and key; the port."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        port: int = self._runner.addresses[-1][1]
        return port

    def copies(self) -> Counter[tuple[str, str]]:
        return Counter(self.heard)

    def disorder(self) -> list[str]:
        """The names of which a firing came after the resolve."""
        over: set[str] = set()
        wrong = []
        for name, status in self.heard:
            if status == "resolved":
                over.add(name)
            elif name in over:
                wrong.append(name)
        return wrong


def slowly(seconds: float, witness: Witness) -> Act:
    """Answers as it should, but late."""

    async def act(request: web.Request) -> web.StreamResponse:
        recorded = witness.requests[-1]
        await asyncio.sleep(seconds)
        witness.answer(recorded)
        return web.Response(status=200 if request.can_read_body else 400)

    return act


def dripping_header(every: float = 0.05) -> Act:
    """The header comes a byte at a time, and never ends."""

    async def act(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not request.transport.is_closing():
            request.transport.write(b"x")
            await asyncio.sleep(every)
        return web.Response()

    return act


def endless_header() -> Act:
    """Header fields without end, as fast as they are read."""

    async def act(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        transport.write(b"HTTP/1.1 200 OK\r\n")
        block = b"".join(b"X-Field-%d: %s\r\n" % (number, b"y" * 100) for number in range(500))
        while not transport.is_closing():
            if transport.get_write_buffer_size() < 1_000_000:  # type: ignore[attr-defined]
                transport.write(block)
            await asyncio.sleep(0)
        return web.Response()

    return act


def status(code: int, body: bytes = b"", **headers: str) -> Act:
    return _plain(code, body, {name.replace("_", "-"): value for name, value in headers.items()})


def garbage() -> Act:
    return _raw(b"\x00\xff\x13 this is no HTTP at all\r\n\r\n")


def reset() -> Act:
    return _reset


def truncated(code: int = 200) -> Act:
    """More body is promised than comes."""
    return _raw(
        f"HTTP/1.1 {code} Cut\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n".encode() + b'{"o'
    )


def flooding(witness: Witness, size: int = 2**30) -> Act:
    """A body of a gibibyte."""
    return lambda request: witness._flood(request, 200, size)


class Town:
    """A bridge, the receivers of its channels by name, and what the bridge accepted."""

    def __init__(self, bridge: BridgeProcess, witnesses: dict[str, Witness]) -> None:
        self.bridge = bridge
        self.at = witnesses
        self.accepted: list[tuple[str, str]] = []
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def post(self, name: str, status: str = "firing", *, source: str = "", **labels: str) -> int:
        """Alertmanager's payload with one alert; the answer's status."""
        headers = {"Content-Type": "application/json"}
        path = f"/webhook/{source}" if source else "/webhook"
        async with self._session.post(
            self.bridge.url + path, data=payload(name, status, **labels), headers=headers
        ) as answer:
            await answer.read()
            if answer.status == 200:
                self.accepted.append((name, status))
            return answer.status

    async def storm(self, names: list[str], status: str = "firing", at_once: int = 32, **labels: str) -> None:
        """Post them all, each until it is accepted."""
        waiting = list(reversed(names))

        async def poster() -> None:
            while waiting:
                name = waiting.pop()
                if await self.post(name, status, **labels) != 200:
                    waiting.append(name)
                    await asyncio.sleep(0.05)

        await asyncio.gather(*(poster() for _ in range(at_once)))

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.accepted}

    async def all_at(self, *channels: str, within: float = 60.0) -> None:
        """Wait until the channels heard of every accepted alert, by their last state."""
        last = dict(self.accepted)
        await eventually(lambda: all(last.items() <= dict(self.at[name].heard).items() for name in channels), within)

    async def close(self) -> None:
        await self._session.close()


def payload(name: str, status: str = "firing", **labels: str) -> bytes:
    end = "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-01T13:00:00Z"
    entry = {
        "status": status, "labels": {"alertname": name, **labels}, "annotations": {"summary": f"{name} is {status}"},
        "startsAt": "2026-03-01T12:00:00Z", "endsAt": end, "generatorURL": "",
    }  # fmt: skip
    return json.dumps(
        {
            "version": "4", "receiver": "r", "status": status, "alerts": [entry], "groupLabels": {"alertname": name},
            "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "groupKey": name, "truncatedAlerts": 0,
        }
    ).encode()  # fmt: skip


@asynccontextmanager
async def witnesses_of(*names: str) -> AsyncIterator[dict[str, Witness]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(Witness()) for name in names}


@asynccontextmanager
async def town(folder: Path, config: str, witnesses: dict[str, Witness], **urls: str) -> AsyncIterator[Town]:
    """A running bridge with `config` under HEAD; `<name>` in it becomes the URL of the witness of that name.

    `urls` replaces a witness's URL: there is something in between.
    """
    text = HEAD + config
    for name, witness in witnesses.items():
        text = text.replace(f"<{name}>", urls.get(name, witness.url))
    with bridge_of(folder, text, start=False, PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path])) as bridge:
        if PLANTED:
            bridge.program = ["-m", "tests.faults.channel_bugs", PLANTED]
        await asyncio.to_thread(bridge.start)
        found = Town(bridge, witnesses)
        try:
            yield found
        finally:
            await found.close()
