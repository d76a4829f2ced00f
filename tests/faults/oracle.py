"""The oracle: a process of its own that sends alerts, receives what is delivered, and writes both down.

`python -m tests.faults.oracle FILE` obeys one JSON object a line on standard input and answers each with one on standard
output, first of all with `{"port": …}`, where it receives. FILE is only ever appended to:

    sent TIME KEY VERSION                        before the request leaves
    answered TIME KEY VERSION STATUS             when the answer is there
    received TIME PATH KEY VERSION STATUS        when the request is there; STATUS 0: it was left without an answer
    note TIME JSON                               what the runner did (a kill, which paths must hear of everything)

TIME is CLOCK_MONOTONIC in ns, one clock for all processes of a machine. `tests/faults/judge.py` reads nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from tests.faults.oracle_alerts import body_of, found_in
from tests.faults.oracle_wire import Answer, Receiving, Sending

_PAUSE = 0.003


class Notebook:
    """The append-only file."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, what: str, *words: object, at: int = 0) -> None:
        os.write(self._descriptor, f"{what} {at or time.monotonic_ns()} {' '.join(map(str, words))}\n".encode())


class Standing:
    """What is accepted, and what of it some receiver still has to be told (that, or a later state of its episode)."""

    def __init__(self) -> None:
        self.paths = ["/"]
        self.accepted: set[tuple[int, int]] = set()
        self.missing: set[tuple[str, int, int]] = set()
        self._delivered: set[tuple[str, int, int]] = set()

    def accept(self, key: int, version: int) -> None:
        if (key, version) in self.accepted:
            return
        self.accepted.add((key, version))
        for path in self.paths:
            if not {(path, key, version), (path, key, version | 1)} & self._delivered:
                self.missing.add((path, key, version))

    def deliver(self, path: str, key: int, version: int) -> None:
        self._delivered.add((path, key, version))
        self.missing.discard((path, key, version))
        if version % 2:
            self.missing.discard((path, key, version - 1))


class Sink:
    """How receivers behave: as their path says, else as all. `refuse` answers 503 to the first `first` tries of a message."""

    def __init__(self, notebook: Notebook, standing: Standing) -> None:
        self.modes: dict[str, tuple[str, int]] = {"": ("ok", 0)}
        self.requests = 0
        self._tries: dict[tuple[str, int, int], int] = {}
        self._notebook = notebook
        self._standing = standing

    def judge(self, path: str, body: bytes) -> Answer:
        self.requests += 1
        found = found_in(body)
        status, how = self._answer(path, found)
        for key, version in found:
            self._notebook.write("received", path, key, version, status)
            if status == 200:
                self._standing.deliver(path, key, version)
        return status, how

    def _answer(self, path: str, found: list[tuple[int, int]]) -> Answer:
        mode, first = self.modes.get(path, self.modes[""])
        if not found or mode == "ok":
            return 200, "answer"
        if mode in {"hang", "reset"}:
            return 0, mode
        if mode == "refuse":
            tries = max(self._tries.get((path, *alert), 0) for alert in found)
            self._tries.update({(path, *alert): tries + 1 for alert in found})
            return (503 if tries < first else 200), "answer"
        return int(mode), "answer"


class Load:
    """Sends new alerts over some connections, each again and again until it is accepted, as Alertmanager does.

    `resolve` and `repeat` are the shares of requests that end an alert sent before, or send one again.
    """

    def __init__(
        self,
        notebook: Notebook,
        standing: Standing,
        urls: list[tuple[str, int, str]],
        numbers: Iterator[int],
        **how: Any,
    ) -> None:
        self._notebook = notebook
        self._standing = standing
        self._urls = urls
        self._numbers = numbers
        self._resolve, self._repeat = how.get("resolve", 0.0), how.get("repeat", 0.0)
        self._rng = random.Random(how.get("seed", 1))
        self._within = how.get("within", 5.0)
        self._pause = how.get("pause", 0.0)
        self._stop = asyncio.Event()
        self._down: dict[int, asyncio.Task[None]] = {}
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(how.get("connections", 16))]

    async def stop(self) -> None:
        """Let the requests in hand be answered, for a while."""
        self._stop.set()
        await asyncio.wait(self._tasks, timeout=self._within)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, number: int) -> None:
        firing: deque[int] = deque()
        sending: Sending | None = None
        while not self._stop.is_set():
            key, version = self._next(firing)
            body = body_of(key, version)
            accepted = False
            while not accepted and not self._stop.is_set():
                sending, accepted = await self._send(number, sending, key, version, body)
            if self._pause:
                await asyncio.sleep(self._pause)
        if sending is not None:
            sending.close()

    def _next(self, firing: deque[int]) -> tuple[int, int]:
        chance = self._rng.random()
        if firing and chance < self._resolve:
            return firing.popleft(), 1
        if firing and chance < self._resolve + self._repeat:
            return self._rng.choice(firing), 0
        key = next(self._numbers)
        if self._resolve or self._repeat:
            firing.append(key)
        return key, 0

    async def _send(
        self, number: int, sending: Sending | None, key: int, version: int, body: bytes
    ) -> tuple[Sending | None, bool]:
        which = number % len(self._urls)
        host, port, path = self._urls[which]
        try:
            if sending is None or not sending.open:
                if which in self._down:
                    await asyncio.shield(self._down[which])
                _transport, sending = await asyncio.get_running_loop().create_connection(Sending, host, port)
            self._notebook.write("sent", key, version)
            status = await sending.post(path, body, self._within)
        except ConnectionRefusedError:
            if which not in self._down:
                self._down[which] = asyncio.create_task(self._until_up(which))
            return None, False
        except (OSError, TimeoutError):
            if sending is not None:
                sending.close()
            return None, False
        self._notebook.write("answered", key, version, status)
        if status == 200:
            self._standing.accept(key, version)
        else:
            await asyncio.sleep(_PAUSE)
        return sending, status == 200

    async def _until_up(self, which: int) -> None:
        """One looks whether the bridge is back; the others wait for it."""
        host, port, _path = self._urls[which]
        while not self._stop.is_set():
            try:
                transport, _protocol = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
            except OSError:
                await asyncio.sleep(_PAUSE)
            else:
                transport.abort()
                break
        del self._down[which]


class Oracle:
    """Obeys one command after the other."""

    def __init__(self, path: str) -> None:
        self._notebook = Notebook(path)
        self._standing = Standing()
        self._sink = Sink(self._notebook, self._standing)
        self._numbers = iter(range(1, 1 << 40))
        self._load: Load | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Receiving(self._sink.judge), "127.0.0.1", 0, backlog=512)
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        self._say({"port": server.sockets[0].getsockname()[1]})
        async for line in lines:
            order = json.loads(line)
            self._say(await getattr(self, f"do_{order.pop('do')}")(**order))
        server.close()

    async def do_sink(self, mode: str, first: int = 0, path: str = "") -> dict[str, Any]:
        """Change how one receiver or all others behave from the next request on."""
        self._sink.modes[path] = (mode, first)
        return {}

    async def do_note(self, fact: dict[str, Any], at: int = 0) -> dict[str, Any]:
        """Write down what the runner did; `paths` are the receivers' that must hear of everything from now on."""
        self._notebook.write("note", json.dumps(fact), at=at)
        self._standing.paths = fact.get("paths", self._standing.paths)
        return {}

    async def do_load(self, urls: list[str], **how: Any) -> dict[str, Any]:
        """Begin to send; an earlier load must have been stopped."""
        self._load = Load(self._notebook, self._standing, [_parts(url) for url in urls], self._numbers, **how)
        return {}

    async def do_stop(self) -> dict[str, Any]:
        if self._load is not None:
            await self._load.stop()
            self._load = None
        return await self.do_counts()

    async def do_post(self, url: str, key: int, version: int, within: float = 10.0) -> dict[str, Any]:
        """One request; status 0 if no answer came."""
        host, port, path = _parts(url)
        try:
            _transport, sending = await asyncio.get_running_loop().create_connection(Sending, host, port)
            self._notebook.write("sent", key, version)
            status = await sending.post(path, body_of(key, version), within)
        except (OSError, TimeoutError):
            return {"status": 0}
        sending.close()
        self._notebook.write("answered", key, version, status)
        if status == 200:
            self._standing.accept(key, version)
        return {"status": status}

    async def do_counts(self) -> dict[str, Any]:
        """How many are accepted, and how many messages about them are missing at some receiver."""
        standing = self._standing
        return {
            "accepted": len(standing.accepted), "missing": len(standing.missing), "requests": self._sink.requests,
        }  # fmt: skip

    @staticmethod
    def _say(fact: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(fact) + "\n")
        sys.stdout.flush()


def _parts(url: str) -> tuple[str, int, str]:
    host, _slash, path = url.removeprefix("http://").partition("/")
    name, _colon, port = host.partition(":")
    return name, int(port), f"/{path}"


if __name__ == "__main__":
    import uvloop

    uvloop.run(Oracle(sys.argv[1]).run())
