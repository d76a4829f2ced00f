"""PostgreSQL: one writer on the event loop that commits in groups; readers beside it; other bridges on the same database.

While there is no connection, nothing waits: whoever writes is told at once that it is not now, and the connection is
made anew behind their backs.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from bridge.domain.errors import StorageBusy, StorageError, StorageFatal
from bridge.storage.postgres_address import Address, parse_address
from bridge.storage.postgres_doubt import was_committed
from bridge.storage.postgres_faults import Lost, fault_of
from bridge.storage.postgres_group import COMMIT, Group, InDoubt, Job, Outcome
from bridge.storage.postgres_link import CONNECT, Link
from bridge.storage.postgres_listener import Listener
from bridge.storage.postgres_migrate import migrate, require_known
from bridge.storage.postgres_opening import judge, refuse_a_transaction_pooler, require_writable, standbys
from bridge.storage.postgres_readers import Readers
from bridge.storage.transaction import AuditSink, Expected, Unit

T = TypeVar("T")

_GROUP = 256
_OPEN = 10.0
_QUEUED = 5.0
"""Seconds after which a unit that has not begun is answered that it is not now."""

_SOONEST, _LATEST = 0.05, 1.0
"""Seconds between tries to connect again."""

_COMPLETES_EVERY = 60.0

_log = structlog.get_logger("bridge.storage")


class PostgresDatabase:
    """An open database that other bridges may share. `write` commits a unit; `read` runs one on a snapshot.

    `fatal` is called once when the database can no longer be trusted. `warnings` say what weakens the promise that what
    is accepted is kept.
    """

    shared = True

    def __init__(self, address: Address, fatal: Callable[[BaseException], None]) -> None:
        self.name = address.name
        self.migrated = (0, 0)
        self.waiting: tuple[int, ...] = ()
        """The migrations whose `post` half waits for bridges of an older version to end."""
        self.warnings: tuple[str, ...] = ()
        self.standbys = ""
        """The server's synchronous_standby_names: whom a commit waits for."""
        self._address = address
        self._fatal = fatal
        self._loop = asyncio.get_running_loop()
        self._group = Group(secrets.token_hex(16))
        self._queue: deque[tuple[float, Job]] = deque()
        self._wake = asyncio.Event()
        self._link: Link | None = None
        self._away = ""
        self._broken: BaseException | None = None
        self._closing = False
        self._readers = Readers(self._connect)
        self._listener: Listener | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._completing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, *, fatal: Callable[[BaseException], None] = lambda _error: None) -> PostgresDatabase:
        """Connect, look at the server, and migrate.

        Raises:
            StorageError: unreachable, or not usable; the message says what to do and holds no password.
        """
        database = cls(parse_address(url), fatal)
        address = database._address
        await refuse_a_transaction_pooler(address)
        link = await Link.open(address, within=_OPEN)
        try:
            with link.within(_OPEN):
                database.warnings = await judge(link, address)
                database.standbys = await standbys(link)
            migrated = await migrate(link, address)
        except BaseException as error:
            link.cut()
            fault = fault_of(error)
            if fault is None or fault is error:
                raise
            raise StorageError(f"cannot use the database {address.name}: {fault}") from error
        database.migrated, database.waiting = (migrated.before, migrated.after), migrated.waiting
        if migrated.waiting:
            database._completing = asyncio.create_task(database._complete())
        database._use(link)
        database._task = asyncio.create_task(database._work())
        return database

    def full(self) -> str:
        """The server's disk is not ours to look at."""
        return ""

    def chain(self, sink: AuditSink) -> None:
        """Where audit records go from now on. Call it before the first unit that records anything."""
        self._group.sink, self._group.renew = sink, False

    def listen(self, hinted: Callable[[], None]) -> None:
        """Call `hinted` whenever another bridge says that there is something to do. A hint may get lost."""
        self._listener = Listener(self._group.name, self._connect, hinted, self._may_hint)

    async def write(
        self, unit: Unit[T], committed: Callable[[T], None] | None = None, expects: Sequence[Expected] = ()
    ) -> T:
        """Run a unit in the next group and return its result after the commit; see `Database.write`.

        Raises:
            StorageBusy: not now, at once while there is no connection. Nothing was stored, or (the message says so) it is
                unknown whether it was.
            StorageFatal: the database can no longer be trusted.
            Whatever the unit raises; then nothing of it was stored.
        """
        if self._broken is not None:
            raise StorageFatal("the database failed; the process is ending") from self._broken
        if self._closing:
            raise StorageBusy("the database is closing")
        if self._link is None:
            raise StorageBusy(f"there is no connection to the database: {self._away}")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.append((self._loop.time(), (unit, future, committed, expects)))
        self._wake.set()
        return await future

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on the last committed state, beside the writer.

        Raises:
            StorageBusy: not now.
            StorageFatal: the database can no longer be trusted.
        """
        if self._closing:
            raise StorageBusy("the database is closing")
        try:
            return await self._readers.read(unit)
        except StorageFatal as error:
            self._break(error)
            raise

    async def close(self) -> None:
        """Finish what is queued, and let go of every connection."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        if self._listener is not None:
            await self._listener.close()
        if self._task is not None:
            await self._task
        for task in (self._reconnecting, self._completing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._readers.close()
        if self._link is not None:
            link, self._link = self._link, None
            await link.close()

    def _may_hint(self) -> None:
        self._group.hints = True

    async def _connect(self, within: float = CONNECT) -> Link:
        return await Link.open(self._address, within=min(within, CONNECT))

    async def _work(self) -> None:
        while True:
            jobs = self._drain()
            if jobs:
                await self._commit(jobs)
            elif self._closing:
                return
            else:
                self._wake.clear()
                await self._wake.wait()
                await asyncio.sleep(0)  # what comes at the same moment goes into the same group
                await asyncio.sleep(0)

    def _drain(self) -> list[Job]:
        """What has queued, without what nobody waits for any more, and what has waited for too long."""
        jobs: list[Job] = []
        late = self._loop.time() - _QUEUED
        while self._queue and len(jobs) < _GROUP:
            since, job = self._queue.popleft()
            if job[1].cancelled():
                continue
            if since < late:
                _answer(job, None, StorageBusy("the database has been too slow for too long"))
            else:
                jobs.append(job)
        return jobs

    async def _commit(self, jobs: list[Job]) -> None:
        link = self._link
        if link is None or self._broken is not None:
            self._refuse(jobs, StorageBusy(f"there is no connection to the database: {self._away}"))
            return
        try:
            outcomes, later = await self._group.commit(link, jobs)
        except InDoubt as doubt:
            await self._settle(link, doubt, jobs)
        except StorageFatal as error:
            self._break(error)
            self._refuse(jobs, error)
        except StorageError as error:
            self._refuse(jobs, error)
            if isinstance(error, Lost) or link.closed:
                self._lose(link, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            _log.exception("group_failed")
            self._refuse(jobs, StorageBusy(f"the database cannot take it now: {error}"))
        else:
            for outcome in outcomes:
                self._tell(outcome)
            self._queue.extendleft((self._loop.time(), job) for job in reversed(later))

    async def _settle(self, link: Link, doubt: InDoubt, jobs: list[Job]) -> None:
        """Find out what became of a commit, in a few seconds; who cannot be told is told so."""
        link.cut()
        self._lose(link, str(doubt), reconnect=False)
        self._group.renew = True
        self._refuse_queued(StorageBusy(f"there is no connection to the database: {doubt}"))
        try:
            committed = await self._look(doubt)
        finally:
            self._reconnect()
        sink = self._group.sink
        if sink is not None:
            (sink.commit if committed else sink.rollback)()
        _log.warning("commit_in_doubt", error=str(doubt), committed=committed)
        if committed:
            for outcome in doubt.outcomes:
                self._tell(outcome)
            self._refuse(jobs, doubt)  # those that the group did not begin
            return
        unknown = "it is unknown whether it was stored" if committed is None else "nothing was stored"
        self._refuse(jobs, StorageBusy(f"{doubt}; {unknown}"))

    async def _look(self, doubt: InDoubt) -> bool | None:
        end = self._loop.time() + COMMIT
        while (left := end - self._loop.time()) > 0:
            looking: Link | None = None
            try:
                looking = await Link.open(self._address, within=left)
                with looking.within(max(0.1, end - self._loop.time())):
                    await require_writable(looking, self._address)
                    return await was_committed(looking, doubt.mark)
            except Exception as error:  # noqa: BLE001 - whatever it is, there may be time for another try
                _log.info("commit_looked_up_in_vain", error=str(error))
            finally:
                if looking is not None:
                    looking.cut()
            await asyncio.sleep(min(left, _SOONEST))
        return None

    def _refuse(self, jobs: list[Job], error: StorageError) -> None:
        """Answer these, and whoever waits behind them: it would be no better for them."""
        for job in jobs:
            _answer(job, None, error)
        self._refuse_queued(error)

    def _refuse_queued(self, error: StorageError) -> None:
        while self._queue:
            _answer(self._queue.popleft()[1], None, error)

    def _tell(self, outcome: Outcome) -> None:
        job, result, error = outcome
        if error is None and job[2] is not None:
            self._loop.call_soon(job[2], result)
        _answer(job, result, error)

    def _use(self, link: Link) -> None:
        self._link, self._away = link, ""
        link.on_close(lambda: self._lose(link, "the server closed it"))

    def _lose(self, link: Link, why: str, *, reconnect: bool = True) -> None:
        if self._link is not link:
            return
        self._link, self._away = None, why
        link.cut()
        if self._closing:
            return
        _log.warning("database_lost", database=self.name, error=why)
        if reconnect:
            self._reconnect()

    def _reconnect(self) -> None:
        if self._reconnecting is None or self._reconnecting.done():
            self._reconnecting = asyncio.create_task(self._return())

    async def _return(self) -> None:
        wait = 0.0
        while self._link is None and self._broken is None:
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait = min(max(wait * 2, _SOONEST), _LATEST)
            link: Link | None = None
            try:
                link = await self._connect()
                with link.within(_QUEUED):
                    await require_writable(link, self._address)
                    await require_known(link, self._address)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may be luckier
                if link is not None:
                    link.cut()
                if isinstance(error, StorageFatal):
                    self._break(error)
                self._away = str(error)
                continue
            except BaseException:  # the database is being closed
                if link is not None:
                    link.cut()
                raise
            self._use(link)
            _log.info("database_back", database=self.name)

    async def _complete(self) -> None:
        """Apply the `post` halves as soon as nobody needs what they take away."""
        while self.waiting and not self._closing:
            await asyncio.sleep(_COMPLETES_EVERY)
            link: Link | None = None
            try:
                link = await self._connect()
                self.waiting = (await migrate(link, self._address)).waiting
            except Exception as error:  # noqa: BLE001 - there is time
                _log.info("migration_waits", error=str(error))
            finally:
                if link is not None:
                    link.cut()

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
            self._loop.call_soon(self._fatal, error)


def _answer(job: Job, result: object, error: BaseException | None) -> None:
    future = job[1]
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
