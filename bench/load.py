"""Posts alerts. `python -m bench.load URL COUNT CONCURRENCY [RATE] [webhook|api]` prints one JSON object.

As Alertmanager's webhooks, or to its API v2. Each request is a new group with one firing alert, whose annotation `sent_at` (ns) lets the sink tell the latency.
Written on raw sockets: the generator must cost less than what it measures.
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
    '[{"labels":{"alertname":"Bench%(fp)016x","instance":"web-%(n)d:9100","job":"node","severity":"critical",'
    '"team":"payments","run":"%(fp)016x"},"annotations":{"sent_at":"%(at)d","summary":"instance web-%(n)d is down",'
    '"runbook_url":"https://runbooks.example/down"},"startsAt":"%(start)s",'
    '"generatorURL":"http://prometheus.example/graph"}]\n'
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


async def main(url: str, count: int, concurrency: int, rate: float, template: str) -> None:
    """Post `count` requests over `concurrency` connections, at `rate` a second if it is not 0."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    numbers = iter(range(count))
    base = time.time_ns()
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    begin = time.perf_counter()

    async def post() -> None:
        _transport, poster = await loop.create_connection(Poster, parts.hostname, parts.port)
        for n in numbers:
            if rate:
                await asyncio.sleep(max(0.0, begin + n / rate - time.perf_counter()))
            sent = time.time_ns()
            body = (template % {"n": n, "at": sent, "start": start, "fp": (base + n) & (2**64 - 1)}).encode()
            head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            poster.waiting = loop.create_future()
            _transport.write(head.encode() + body)
            status = await poster.waiting
            statuses[status] = statuses.get(status, 0) + 1
            latencies.append((time.time_ns() - sent) / 1e6)
        _transport.close()

    await asyncio.gather(*(post() for _ in range(concurrency)))
    seconds = time.perf_counter() - begin
    latencies.sort()
    at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))]  # noqa: E731
    print(
        json.dumps(
            {
                "seconds": seconds,
                "per_second": count / seconds,
                "statuses": statuses,
                "p50_ms": at(0.5),
                "p99_ms": at(0.99),
            }
        )
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    wanted = API if words[4:5] == ["api"] else WEBHOOK
    uvloop.run(main(words[0], int(words[1]), int(words[2]), float(words[3]) if len(words) > 3 else 0.0, wanted))
