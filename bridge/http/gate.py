"""The rules of access in force, and the patience with those who fail them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from aiohttp import web

from bridge.domain.clock import Clock
from bridge.domain.errors import IngestReason
from bridge.http.access import Access, Principal, Role
from bridge.http.pace import FailurePace
from bridge.http.problem import Problem
from bridge.observe.metrics import Metrics


class Doubts(Protocol):
    """Notes what was refused: `bridge.engine.intake.Intake`."""

    async def refuse(self, source: str, reason: IngestReason, detail: str, now: datetime, digest: str = "") -> None: ...


class Gate:
    """Admits requests. `access` is replaced when the configuration is."""

    def __init__(self, access: Access, pace: FailurePace, doubts: Doubts, metrics: Metrics, clock: Clock) -> None:
        self.access = access
        self._pace = pace
        self._doubts = doubts
        self._metrics = metrics
        self._clock = clock

    async def admit(self, request: web.BaseRequest, role: Role, at: str) -> Principal:
        """Who asks, if they may; a refusal is noted, and a wrong token answered late once there were many.

        `at` is what is asked for, in words of ours.

        Raises:
            Problem: 401 who are you, 403 you may not.
        """
        try:
            return self.access.require(request, role)
        except Problem as problem:
            await self.note(problem, at, presented="Authorization" in request.headers)
            await self._slow(request, problem)
            raise

    async def note(self, problem: Problem, at: str, *, presented: bool) -> None:
        """Count a refusal, and have it audited; not one of who presented no token, as probes and browsers do all day."""
        if problem.status == 403:
            reason, detail = IngestReason.FORBIDDEN, f"{at}: {problem.detail}"
        else:
            reason, detail = IngestReason.WRONG_TOKEN if presented else IngestReason.NO_TOKEN, at
        self._metrics.refused(reason.value)
        if reason is not IngestReason.NO_TOKEN:
            await self._doubts.refuse("", reason, detail, self._clock.now())

    async def check(self, request: web.BaseRequest, role: Role) -> Principal:
        """As `admit`, for one who notes refusals himself."""
        try:
            return self.access.require(request, role)
        except Problem as problem:
            await self._slow(request, problem)
            raise

    async def delay(self, request: web.BaseRequest, problem: Problem) -> None:
        """Wait as long as a failed authentication deserves, or have the connection closed."""
        problem.close = not await self._pace.hold(request.remote or "")

    async def _slow(self, request: web.BaseRequest, problem: Problem) -> None:
        if problem.status == 401 and "Authorization" in request.headers:
            await self.delay(request, problem)
