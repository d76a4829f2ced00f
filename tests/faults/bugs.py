"""Bugs that are planted to see whether the checks find them: `python -m tests.faults.bugs NAME[,NAME] serve …`.

Each replaces one thing in the process that runs the bridge; the product has no switch for any of them.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

BUGS: dict[str, Callable[[], None]] = {}
"""Name → what plants it."""


def bug(plant: Callable[[], None]) -> Callable[[], None]:
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


def plant(names: str) -> None:
    """Plant each of these, separated by commas."""
    for name in names.split(","):
        BUGS[name]()


@bug
def checkpoint_often() -> None:
    """No bug: the write-ahead log is moved after a few commits, so that a short trace has checkpoints in it."""
    from bridge.storage import sqlite

    for name in ("_CHECKPOINT_CHANGES", "_CHECKPOINT_CHANGES_IN_A_LULL"):
        setattr(sqlite, name, 60)


@bug
def traceable() -> None:
    """No bug: whoever runs the tests may trace a bridge that runs already."""
    import ctypes

    from bridge.cli import serve

    def instead() -> None:
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER, PR_SET_PTRACER_ANY

    serve.keep_memory_private = instead


@bug
def failed_sync_is_busy() -> None:
    """The database is used on after a sync failed."""
    from bridge.storage import sqlite_faults

    sqlite_faults._BUSY |= sqlite_faults._FATAL


@bug
def full_disk_is_fatal() -> None:
    """The process ends because the disk is full."""
    from bridge.storage import sqlite_faults

    sqlite_faults._FATAL |= {sqlite3.SQLITE_FULL}
    sqlite_faults._BUSY -= {sqlite3.SQLITE_FULL}


def _pragma(text: str) -> None:
    from bridge.storage.sqlite import SqliteDatabase

    connect = SqliteDatabase._connect

    def instead(self: SqliteDatabase, **how: Any) -> sqlite3.Connection:
        connection = connect(self, **how)
        connection.execute(f"PRAGMA {text}")
        return connection

    SqliteDatabase._connect = instead  # type: ignore[method-assign]


@bug
def synchronous_normal() -> None:
    """A commit is not synced."""
    _pragma("synchronous = NORMAL")


@bug
def synchronous_off() -> None:
    """Nothing is synced."""
    _pragma("synchronous = OFF")


@bug
def checkpoint_without_sync() -> None:
    """The log is reused before what was moved out of it is on disk."""
    from bridge.storage.sqlite import SqliteDatabase

    empty = SqliteDatabase._empty_log

    def instead(self: SqliteDatabase, connection: sqlite3.Connection, mode: str) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        empty(self, connection, mode)
        connection.execute("PRAGMA synchronous = FULL")

    SqliteDatabase._empty_log = instead  # type: ignore[method-assign]


@bug
def acknowledge_before_commit() -> None:
    """The sender is told that its alert is kept before it is."""
    from bridge.engine.intake import Intake
    from bridge.engine.views import Accepted

    keep = Intake._keep
    tasks: set[asyncio.Task[Accepted]] = set()

    async def later(self: Intake, webhook: Any, *rest: Any) -> Accepted:
        await asyncio.sleep(0.02)
        return await keep(self, webhook, *rest)

    async def instead(self: Intake, webhook: Any, *rest: Any) -> Accepted:
        task = asyncio.create_task(later(self, webhook, *rest))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return Accepted("1", len(webhook.alerts), 0, 0)

    Intake._keep = instead  # type: ignore[method-assign]


@bug
def loses_a_delivery() -> None:
    """Of the deliveries that are planned every twentieth is not."""
    from bridge.domain.delivery import DeliveryState
    from bridge.storage import deliveries

    add = deliveries.add
    numbers = itertools.count(1)

    async def instead(tx: Any, *rest: Any) -> Any:
        live = await add(tx, *rest)
        if next(numbers) % 20 == 0:
            await deliveries.stop(tx, live.id, DeliveryState.SUPERSEDED, "planted", datetime.now(UTC))
        return live

    deliveries.add = instead


@bug
def remembers_in_memory() -> None:
    """Whether an alert is news is remembered by the process, for a time, and not by what is stored."""
    from bridge.engine import planner

    reduce = planner.reduce
    seen: set[tuple[str, str, str]] = set()

    def instead(known: Any, alert: Any, *rest: Any, **how: Any) -> Any:
        known = known if alert.key in seen else None
        seen.add(alert.key)
        return reduce(known, alert, *rest, **how)

    planner.reduce = instead


@bug
def refused_counts_as_told() -> None:
    """A service that answers 503 has taken the message."""
    from bridge.channels import webhook

    judge = webhook.outcome_of

    def instead(response: Any, *rest: Any) -> None:
        if response.status != 503:
            judge(response, *rest)

    webhook.outcome_of = instead  # type: ignore[assignment]


@bug
def forgets_at_the_start() -> None:
    """What an earlier process left is not looked for."""
    from bridge.engine.sender import Sender

    async def instead(_self: Sender) -> int:
        return 0

    Sender.load = instead  # type: ignore[method-assign]


@bug
def told_before_it_is_sent() -> None:
    """A delivery is recorded as told when it is claimed."""
    from bridge.domain.delivery import DeliveryState
    from bridge.engine import sender
    from bridge.storage import deliveries

    claim = sender.claim

    async def instead(work: Any, ids: Any) -> Any:
        jobs = await claim(work, ids)
        for job in filter(None, jobs):
            await deliveries.stop(work.tx, job.claimed.id, DeliveryState.SENT, "", work.now)
        return jobs

    sender.claim = instead


@bug
def outcomes_are_forgotten() -> None:
    """What came of every second batch of attempts is not written down."""
    from bridge.engine.results import Results

    commit = Results._commit
    numbers = itertools.count()

    async def instead(self: Results, batch: Any, turned: Any) -> None:
        if next(numbers) % 2:
            await commit(self, batch, turned)
            return
        for item in batch:
            self._done(item.live)

    Results._commit = instead  # type: ignore[method-assign]


@bug
def the_old_follows_the_new() -> None:
    """What was told of an incident before is told again after its end."""
    from bridge.channels.webhook import WebhookChannel

    send = WebhookChannel.send
    told: dict[str, Any] = {}

    async def instead(self: WebhookChannel, message: Any, context: Any) -> Any:
        receipt = await send(self, message, context)
        if (old := told.get(message.incident)) is not None:
            await send(self, old, context)
        told[message.incident] = message
        return receipt

    WebhookChannel.send = instead  # type: ignore[method-assign]


@bug
def a_record_is_missing() -> None:
    """Of each hundred audit records one is chained and not stored."""
    from bridge.audit.chain import Chain

    seal = Chain.seal

    def instead(self: Chain, *rest: Any) -> Any:
        return [row for row in seal(self, *rest) if row[0] % 100]

    Chain.seal = instead  # type: ignore[method-assign]


@bug
def no_room_is_kept() -> None:
    """Requests are taken until the disk is full, and nothing is kept back for what follows."""
    from bridge.storage.room import Room

    Room.full = lambda _self: ""  # type: ignore[method-assign]
    Room.keep = lambda _self: None  # type: ignore[method-assign]


@bug
def reads_everything_first() -> None:
    """The start goes through every request that waits, before it answers."""
    from bridge.engine.backlog import Backlog

    load = Backlog.load

    async def instead(self: Backlog) -> int:
        found = await load(self)
        while await self.step():
            pass
        return found

    Backlog.load = instead  # type: ignore[method-assign]


def _leases_of(**span: float) -> None:
    """Claims on a shared database hold for so long."""
    from datetime import timedelta

    from bridge.engine import claim, leases

    claim.LEASE = leases.LEASE = timedelta(**span)


@bug
def leases_are_for_good() -> None:
    """What a dead bridge had claimed is never another's."""
    _leases_of(days=1)


@bug
def leases_hold_nobody_off() -> None:
    """What one bridge has claimed others claim too."""
    _leases_of(microseconds=1)


def _drops_what_waits(method: str) -> None:
    """What is not sent is ended when this method of the sender is called."""
    from bridge.domain.delivery import DeliveryState
    from bridge.engine.sender import Sender
    from bridge.storage import deliveries

    whole = getattr(Sender, method)

    async def instead(self: Sender, *rest: Any) -> None:
        waiting = [delivery for lane in self._lanes.values() for delivery in lane._known]

        async def drop(work: Any) -> None:
            for delivery in waiting:
                await deliveries.stop(work.tx, delivery, DeliveryState.SUPERSEDED, "planted", work.now)

        await self._transactions.write(self._clock.now(), drop)
        await whole(self, *rest)

    setattr(Sender, method, instead)


@bug
def a_stop_drops_what_waits() -> None:
    """A bridge that is told to stop ends what it has not sent."""
    _drops_what_waits("stop")


@bug
def a_reload_drops_what_waits() -> None:
    """A new configuration is taken for an end of what the old one had to send."""
    _drops_what_waits("reloaded")


if __name__ == "__main__":
    from bridge.cli.main import main

    plant(sys.argv.pop(1))
    main()
