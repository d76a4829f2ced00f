"""Name lookups on threads of their own, so that a resolver that hangs stops neither the loop nor its other work."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 64  # started as they are needed
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
Addresses = list[tuple[int, str]]


class ThreadedResolver(AbstractResolver):
    """The system's resolver (`/etc/hosts`, `resolv.conf`) with a time limit in seconds for whoever waits.

    A lookup cannot be stopped, and may hang for half a minute after nobody waits any more. A name is looked up once
    at a time, so that a dead one takes one thread and no more from the others, however often it is asked for.
    """

    def __init__(self, timeout: float = 4.0) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")
        self._lookups: dict[tuple[str, int, int], asyncio.Future[Addresses]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`, in the system's order.

        Raises:
            OSError: there are none, or they did not come in time.
        """
        key = (host, port, family)
        lookup = self._lookups.get(key) or self._look_up(key)
        try:
            found = await asyncio.wait_for(asyncio.shield(lookup), self._timeout)
        except TimeoutError as error:
            raise OSError(f"no answer within {self._timeout:g} s") from error
        except UnicodeError as error:
            raise OSError("the host is no valid name") from error
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=_NUMERIC)
            for kind, address in found
        ]

    async def close(self) -> None:
        """Lookups under way are left to end on their own."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, key: tuple[str, int, int]) -> asyncio.Future[Addresses]:
        lookup = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, *key)
        self._lookups[key] = lookup

        def ended(lookup: asyncio.Future[Addresses]) -> None:
            del self._lookups[key]
            if not lookup.cancelled():
                lookup.exception()  # seen, even where nobody waits any more

        lookup.add_done_callback(ended)
        return lookup


def _addresses(host: str, port: int, family: int) -> Addresses:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(kind, str(address[0])) for kind, _, _, _, address in found]
