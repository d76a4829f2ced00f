"""A webhook receiver that answers 200 and notes when each alert came. `python -m bench.sink PORT` prints its tally on SIGTERM.

Written on raw sockets: what receives must cost less than what is measured beside it. `GET` gives the tally so far.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from typing import cast

import uvloop

_SENT_AT = re.compile(rb'"sent_at":"(\d+)"')
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_LAST_CHUNK = b"0\r\n\r\n"
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Tally:
    """What has come so far; latencies in ms."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = 0.0
        self.names: set[bytes] = set()
        self.latencies: list[float] = []

    def note(self, body: bytes) -> None:
        now = time.time()
        self.count += 1
        self.first = self.first or now
        self.last = now
        found = _SENT_AT.search(body)
        if found:
            self.names.add(found[1])
            self.latencies.append(now * 1000 - int(found[1]) / 1e6)

    def told(self) -> dict[str, float]:
        return {"requests": self.count, "distinct": len(self.names), "first": self.first, "last": self.last}


class Receiver(asyncio.Protocol):
    """One keep-alive connection. A body has a Content-Length, or comes in chunks of which the last is empty."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._taken():
            pass

    def _taken(self) -> bool:
        """Answer one request, if all of it is there."""
        head, gap, rest = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return False
        length = _length(head, rest)
        if len(rest) < length:
            return False
        self._buffer = rest[length:]
        if head.startswith(b"GET"):
            body = json.dumps(self._tally.told()).encode()
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(answer + body)
        else:
            self._tally.note(rest[:length])
            self._transport.write(_EMPTY)
        return True


def _length(head: bytes, rest: bytes) -> int:
    """How long a request's body is; more than there is, if its last chunk is yet to come."""
    found = _LENGTH.search(head)
    if found is not None:
        return int(found[1])
    if head.startswith(b"GET"):
        return 0
    if rest.startswith(_LAST_CHUNK):
        return len(_LAST_CHUNK)
    end = rest.find(b"\r\n" + _LAST_CHUNK)
    return len(rest) + 1 if end < 0 else end + 2 + len(_LAST_CHUNK)


async def main(port: int) -> None:
    """Answer until SIGTERM, then print one JSON object: requests, distinct alerts, latencies in ms."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(tally), "127.0.0.1", port, backlog=1024)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()
    sys.stdout.write(json.dumps({**tally.told(), "latencies": tally.latencies}))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
