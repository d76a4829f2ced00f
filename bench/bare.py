"""An aiohttp handler that reads a request and answers 200, and keeps nothing: `python -m bench.bare PORT`, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop
from aiohttp import web


async def main(port: int) -> None:
    async def receive(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response()

    runner = web.ServerRunner(web.Server(receive, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
