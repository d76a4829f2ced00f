"""The rules of access in force, and the patience with those who fail them."""

from __future__ import annotations

from aiohttp import web

from bridge.http.access import Access, Principal, Role
from bridge.http.pace import FailurePace
from bridge.http.problem import Problem


class Gate:
    """Admits requests. `access` is replaced when the configuration is."""

    def __init__(self, access: Access, pace: FailurePace) -> None:
        self.access = access
        self._pace = pace

    async def admit(self, request: web.BaseRequest, role: Role) -> Principal:
        """Who asks, if they may; a wrong token is answered late once there were many.

        Raises:
            Problem: 401 who are you, 403 you may not.
        """
        try:
            return self.access.require(request, role)
        except Problem as problem:
            if problem.status == 401 and "Authorization" in request.headers:
                await self.delay(request, problem)
            raise

    async def delay(self, request: web.BaseRequest, problem: Problem) -> None:
        """Wait as long as a failed authentication deserves, or have the connection closed."""
        problem.close = not await self._pace.hold(request.remote or "")
