"""Reads the calendars of schedules: fetches what is due, keeps the last good copy, and says when that gets old.

Of several bridges on a shared database one fetches; all of them read what it kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bridge.config.model import Config
from bridge.config.schedules import CalendarSettings
from bridge.domain.clock import Clock
from bridge.domain.duration import format_duration
from bridge.domain.errors import BridgeError, ChannelError, SecretError
from bridge.domain.person import Person
from bridge.domain.schedules import Override, Stretch
from bridge.domain.secret import Secret
from bridge.engine import handoffs, outbox
from bridge.engine.on_call import OnCallBook
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Work
from bridge.net import Response
from bridge.storage import calendars
from bridge.storage.calendars import StoredCalendar
from bridge.storage.transaction import Tx

_LOOK = timedelta(seconds=2)
_RETRY = timedelta(minutes=5)
_TIMEOUT = 20.0
_MAX_BYTES = 8 * 1024 * 1024
_BACK, _AHEAD = timedelta(days=62), timedelta(days=550)
_REREAD = timedelta(days=1)
_log = structlog.get_logger("bridge.calendars")

Opened = Callable[[str], Secret]
"""The address of a schedule's calendar. Raises SecretError."""


class _Failed(BridgeError):  # noqa: N818 - reads as the state it reports
    """Why a calendar could not be read; for people, without its address."""


class _Read(Struct, frozen=True):
    """What the shifts in the book were made from."""

    digest: str
    config: str
    at: datetime


class CalendarReader:
    """`address_of` opens the addresses of the configuration in force."""

    def __init__(self, transactions: Transactions, book: OnCallBook, clock: Clock, leads: Callable[[], bool]) -> None:
        self._transactions = transactions
        self._book = book
        self._clock = clock
        self._leads = leads
        self._read: dict[str, _Read] = {}
        self._stored: dict[str, StoredCalendar] = {}
        self.address_of: Opened = _closed
        self.turns = Turns("calendars")

    async def run(self) -> None:
        """Keep calendars up to date until `stop`."""
        await self.turns.run(self.step)

    def stop(self) -> None:
        self.turns.stop()

    def stale(self) -> dict[str, str]:
        """Why the copy of a calendar is old, by the schedule's name."""
        return {name: found.problem for name, found in self._stored.items() if found.warned}

    async def load(self) -> None:
        """Read the copies that are kept, before anybody asks who is on call."""
        config = self._transactions.generation().config
        for found in await self._transactions.read(calendars.every) if config.calendars else ():
            if found.schedule in config.calendars:
                await self._take(found.schedule, found, config)

    async def step(self) -> float:
        """Fetch what is due and read what is new; the seconds until the next look."""
        config = self._transactions.generation().config
        if not config.calendars and not self._stored:
            return _LOOK.total_seconds()
        stored = {found.schedule: found for found in await self._transactions.read(calendars.every)}
        if self._leads():
            for name, settings in config.calendars.items():
                stored[name] = await self._keep(name, settings, stored.get(name))
                self.turns.moved()
            for name in stored.keys() - config.calendars.keys():
                await self._drop(name)
        self._stored = {name: found for name, found in stored.items() if name in config.calendars}
        for name, found in self._stored.items():
            await self._take(name, found, config)
        return _LOOK.total_seconds()

    async def _keep(self, name: str, settings: CalendarSettings, known: StoredCalendar | None) -> StoredCalendar:
        """Fetch a calendar if it is due; what is known of it now."""
        now = self._clock.now()
        if known is None:
            known = StoredCalendar(name, "", "", now, now)
            await self._put(known, "")
        try:
            address = self.address_of(name)
        except SecretError as error:
            return await self._failed(known, settings, str(error))
        digest = _digest(address.reveal())
        pause = min(settings.every, _RETRY) if known.problem else settings.every
        if known.address == digest and now - known.tried_at < pause:
            return known
        known = replace(known, address=digest)
        try:
            content = await self._fetch(address, name, settings)
        except _Failed as error:
            return await self._failed(known, settings, str(error))
        now = self._clock.now()
        found = StoredCalendar(name, digest, _digest(content), now, now)
        await self._put(found, content)
        if known.warned:
            _log.info("calendar_fresh_again", schedule=name)
        return found

    async def _fetch(self, address: Secret, name: str, settings: CalendarSettings) -> str:
        """The content, which is a calendar. Raises _Failed."""
        http = self._transactions.generation().http
        try:
            response = await http.request(
                "GET", address, headers={"Accept": "text/calendar"}, timeout=_TIMEOUT, limit=_MAX_BYTES
            )
        except ChannelError as error:
            raise _Failed(f"it cannot be fetched: {error}") from error
        content = _content(response)
        await self._parsed(name, settings, content, self._transactions.generation().config)
        return content

    async def _failed(self, known: StoredCalendar, settings: CalendarSettings, problem: str) -> StoredCalendar:
        """Note that it failed; the first time the copy is too old, say so to the fallback."""
        now = self._clock.now()
        stale = now - known.good_at >= settings.stale_after
        found = replace(known, tried_at=now, problem=problem[:500], warned=known.warned or stale)
        if known.problem != found.problem:
            _log.warning("calendar_not_read", schedule=known.schedule, problem=problem)

        async def decision(work: Work) -> None:
            await calendars.failed(work.tx, found)
            if found.warned and not known.warned:
                await outbox.notice(work, _alarm(found, now))

        await self._transactions.write(now, decision)
        return found

    async def _take(self, name: str, found: StoredCalendar, config: Config) -> None:
        """Bring what the copy says into the book, unless it is there."""
        now = self._clock.now()
        read = self._read.get(name)
        fresh = read is not None and (read.digest, read.config) == (found.digest, config.digest)
        if read is not None and fresh and now - read.at < _REREAD:
            return
        shifts: tuple[Override, ...] = ()
        if found.digest:
            content = await self._transactions.read(lambda tx: calendars.content(tx, name))
            try:
                shifts = await self._parsed(name, config.calendars[name], content, config)
            except _Failed as error:
                _log.warning("calendar_not_read", schedule=name, problem=str(error))
                return
        changed = self._book.shifts.get(name) != shifts
        self._book.imported(name, shifts)
        if changed and self._leads():
            await handoffs.look(self._transactions, now)
        self._read[name] = _Read(found.digest, config.digest, now)

    async def _parsed(
        self, name: str, settings: CalendarSettings, content: str, config: Config
    ) -> tuple[Override, ...]:
        zone = config.schedules[name].zone
        people = tuple(config.people.values())
        now = self._clock.now()
        return await asyncio.to_thread(_parse, name, content, people, zone, settings, (now - _BACK, now + _AHEAD))

    async def _put(self, calendar: StoredCalendar, content: str) -> None:
        async def decision(work: Work) -> None:
            await calendars.put(work.tx, calendar, content)

        await self._transactions.write(self._clock.now(), decision)

    async def _drop(self, name: str) -> None:
        async def decision(work: Work) -> None:
            await calendars.drop(work.tx, name)

        await self._transactions.write(self._clock.now(), decision)
        self._book.imported(name, ())
        self._read.pop(name, None)


async def stored_shifts(tx: Tx, config: Config, name: str, begin: datetime, end: datetime) -> tuple[Override, ...]:
    """What the last good copy of a schedule's calendar says of a stretch of time, for whoever only reads the database."""
    content = await calendars.content(tx, name)
    people = tuple(config.people.values())
    zone, settings = config.schedules[name].zone, config.calendars[name]
    return _parse(name, content, people, zone, settings, (begin, end)) if content else ()


def _parse(
    name: str, content: str, people: tuple[Person, ...], zone: str, settings: CalendarSettings, window: Stretch
) -> tuple[Override, ...]:
    from bridge.calendars import CalendarError, Who, parse_calendar  # as in bridge.http.schedules

    try:
        found = parse_calendar(content.encode(), Who.of(people), zone, *window, match=settings.match)
    except CalendarError as error:
        raise _Failed(str(error)) from error
    if found.unknown:
        _log.warning("calendar_names_strangers", schedule=name, number=len(found.unknown))
    return found.shifts


def _content(response: Response) -> str:
    if response.status != 200:
        moved = "; redirects are not followed, give the address it leads to" if 300 <= response.status < 400 else ""
        raise _Failed(f"it is answered with status {response.status}{moved}")
    if not response.complete:
        raise _Failed("it is too large, or came only in part")
    return response.body.decode("utf-8", "replace").replace("\0", "")


def _alarm(found: StoredCalendar, now: datetime) -> str:
    age = format_duration(timedelta(seconds=int((now - found.good_at).total_seconds())))
    what = f"the copy in use is {age} old" if found.digest else f"it could not be read for {age}, and there is no copy"
    return f"the calendar of the schedule {found.schedule} is out of date: {what}.\n{found.problem}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _closed(name: str) -> Secret:
    raise SecretError(f"schedules.{name}.ical.url: not opened yet")
