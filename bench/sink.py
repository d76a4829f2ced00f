"""A webhook receiver that answers 200 and notes when each alert came. `python -m bench.sink PORT` prints its tally on SIGTERM."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time

import uvloop
from aiohttp import web

_SENT_AT = re.compile(rb'"sent_at":"(\d+)"')


async def main(port: int) -> None:
    """Answer until SIGTERM, then print one JSON object: requests, distinct alerts, latencies in ms."""
    latencies: list[float] = []
    names: set[bytes] = set()
    count = 0
    first = last = 0.0

    async def receive(request: web.BaseRequest) -> web.Response:
        nonlocal count, first, last
        if request.method == "GET":
            return web.json_response({"requests": count, "distinct": len(names), "last": last, "first": first})
        body = await request.read()
        now = time.time()
        count += 1
        first = first or now
        last = now
        found = _SENT_AT.search(body)
        if found:
            names.add(found[1])
            latencies.append(now * 1000 - int(found[1]) / 1e6)
        return web.Response()

    runner = web.ServerRunner(web.Server(receive, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()
    print(json.dumps({"requests": count, "distinct": len(names), "first": first, "last": last, "latencies": latencies}))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
