"""What one channel whose receiver never answers costs the others: `python -m bench.isolation [--rate N] [--seconds N]`.

Two bridges of twenty channels each run at once and get the same alerts in turn. One has a black hole behind its first
channel: it accepts connections, reads nothing and answers nothing. First comes a backlog for that channel, which the other
bridge delivers; then as many alerts for each channel. Compared are the other nineteen, from the sender's first byte to
the receiver. Both bridges share every moment of the machine, so that what disturbs it disturbs both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.load import WEBHOOK, Poster
from bench.processes import Sink, sink
from tests.running_bridge import BridgeProcess, free_port

CHANNELS = 20
ROUNDS = 3
_BACKLOG_RATE = 300.0
_TEAM = '"team":"payments"'
Figures = dict[str, float]


@contextmanager
def black_hole() -> Iterator[str]:
    """A receiver that lets everybody connect, and does nothing more: its address."""
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


@contextmanager
def bridge(folder: Path, first: str, others: str) -> Iterator[BridgeProcess]:
    """A bridge that sends what is for team 0 to one address, and what is for the other teams to another."""
    port = free_port()
    (folder / "routes").mkdir(parents=True)
    channels = [f"  c{team}: {{type: webhook, url: '{others if team else first}'}}" for team in range(CHANNELS)]
    routes = [f"  - {{matchers: ['team=\"{team}\"'], receiver: c{team}}}" for team in range(CHANNELS)]
    (folder / "routes" / "main.yml").write_text(
        f'server: {{listen: "127.0.0.1:{port}"}}\nstorage: {{url: "sqlite:{folder}/bridge.db"}}\nlog: {{level: error}}\n'
        + "\n".join(["channels:", *channels, "route:", "  receiver: c0", "  routes:", *routes, ""])
    )
    running = BridgeProcess(folder, port)
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Side:
    """One of the two bridges as its sender sees it: as many keep-alive connections as it takes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[Poster] = deque()

    async def post(self, body: bytes) -> None:
        """Send, and wait for the 200."""
        loop = asyncio.get_running_loop()
        poster = self._kept() or (await loop.create_connection(Poster, "127.0.0.1", self._port))[1]
        poster.waiting = loop.create_future()
        head = f"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
        poster.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)  # type: ignore[attr-defined]
        status = await poster.waiting
        if status != 200:
            raise RuntimeError(f"an alert was answered with {status}")
        self._idle.append(poster)

    def _kept(self) -> Poster | None:
        """The connection idle for longest that the bridge has not closed: taken in turn, few ever are."""
        while self._idle:
            poster = self._idle.popleft()
            if not poster.transport.is_closing():
                return poster
        return None


async def send(sides: list[Side], count: int, rate: float, *, counted: bool) -> None:
    """So many alerts to each side, at so many a second to each: a team after the other, or uncounted ones for the first."""
    base, start = time.time_ns(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(count * len(sides)):
            await asyncio.sleep(max(0.0, begin + n / rate / len(sides) - time.perf_counter()))
            alert, side = divmod(n, len(sides))
            team, at = (alert % CHANNELS, str(time.time_ns())) if counted else (0, "before")
            text = WEBHOOK.replace("%(at)d", at).replace(_TEAM, f'"team":"{team}"')
            body = text % {"n": n, "start": start, "fp": (base + n) & (2**64 - 1)}
            group.create_task(sides[side].post(body.encode()))


def compare(folder: Path, rate: float, seconds: float, backlog: int, *, hole_first: bool) -> Figures:
    """p50 and p99 in ms of nineteen channels, beside a twentieth that answers and beside one that does not."""
    count = int(rate * seconds)
    with ExitStack() as stack:
        fine, beside, twentieth = (stack.enter_context(sink()) for _ in range(3))
        hole = stack.enter_context(black_hole())
        running = [
            stack.enter_context(bridge(folder / "fine", twentieth.url, fine.url)),
            stack.enter_context(bridge(folder / "beside", hole, beside.url)),
        ]
        sides = [Side(one.port) for one in (reversed(running) if hole_first else running)]

        async def everything() -> None:
            await send(sides, backlog, _BACKLOG_RATE, counted=False)
            await asyncio.sleep(2)
            await send(sides, count, rate, counted=True)

        uvloop.run(everything())
        told = sum(1 for n in range(count) if n % CHANNELS)
        for receiver in (fine, beside):
            receiver.wait(told)
    return {**_at("fine", fine), **_at("beside", beside)}


def _at(name: str, receiver: Sink) -> Figures:
    found = receiver.latencies
    return {f"{name}_p50_ms": found[len(found) // 2], f"{name}_p99_ms": found[int(len(found) * 0.99)]}


def isolation(folder: Path, rate: float, seconds: float, backlog: int, rounds: int = ROUNDS) -> Figures:
    """Medians over the rounds; `p50_ratio` and `p99_ratio` are beside the black hole over without it."""
    found = [compare(folder / str(turn), rate, seconds, backlog, hole_first=bool(turn % 2)) for turn in range(rounds)]
    ratios = {
        f"p{share}_ratio": statistics.median(one[f"beside_p{share}_ms"] / one[f"fine_p{share}_ms"] for one in found)
        for share in (50, 99)
    }
    return {name: statistics.median(one[name] for one in found) for name in found[0]} | ratios


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.isolation")
    parser.add_argument("--rate", type=float, default=100, help="alerts a second to each of the two bridges")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--backlog", type=int, default=3000, help="alerts that wait for the black hole from the beginning"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alertbridge-bench") as name:
        figures = isolation(Path(name), given.rate, given.seconds, given.backlog, given.rounds)
    table = Table(
        title=f"19 channels beside a black hole: {given.rate:g}/s for {given.seconds:g} s, medians of {given.rounds}"
    )
    for column in ("accept to receiver", "20 that answer", "19 of 20", "ratio", "aim"):
        table.add_column(column)
    for share, aim in ((50, ""), (99, "≤ 1.10")):
        fine, beside, ratio = (figures[key] for key in (f"fine_p{share}_ms", f"beside_p{share}_ms", f"p{share}_ratio"))
        table.add_row(f"p{share} ms", f"{fine:.2f}", f"{beside:.2f}", f"{ratio:.2f}", aim)
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
