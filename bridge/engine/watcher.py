"""The loop in which the bridge watches itself, says what is wrong, and lets the heartbeat say that nothing is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from bridge.domain.clock import Clock
from bridge.domain.errors import BridgeError
from bridge.engine.announce import Announcer, Word
from bridge.engine.heartbeat import Heartbeats
from bridge.engine.look import Look
from bridge.engine.turns import Turns
from bridge.engine.views import Trouble
from bridge.engine.watch import (
    OF_THE_WHOLE,
    QUIET,
    Bounds,
    Concern,
    Finding,
    News,
    Standing,
    follow,
    is_lost,
    is_well,
    judge,
)

_ROUND = 1.0
_TELL_AGAIN = 5.0
_LAST_WORDS = 5.0
_log = structlog.get_logger("bridge.watch")

_TITLES = {
    Concern.STAGE_STALLED: "{} stands still",
    Concern.LOOP_LAGS: "the bridge is slow",
    Concern.DELIVERIES_STUCK: "channel {} is not served",
    Concern.REQUESTS_STUCK: "accepted alerts are not planned",
    Concern.ESCALATION_OVERDUE: "escalations do not move",
    Concern.JUDGEMENT_OVERDUE: "incidents wait to be judged",
    Concern.CHECKPOINT_OVERDUE: "the audit is not signed",
    Concern.DATABASE_FAILS: "the database fails",
    Concern.WRITER_DEAD: "nothing can be kept",
    Concern.CLOCK_JUMPED: "the clock jumped",
    Concern.CLOCK_DIFFERS: "the clock is wrong",
    Concern.HEARTBEAT_FAILS: "the heartbeat does not arrive",
}


class Watcher:
    """`step` is one round. `lost` is called when nothing can be kept any more and only a new process can help.

    Of several on one database the one that `leads` speaks of what all see; of itself each speaks by its `name`.
    """

    def __init__(
        self,
        look: Look,
        announcer: Announcer,
        heartbeats: Heartbeats,
        clock: Clock,
        bounds: Bounds,
        *,
        ready: Callable[[], Awaitable[bool]],
        lost: Callable[[], None],
        leads: Callable[[], bool] = lambda: True,
        name: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._announcer = announcer
        self._heartbeats = heartbeats
        self._clock = clock
        self._bounds = bounds
        self._ready = ready
        self._lost = lost
        self._leads = leads
        self._name = name
        self._monotonic = monotonic
        self._standing: tuple[Standing, ...] = ()
        self._untold: list[tuple[News, Word]] = []
        self._telling: asyncio.Task[None] | None = None
        self._tell_at = monotonic()
        self._lost_at: float | None = None
        self._gave_up = False
        self.turns = Turns("watch")

    def troubles(self) -> tuple[Trouble, ...]:
        """What stands, for `/-/ready`."""
        return tuple(
            Trouble(found.concern.value, found.name, found.detail, standing.since)
            for standing in self._standing
            if standing.appeared
            for found in [standing.finding]
        )

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    async def stop(self) -> None:
        """Neither look nor speak any more."""
        self.turns.stop()
        await self._heartbeats.stop()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _turn(self) -> float:
        await self.step()
        return min(_ROUND, self._bounds.stage / 5)

    async def step(self) -> None:
        seen = await self._look.look(self._clock.now(), self._heartbeats.problem)
        if self.turns.stopping:
            return
        findings = judge(seen, self._bounds)
        self._standing, news = follow(self._standing, findings, self._monotonic(), self._clock.now(), self._bounds)
        for item in news:
            self._note(item)
        self._heartbeats.step(well=is_well(findings) and await self._ready())
        if self._untold and self._telling is None and self._monotonic() >= self._tell_at:
            self._telling = asyncio.create_task(self._tell(findings))
        if is_lost(seen, self._bounds):
            self._give_up()

    def _give_up(self) -> None:
        """After the last words, if they can be said in time."""
        if self._lost_at is None:
            self._lost_at = self._monotonic()
        said = not self._untold and self._telling is None
        if not self._gave_up and (said or self._monotonic() - self._lost_at > _LAST_WORDS):
            self._gave_up = True
            self._lost()

    def _note(self, news: News) -> None:
        standing = news.standing
        finding = standing.finding
        log = _log.warning if news.over or finding.concern in QUIET else _log.critical
        log(
            "trouble_over" if news.over else "trouble",
            what=finding.concern.value, name=finding.name, detail=finding.detail, since=standing.since.isoformat(),
        )  # fmt: skip
        if finding.concern in QUIET or (finding.concern in OF_THE_WHOLE and not self._leads()):
            return
        text = title(finding)
        if self._name and finding.concern not in OF_THE_WHOLE:
            text = f"{self._name}: {text}"
        if not news.over:
            text = f"{text}: {finding.detail}, since {_hour(standing.since)}"
        elif self._unsaid(standing):
            text = f"{text}: {finding.detail}, from {_hour(standing.since)} until {_hour(self._clock.now())}"
        else:
            text = f"over: {text}; that was since {_hour(standing.since)}"
        about = finding.name if finding.concern is Concern.DELIVERIES_STUCK else ""
        self._untold.append((news, Word(f"{text}.", standing.since, about)))

    def _unsaid(self, standing: Standing) -> bool:
        """Whether nobody has heard yet that it was there. Then one word will do for both."""
        key = standing.finding.key
        for entry in self._untold[1 if self._telling else 0 :]:
            if entry[0].standing.finding.key == key:
                self._untold.remove(entry)
                return True
        return False

    async def _tell(self, findings: list[Finding]) -> None:
        """Tell what is untold, in order; what fails is tried again in a while."""
        keys = {finding.key for finding in findings}
        try:
            while self._untold:
                await self._tell_one(self._untold[0][1], keys)
                self._untold.pop(0)
        except (BridgeError, TimeoutError) as error:
            self._tell_at = self._monotonic() + _TELL_AGAIN
            _log.warning("trouble_not_told", error=str(error) or type(error).__name__)
        finally:
            self._telling = None

    async def _tell_one(self, word: Word, keys: set[tuple[Concern, str]]) -> None:
        if keys & {(Concern.DATABASE_FAILS, ""), (Concern.WRITER_DEAD, "")}:
            await self._announcer.send(word, keep=False)
        elif (Concern.STAGE_STALLED, "sender") in keys:
            await self._announcer.send(word, keep=True)
        else:
            await self._announcer.queue(word)


def title(finding: Finding) -> str:
    """A finding in a few words."""
    return _TITLES[finding.concern].format(finding.name)


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
