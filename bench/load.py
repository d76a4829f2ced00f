"""Posts alerts. `python -m bench.load URL[,URL…] COUNT CONCURRENCY [RATE] [webhook|api] [BATCH] [ROUNDS]` prints one JSON object.

COUNT requests: Alertmanager's webhooks with one alert each, or posts to its API v2 with BATCH alerts, the same ones in each of
the ROUNDS. Each alert is a new group with an annotation `sent_at` (ns), which lets the sink tell the latency. At a steady rate latencies count from when a request was due, whether or not a connection was
free for it then. Written on raw sockets: the generator must cost less than what it measures, and says what it cost.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

import uvloop

WEBHOOK = (
    '{"receiver":"bench","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Bench%(fp)016x",'
    '"instance":"web-%(n)d:9100","job":"node","severity":"critical","team":"payments"},"annotations":{"sent_at":"%(at)d",'
    '"summary":"instance web-%(n)d is down","runbook_url":"https://runbooks.example/down"},'
    '"startsAt":"%(start)s","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example/graph",'
    '"fingerprint":"%(fp)016x"}],"groupLabels":{"alertname":"Bench%(fp)016x"},"commonLabels":{"alertname":"Bench%(fp)016x",'
    '"instance":"web-%(n)d:9100","job":"node","severity":"critical","team":"payments"},"commonAnnotations":{},'
    '"externalURL":"http://alertmanager.example","version":"4","groupKey":"{}:{alertname=\\"Bench%(fp)016x\\"}",'
    '"truncatedAlerts":0}\n'
)
API = (
    '{"labels":{"alertname":"Bench%(fp)016x","instance":"web-%(n)d:9100","job":"node","severity":"critical",'
    '"team":"payments","run":"%(fp)016x"},"annotations":{"sent_at":"%(at)d","summary":"instance web-%(n)d is down",'
    '"runbook_url":"https://runbooks.example/down"},"startsAt":"%(start)s",'
    '"generatorURL":"http://prometheus.example/graph"}'
)


class Poster(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self.buffer = b""
        self.waiting: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, gap, body = self.buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        if len(body) >= length and self.waiting is not None:
            self.buffer = b""
            self.waiting.set_result(int(head[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(ConnectionError("closed"))


class Run:
    """Posts `count` requests in turn to the addresses, over `concurrency` connections, at `rate` a second if it is not 0."""

    def __init__(self, urls: list[str], count: int, rate: float, batch: int = 0, rounds: int = 1) -> None:
        """`batch` 0 posts webhooks."""
        self._urls = urls
        self._rate = rate
        self._batch = batch
        self._different = max(1, count // rounds)
        self._numbers = iter(range(count))
        self._base = time.time_ns()
        self._start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._begin = time.perf_counter()
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}

    async def connection(self, number: int) -> None:
        """One connection's share, until nothing is left to post."""
        loop = asyncio.get_running_loop()
        parts = urlsplit(self._urls[number % len(self._urls)])
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "
        )
        transport, poster = await loop.create_connection(Poster, parts.hostname, parts.port)
        for n in self._numbers:
            due = time.perf_counter()
            if self._rate:
                due = self._begin + n / self._rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            body = self._body(n % self._different)
            poster.waiting = loop.create_future()
            transport.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            status = await poster.waiting
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.latencies.append((time.perf_counter() - due) * 1000)
        transport.close()

    def _body(self, request: int) -> bytes:
        if not self._batch:
            return (WEBHOOK % self._values(request)).encode()
        first = request * self._batch
        return b"[%b]\n" % ",".join(API % self._values(n) for n in range(first, first + self._batch)).encode()

    def _values(self, n: int) -> dict[str, int | str]:
        return {"n": n, "at": time.time_ns(), "start": self._start, "fp": (self._base + n) & (2**64 - 1)}


async def main(urls: list[str], count: int, concurrency: int, rate: float, batch: int, rounds: int) -> None:
    run = Run(urls, count, rate, batch, rounds)
    begin, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(run.connection(number) for number in range(concurrency)))
    seconds = time.perf_counter() - begin
    found = sorted(run.latencies)
    figures = {
        "seconds": seconds,
        "per_second": count / seconds,
        "statuses": run.statuses,
        "p50_ms": found[len(found) // 2],
        "p99_ms": found[min(len(found) - 1, int(len(found) * 0.99))],
        "most_ms": found[-1],
        "cpu_ms": (time.process_time() - spent) * 1000 / count,
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    words = [*sys.argv[1:], *["0", "webhook", "1", "1"][len(sys.argv) - 4 :]]
    batch_of = int(words[5]) if words[4] == "api" else 0
    uvloop.run(main(words[0].split(","), int(words[1]), int(words[2]), float(words[3]), batch_of, int(words[6])))
