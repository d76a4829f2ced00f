"""The dead man's switch outside: a service is asked for as long as all is well, and calls for help when it is not.

Asked for with GET, which every such service takes (healthchecks.io, Dead Man's Snitch, Better Stack, Uptime Kuma). What
is not well is told by silence, never by another address.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from bridge.domain.errors import BridgeError
from bridge.engine.generation import Generation, Heartbeat
from bridge.net.outcome import outcome_of
from bridge.observe.metrics import Metrics

_AGAIN = 10.0
_HEADERS = {"Cache-Control": "no-cache"}
_log = structlog.get_logger("bridge.heartbeat")


class Heartbeats:
    """Sends one at a time. `problem` says why the last one did not arrive, empty if it did or none is wanted."""

    def __init__(
        self,
        generation: Callable[[], Generation],
        metrics: Metrics,
        redact: Callable[[str], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._generation = generation
        self._metrics = metrics
        self._redact = redact
        self._monotonic = monotonic
        self._next_at = monotonic()
        self._task: asyncio.Task[None] | None = None
        self.problem = ""

    def step(self, *, well: bool) -> None:
        """Send one if it is time and all is well. Returns at once."""
        wanted = self._generation().heartbeat
        if wanted is None or wanted.problem:
            self.problem = wanted.problem if wanted is not None else ""
            return
        if self._task is not None or self._monotonic() < self._next_at:
            return
        self._next_at = self._monotonic() + wanted.every.total_seconds()
        if not well:
            self._metrics.heartbeat("withheld")
            self._next_at = self._monotonic() + min(_AGAIN, wanted.every.total_seconds())
            return
        self._task = asyncio.create_task(self._send(wanted))

    async def stop(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self, wanted: Heartbeat) -> None:
        try:
            http, seconds = self._generation().http, wanted.timeout.total_seconds()
            outcome_of(await http.request("GET", wanted.url, headers=_HEADERS, timeout=seconds))
        except BridgeError as error:
            self._failed(wanted, self._redact(str(error)))
        except Exception as error:  # noqa: BLE001 - the switch outside must not end with one bad answer
            self._failed(wanted, type(error).__name__)
        else:
            self.problem = ""
            self._metrics.heartbeat("sent")
        finally:
            self._task = None

    def _failed(self, wanted: Heartbeat, problem: str) -> None:
        """Try again soon: whoever listens may call for help after one that is missing."""
        self._next_at = self._monotonic() + min(_AGAIN, wanted.every.total_seconds())
        self._metrics.heartbeat("failed")
        if problem != self.problem:
            _log.warning("heartbeat_failed", error=problem)
        self.problem = problem
