"""The engine's parts, put together for one database."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bridge import __version__
from bridge.app.stages import Run, Stages
from bridge.audit.chain import new_chain_id
from bridge.domain.clock import Clock
from bridge.engine import doubt
from bridge.engine.asks import Asks
from bridge.engine.attempt import Attempt
from bridge.engine.backlog import Backlog, Parse
from bridge.engine.calendars import CalendarReader
from bridge.engine.counting import Counting
from bridge.engine.drill_book import DrillBook
from bridge.engine.explaining import Explainer, Ground
from bridge.engine.generation import Generation
from bridge.engine.heartbeat_book import HeartbeatBook
from bridge.engine.intake import Intake
from bridge.engine.leases import Leases
from bridge.engine.link_acts import LinkActs
from bridge.engine.membership import Membership
from bridge.engine.mirroring import Mirroring
from bridge.engine.operator import Operator
from bridge.engine.refusals import Refusals
from bridge.engine.restoration import Restoration
from bridge.engine.retention import Retention
from bridge.engine.sender import Sender
from bridge.engine.silences import SilenceBook
from bridge.engine.sweeper import Checkpoint, Sweeper
from bridge.engine.timekeeper import Timekeeper
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.observe.metrics import Metrics
from bridge.secrets.instance import InstanceKeys
from bridge.storage.database import Database
from bridge.storage.replicas import Replica


class Parts:
    """Everything of the engine that runs. On a shared database this bridge is one of several, and may not lead."""

    def __init__(
        self,
        database: Database,
        generation: Generation,
        keys: InstanceKeys,
        clock: Clock,
        metrics: Metrics,
        redact: Callable[[str], str],
        parse: Parse,
        checkpoint: Checkpoint,
    ) -> None:
        self._clock = clock
        self.transactions = transactions = Transactions(database, generation)
        self.leases: Leases | None = None
        self.membership: Membership | None = None
        if database.shared:
            transactions.owner = owner = new_chain_id()
            self.leases = Leases(owner, transactions, clock)
            self.membership = Membership(Replica(owner, __version__, database.migrated[1]), transactions, clock)
        transactions.follow(Counting(metrics).follow)
        self.refusals = Refusals()
        self.sender = Sender(
            transactions, Attempt(keys, clock, redact), metrics, clock, random.SystemRandom(), self.leases, self.leads
        )
        self.timekeeper = Timekeeper(transactions, metrics, clock, self.leads)
        self.backlog = Backlog(transactions, parse, metrics, clock)
        self.intake = Intake(transactions, self.backlog, self.refusals, metrics)
        self.operator = Operator(transactions)
        self.asks = Asks(transactions, keys)
        self.link_acts = LinkActs(transactions, keys, self.operator)
        self.silences = SilenceBook(transactions, clock)
        self.on_call = transactions.on_call
        self.heartbeats, self.drills = HeartbeatBook(transactions), DrillBook(transactions)
        self.calendars = CalendarReader(transactions, self.on_call, clock, self.leads)
        self.mirroring = Mirroring(transactions, clock, self.leads)
        self.explainer = Explainer(self._ground)
        self.retention = Retention(transactions, keys, shared=database.shared)
        self.sweeper = Sweeper(
            transactions,
            self.refusals,
            checkpoint,
            metrics,
            clock,
            self.leads,
            [Restoration(transactions).step, self.retention.step],
        )

    def _ground(self) -> Ground:
        return Ground(
            self.transactions.generation(), self.transactions.silences, self.transactions, shifts=self.on_call.shifts
        )

    def leads(self) -> bool:
        """Whether this bridge does what is done once for all."""
        return self.membership is None or self.membership.leads()

    async def join(self, now: datetime) -> None:
        """Say that we are there, where others may be."""
        if self.membership is not None:
            await self.membership.step(now)

    async def load(self) -> tuple[int, int]:
        """Read what waits; gives how many deliveries and requests."""
        await self.silences.load()
        await self.calendars.load()
        await doubt.begin(self.transactions, self._clock.now())
        return await self.sender.load(), await self.backlog.load()

    def start(self, stages: Stages) -> None:
        """Let every loop run."""
        loops: dict[str, Run] = {
            "sender": self.sender.run,
            "timekeeper": self.timekeeper.run,
            "backlog": self.backlog.run,
            "sweeper": self.sweeper.run,
            "calendars": self.calendars.run,
            "mirroring": self.mirroring.run,
        }
        if self.leases is not None:
            loops["leases"] = self.leases.run
        if self.membership is not None:
            loops["membership"] = self.membership.run
            loops["silences"] = self.silences.run
        stages.start(**loops)

    def turns(self) -> tuple[Turns, ...]:
        """Every loop, as those see it who watch over it."""
        always = (
            self.sender.turns,
            self.timekeeper.turns,
            self.backlog.turns,
            self.sweeper.turns,
            self.calendars.turns,
            self.mirroring.turns,
        )
        shared = tuple(part.turns for part in (self.leases, self.membership) if part is not None)
        return (*always, *shared, *((self.silences.turns,) if shared else ()))

    async def stop(self, stages: Stages, grace: timedelta) -> None:
        """End every loop; what is being sent may end within the grace, and is recorded."""
        self.backlog.stop()
        self.timekeeper.stop()
        self.sweeper.stop()
        self.silences.stop()
        self.calendars.stop()
        self.mirroring.stop()
        if self.membership is not None:
            self.membership.stop()
        end = time.monotonic() + grace.total_seconds()
        await self.sender.stop(grace)
        if self.leases is not None:
            self.leases.stop()
        await stages.end()
        left = timedelta(seconds=max(0.0, end - time.monotonic()))
        await self.sender.stop(left)  # a claim that was under way may have begun more attempts
        now = self._clock.now()
        await self.sweeper.write_refusals(now)
        await doubt.end(self.transactions, now)
        if self.membership is not None:
            await self.membership.leave(now)
