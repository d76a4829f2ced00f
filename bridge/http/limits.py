"""What one client may cost the bridge."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

_OUTSIDE_BODY = 1024 * 1024
_OUTSIDE_SECONDS = 5.0


class Limits(Struct, frozen=True):
    """Budgets of the listener; sizes in bytes, times in seconds.

    `header_seconds` is also how long an idle connection stays. `accept_seconds` is for the commit, then
    the answer is 503. `body_memory` is what all large requests in hand may hold together. After an early answer (413)
    the rest of the body is thrown away for `linger_seconds`, so that the client reads the answer. A chunked body may have `free_chunks` chunks of any size; beyond them they must average `chunk_size`.
    Where there is no room for a connection, one whose body has been coming for `slow_seconds` gives way.
    A failed authentication is answered at once `free_failures` times an address, then `failure_delay` late, while
    the address regains one free failure each `failure_refill`; at most `delayed` answers wait at a time.
    """

    max_body: int = 10 * 1024 * 1024
    max_line: int = 8190
    max_field: int = 8190
    max_headers: int = 100
    header_seconds: float = 15.0
    body_seconds: float = 15.0
    accept_seconds: float = 8.0
    write_seconds: float = 15.0
    linger_seconds: float = 5.0
    sweep_seconds: float = 1.0
    connections: int = 2000
    slow_seconds: float = 1.0
    body_memory: int = 256 * 1024 * 1024
    free_chunks: int = 1000
    chunk_size: int = 64
    free_failures: int = 10
    failure_refill: float = 1.0
    failure_delay: float = 1.0
    delayed: int = 100


def outside_limits(limits: Limits, max_body: int = _OUTSIDE_BODY) -> Limits:
    """Narrower budgets, for what anybody on the internet may send: callbacks, and the forms of action links."""
    return replace(
        limits,
        max_body=min(limits.max_body, max_body),
        body_seconds=min(limits.body_seconds, _OUTSIDE_SECONDS),
    )
