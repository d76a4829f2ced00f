"""One connection to PostgreSQL. Whatever takes longer than its deadline cuts it: nothing is ever waited for without end.

The driver's own timeouts are not used. They ask the server to cancel, and a COMMIT that waits for a synchronous standby
answers a cancellation with success although nothing is on the standby.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg

from bridge.domain.errors import StorageError
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_faults import Lost, fault_of
from bridge.storage.transaction import Row, Value

T = TypeVar("T")

TURN = 3.5
"""Seconds to wait for the turn. Longer than `IDLE`: who waits behind a bridge that stands still is served all the same."""

IDLE = 2.0
"""Seconds after which the server ends a transaction in which nothing happens."""

STATEMENT = 4.5
CONNECT = 3.0

_SESSION = (
    f"SET statement_timeout = {round(STATEMENT * 1000)}",
    f"SET lock_timeout = {round(TURN * 1000)}",
    f"SET idle_in_transaction_session_timeout = {round(IDLE * 1000)}",
    "SET jit = off",
    # A plan is made while a table is small and kept while it grows: it must be one that looks rows up by their index.
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    # The server lets go of a client that is gone, and of what it had locked.
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 10000",
    "SET client_connection_check_interval = 1000",
)
_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 10_000))
_REFUSALS = (
    (asyncpg.InvalidPasswordError, "refuses the user or the password of storage.url"),
    (asyncpg.InvalidCatalogNameError, "is no database there: make it with CREATE DATABASE, encoding UTF8"),
)
_MISFITS = (OverflowError, UnicodeError, TypeError)
_CACHED = 1000
_COUNT = re.compile(r"(\d+)$")


class _KeptAlive(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection whose socket notices that the other side is gone."""

    def __init__(self, protocol: object, transport: asyncio.Transport, *rest: object) -> None:
        super().__init__(protocol, transport, *rest)
        connected = transport.get_extra_info("socket")
        if connected is None or connected.family not in {socket.AF_INET, socket.AF_INET6}:
            return
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                with contextlib.suppress(OSError):
                    connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Link:
    """A connection. Its methods raise `StorageError` where the storage is to blame, and the driver's error otherwise."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._overdue = ""
        self._types: dict[str, tuple[str, ...]] = {}
        self._variants: dict[tuple[str, ...], str] = {}
        self.warnings: list[str] = []
        """What the server warned of since it was last emptied."""
        connection.add_log_listener(self._warned)

    @classmethod
    async def open(
        cls, address: Address, *, within: float | None = None, pooled: bool = False, reads: bool = False
    ) -> Link:
        """Connect. `pooled`: a pooler may be between, so nothing is prepared or set for the session.

        Of several hosts one that takes writes is meant, unless it is to be read only (`reads`).

        Raises:
            StorageError: there is no connection to be had.
        """
        within = CONNECT if within is None else within
        chosen = reads or not address.several or "target_session_attrs" in address.dsn.reveal()
        target = None if chosen else "read-write"
        name = None if "application_name" in address.dsn.reveal() else {"application_name": "alertbridge"}
        try:
            async with asyncio.timeout(within):
                connection = await asyncpg.connect(
                    address.dsn.reveal(), timeout=within, statement_cache_size=0 if pooled else _CACHED,
                    max_cached_statement_lifetime=0, connection_class=_KeptAlive, server_settings=name,
                    target_session_attrs=target,
                )  # fmt: skip
        except TimeoutError as error:
            raise Lost(f"{address.name} does not answer within {within:g} s") from error
        except OSError as error:
            raise Lost(f"{address.name} cannot be reached: {error.strerror or error}") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as error:
            raise refusal(address, error) from error
        link = cls(connection)
        if not pooled:
            try:
                with link.within(within):
                    await link._settle_in()
            except BaseException:
                link.cut()
                raise
        return link

    @property
    def closed(self) -> bool:
        return bool(self._connection.is_closed())

    @property
    def server_version(self) -> int:
        return int(self._connection.get_server_version().major)

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back once when the connection ends, however it ends."""
        self._connection.add_termination_listener(lambda _connection: callback())

    async def listen(self, channel: str, heard: Callable[[str], None]) -> None:
        await self._asked(
            self._connection.add_listener(channel, lambda _connection, _pid, _channel, payload: heard(payload))
        )

    async def all(self, statement: str, *values: object) -> list[Row]:
        return await self._asked(self._connection.fetch(statement, *values))

    async def one(self, statement: str, *values: object) -> Row | None:
        return await self._asked(self._connection.fetchrow(statement, *values))

    async def run(self, statement: str, *values: object) -> int:
        """How many rows changed."""
        count = _COUNT.search(await self._asked(self._connection.execute(statement, *values)))
        return int(count[1]) if count else 0

    async def many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        await self._asked(self._connection.executemany(statement, rows))

    async def pages(self, statement: str, *values: object) -> Callable[[int], Coroutine[Any, Any, list[Row]]]:
        """Open a cursor in the transaction that is under way; each call of what is given fetches so many rows more."""
        cursor = await self._asked(self._connection.cursor(statement, *values))
        return lambda count: self._asked(cursor.fetch(count))

    async def types(self, statement: str) -> tuple[str, ...]:
        """The names of its parameters' types; asked of the server once."""
        found = self._types.get(statement)
        if found is None:
            prepared = await self._asked(self._connection.prepare(statement))
            found = self._types[statement] = tuple(str(parameter.name) for parameter in prepared.get_parameters())
        return found

    async def variant(self, statements: tuple[str, ...], of: Callable[[list[tuple[str, ...]]], str]) -> str:
        """What `of` makes of the statements, given the types of their parameters; made once, so always by the same `of`."""
        found = self._variants.get(statements)
        if found is None:
            found = self._variants[statements] = of([await self.types(statement) for statement in statements])
        return found

    async def prepare(self, statement: str) -> None:
        """Let the server judge a statement without running it."""
        await self._asked(self._connection.prepare(statement))

    async def script(self, text: str) -> str:
        """Run statements without parameters, in one round trip; the last one's command tag."""
        return await self._asked(self._connection.execute(text))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection if what is inside takes longer. The server is not asked to cancel anything."""
        timer = self._loop.call_later(seconds, self._expire, seconds)
        try:
            yield
        finally:
            timer.cancel()

    def cut(self) -> None:
        """End it at once, without a word to the server."""
        self._connection.terminate()

    async def close(self) -> None:
        """End it in order, or at once if that takes too long."""
        if self.closed:
            return
        with contextlib.suppress(Exception), self.within(1.0):
            await self._connection.close(timeout=None)
        self.cut()

    def _expire(self, seconds: float) -> None:
        self._overdue = f"the database did not answer within {seconds:g} s"
        self.cut()

    async def _asked(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except Exception as error:
            if self._overdue:
                raise Lost(self._overdue) from error
            fault = fault_of(error)
            if fault is not None and fault is not error:
                raise fault from error
            if isinstance(error.__cause__, _MISFITS):  # a value that fits no column, in the words of SQLite's driver
                raise error.__cause__ from None
            raise

    async def _settle_in(self) -> None:
        try:
            await self.script("; ".join(_SESSION))
        except Exception:  # noqa: BLE001 - a server that only speaks PostgreSQL may not know them all
            for setting in _SESSION:
                with contextlib.suppress(asyncpg.PostgresError):
                    await self._connection.execute(setting)

    def _warned(self, _connection: object, message: Any) -> None:
        if message.severity_en in {"WARNING", "ERROR", "FATAL"} or message.sqlstate[:2] == "01":
            self.warnings.append(str(message))


def refusal(address: Address, error: Exception) -> StorageError:
    """Why there was no connection, in words that say what to do. Never a password."""
    for kind, text in _REFUSALS:
        if isinstance(error, kind):
            return StorageError(f"{address.name} {text}")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return Lost(f"{address.name}: no server there takes writes")
    if isinstance(error, asyncpg.PostgresError):
        said = (str(error).splitlines() or [type(error).__name__])[0]
        kind = Lost if isinstance(fault_of(error), Lost) else StorageError
        return kind(f"{address.name}: {said}")
    return StorageError(f"{address.name}: the address in storage.url cannot be used ({type(error).__name__})")
