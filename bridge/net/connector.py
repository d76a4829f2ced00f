"""Knowing whether a request that failed had a connection: without one it surely never left."""

from __future__ import annotations

from contextvars import ContextVar

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Progress:
    """How far one request has come."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


_PROGRESS: ContextVar[Progress] = ContextVar("progress")


def begin() -> Progress:
    """The progress of the request that the current task makes next."""
    progress = Progress()
    _PROGRESS.set(progress)
    return progress


class WatchedConnector(TCPConnector):
    """aiohttp's connector; notes in the task's `Progress` that a connection, new or pooled, was there."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _PROGRESS.get().connected = True
        return connection
