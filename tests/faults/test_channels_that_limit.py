"""A channel that limits its callers, strictly: nobody comes before the permitted instant, nothing is lost.

The limiter is the oracle: it bans, and counts who comes while banned. NOTIFICATIONS=N scales the run.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil
from pathlib import Path

import pytest
from aiohttp import web

from tests.faults.serving import audit
from tests.faults.witness import Witness, town, witnesses_of
from tests.running_bridge import eventually

NOTIFICATIONS = int(os.environ.get("NOTIFICATIONS", "120"))
MOST = max(30, NOTIFICATIONS // 20)
IN_FLIGHT = 8
CONFIG = """
fallback: home
channels:
  home: {type: webhook, url: "<home>/"}
  strict: {type: webhook, url: "<strict>/", max_in_flight: MOST}
route: {receiver: strict}
"""


class Limiter:
    """Takes MOST requests in a window of `per` seconds, and bans whoever comes when they are used up until it ends.

    The time to wait is told in seconds or as a date, both in whole seconds. A caller that comes while the ban lasts is
    early, unless it was on its way when the ban was told.
    """

    def __init__(self, witness: Witness, per: timedelta, *, dated: bool) -> None:
        self._witness = witness
        self._per = per
        self._dated = dated
        self._begun = datetime.now(UTC)
        self._until = self._begun
        self._count = 0
        self._keys: set[str] = set()
        self.bans = 0
        self.early = 0

    async def __call__(self, _request: web.Request) -> web.StreamResponse:
        now = datetime.now(UTC)
        if now < self._until:
            self.early += 1
            return self._banned(now)
        if now - self._begun >= self._per:
            self._begun, self._count = now, 0
        if self._count < MOST:
            self._count += 1
            self._witness.answer(self._witness.requests[-1])
            return web.Response()
        self.bans += 1
        self._until = (self._begun + self._per).replace(microsecond=0) + timedelta(seconds=1)
        return self._banned(now)

    def _banned(self, now: datetime) -> web.Response:
        told = format_datetime(self._until, usegmt=True)
        if not self._dated:
            told = str(ceil((self._until - now).total_seconds()))
        headers = {"Retry-After": told, "Date": format_datetime(now, usegmt=True)}
        return web.Response(status=429, headers=headers)


@pytest.mark.parametrize(("in_flight", "dated"), [(1, False), (1, True), (IN_FLIGHT, False)])
async def test_nobody_calls_before_the_permitted_instant_and_nothing_is_lost(
    tmp_path: Path, in_flight: int, dated: bool
) -> None:
    config = CONFIG.replace("MOST", str(in_flight))
    async with witnesses_of("home", "strict") as at, town(tmp_path, config, at) as place:
        limiter = Limiter(at["strict"], timedelta(seconds=1), dated=dated)
        at["strict"].badly(limiter)
        names = [f"Alert{number}" for number in range(NOTIFICATIONS)]

        await place.storm(names)
        await eventually(lambda: at["strict"].names == place.names, within=60 + NOTIFICATIONS / 5)

        sys.stderr.write(
            f"{NOTIFICATIONS} notifications, {in_flight} at a time: {limiter.bans} bans, {limiter.early} early,"
            f" {len(at['strict'].requests)} requests\n"
        )
        assert max(at["strict"].copies().values()) == 1
        assert limiter.early <= in_flight - 1  # what was under way when the first was told to wait
        assert len(at["strict"].requests) - NOTIFICATIONS == limiter.bans + limiter.early
        assert limiter.bans <= 1 + NOTIFICATIONS // MOST // 5  # it has learned how fast it may go on
        assert at["home"].notices == []
        records = {record["kind"] for record in audit(place.bridge) if record["channel"] == "strict"}
        assert records == {"retry", "sent"}  # nothing died
