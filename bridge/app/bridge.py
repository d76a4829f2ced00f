"""One running bridge: its parts, how they start, follow the configuration, and stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from bridge import __version__
from bridge.app.calendars import opened
from bridge.app.descriptors import within_limits
from bridge.app.files import http_of, instance_keys, keyring_of, open_database, read_files, registries_of, usable
from bridge.app.front import Front
from bridge.app.parts import Parts
from bridge.app.rereading import read_again
from bridge.app.selfwatch import SelfWatch
from bridge.app.stages import Stages
from bridge.app.trail import Trail
from bridge.app.watchdog import LoopPulse
from bridge.config.load import Loaded
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener, open_mirror
from bridge.domain.alert import Webhook
from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import BridgeError, ConfigError, StorageError, StorageFatal
from bridge.engine import heartbeats, outages, outbox
from bridge.engine.build import Builder
from bridge.engine.generation import Generation
from bridge.engine.reconfigured import adopt
from bridge.engine.transactions import Decision
from bridge.engine.views import Health, Trouble
from bridge.engine.work import Work
from bridge.net import HttpClient
from bridge.observe.logs import log_thread
from bridge.observe.metrics import Metrics
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.redaction import Redactor
from bridge.storage import journal, watch
from bridge.storage.database import Database
from bridge.storage.journal import Request
from bridge.storage.sqlite import SqliteDatabase
from bridge.workflows.threads import left_behind, left_behind_ever

if TYPE_CHECKING:
    from bridge.storage.postgres import PostgresDatabase

_log = structlog.get_logger("bridge")
_GRACE = timedelta(seconds=15)
_KEY = "newest_key"
_LAST_WORDS = 2.0
_LOG_BEHIND = 5.0
_PROBE = 1.0
_PROBE_SIZE = 2**16
_RETIRE_AFTER = timedelta(seconds=60)
_RESTORED = "It is used as it is: what waited in it is sent, and in a minute what is open in it is told of again."


class Bridge:
    """Everything that runs. Make it with `start`; `stop` ends it in order."""

    def __init__(
        self, path: Path, loaded: Loaded, database: Database, keys: InstanceKeys, clock: Clock, redactor: Redactor
    ) -> None:
        """Put the parts together; nothing runs yet."""
        self._path = path
        self._clock = clock
        self.redact = redactor.clean
        self._database = database
        self._head_file = database.path if isinstance(database, SqliteDatabase) else None
        self._redactor = redactor
        self._loaded = loaded
        self._refused: tuple[str, ...] = ()
        self._stopping = False
        self._reloading = asyncio.Lock()
        self._recorded = ""
        self._dropped = 0
        self._key = ""
        self._stages = Stages(clock)
        self._clients: set[HttpClient] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self.metrics = metrics = Metrics(__version__)
        generation, self._opener = self._build(loaded)
        self._parts = parts = Parts(
            database, generation, keys, clock, metrics, redactor.clean, self._parse, self._checkpoint
        )
        self.transactions, self.sender = parts.transactions, parts.sender
        self.intake, self.operator, self.silences = parts.intake, parts.operator, parts.silences
        self.membership, self.explainer = parts.membership, parts.explainer
        self.asks, self.link_acts = parts.asks, parts.link_acts
        parts.calendars.address_of = lambda name: opened(self.config, self._opener, name)
        parts.mirroring.opened = lambda name: open_mirror(self.config, name, self._opener)
        self.heartbeats, self.drills = parts.heartbeats, parts.drills
        self.on_call, self.calendar_token = parts.on_call, keys.calendar_token
        self._keys = keys
        self.watch = SelfWatch(
            database, parts, keys, clock, metrics, redactor.clean,
            checkpoint_due=self._checkpoint_due, ready=self._is_ready,
        )  # fmt: skip
        self._trail: Trail | None = None
        self.front: Front | None = None

    @classmethod
    async def start(
        cls,
        path: Path,
        clock: Clock,
        *,
        strict: bool = False,
        fatal: Callable[[BaseException], None],
        pulse: LoopPulse | None = None,
    ) -> Bridge:
        """Load, open, listen. `strict` refuses any error in any file. `pulse` is that of the loop, if it is watched.

        Raises:
            BridgeError: it cannot start; the message says what to do.
        """
        loaded = await asyncio.to_thread(read_files, path)
        config = usable(loaded, strict=strict)
        database = await open_database(config, fatal)
        try:
            if loaded.refused:
                good = await database.read(journal.good_files)
                loaded = await asyncio.to_thread(read_files, path, good)
                config = usable(loaded, strict=strict)
            bridge = cls(path, loaded, database, instance_keys(config, database), clock, Redactor())
            bridge.watch.feel(pulse or LoopPulse())
            bridge.watch.lost = partial(fatal, StorageFatal("the thread that commits has ended"))
            await bridge._run(config)
        except BaseException:
            await database.close()
            raise
        return bridge

    @property
    def config(self) -> Config:
        return self.transactions.generation().config

    async def reload(self) -> Sequence[str]:
        """Read the configuration again and swap it in whole; the problems, none if everything read is in force."""
        async with self._reloading:  # a signal, a changed file and a request may come at once
            return await self._reload()

    async def _reload(self) -> Sequence[str]:
        loaded = await asyncio.to_thread(read_files, self._path, self._loaded.texts)
        problems = tuple(str(found) for found in loaded.errors)
        now = self._clock.now()
        before = self.transactions.generation()
        try:
            if loaded.config is None:
                raise ConfigError("\n".join(problems))
            generation, opener = self._build(loaded)
            if self.front is not None:
                self.front.apply(generation.config, opener)
                self.front.incomplete(refused=bool(loaded.refused))
        except BridgeError as error:
            problems = problems or (str(error),)
            if problems == self._refused:  # a signal and a changed file tell of the same edit
                return problems
            self._note_refusal(problems)
            return await self._told(partial(_refused, text=str(error)), now, problems)
        news = problems if problems != self._refused else ()
        self._loaded, self._opener = loaded, opener
        self.transactions.swap(generation)
        crashpoint("reload.after_swap")
        self._parts.calendars.turns.wake()
        self._retire(before)
        self._note_refusal(problems)
        return await self._told(partial(self._in_force, loaded=loaded, problems=news), now, problems, generation.digest)

    async def _told(
        self, decision: Decision[None], now: datetime, problems: tuple[str, ...], digest: str = ""
    ) -> tuple[str, ...]:
        """Record what became of a reload, and let what was parked go on; not being able to is a problem too."""
        try:
            await self.transactions.write(now, decision)
            self._recorded = digest or self._recorded
            await self.sender.reloaded(now)
            await adopt(self.transactions, now)
        except StorageError as error:
            return (*problems, f"the reload could not be recorded: {error}")
        return problems

    async def health(self) -> Health:
        """Whether alerts can be kept, and what else is wrong."""
        return Health(await self._is_ready(), self._troubles())

    async def _is_ready(self) -> bool:
        if not self.intake.healthy:
            await self._try_a_commit()
        return self.intake.healthy and not self._database.full() and not self._stopping

    def _troubles(self) -> tuple[Trouble, ...]:
        channels = self.transactions.generation().channels
        troubles = [
            *(
                Trouble("channel_unusable", name, channel.problem)
                for name, channel in channels.items()
                if channel.problem
            ),
            *(Trouble("channel_refuses", name, "its deliveries wait") for name in self.sender.credentials.open()),
            *(Trouble("deliveries_parked", name, str(number)) for name, number in self.sender.parked().items()),
            *(Trouble("file_refused", found.file, found.stands_in) for found in self._loaded.refused),
            *(Trouble("config_refused", "", text) for text in self._refused),
            *(
                Trouble("source_closed", name, text)
                for name, text in (self.front.closed_sources if self.front else {}).items()
            ),
            *(
                Trouble("heartbeat_closed", name, text)
                for name, text in (self.front.closed_heartbeats if self.front else {}).items()
            ),
            *(Trouble("stage_failed", found.stage, found.error) for found in self._stages.stalled()),
            *(Trouble("mirror_failed", name, text) for name, text in self._parts.mirroring.problems().items()),
            *(Trouble("calendar_stale", name, text) for name, text in self._parts.calendars.stale().items()),
            *self.watch.troubles(),
        ]
        if log_thread().behind() > _LOG_BEHIND:
            troubles.append(Trouble("log_blocked", "", "nobody reads standard error; what does not fit is dropped"))
        if full := self._database.full():
            troubles.append(Trouble("disk_full", self._database.name, full))
        if (server := self._server()) is not None:
            troubles += [Trouble("durability", server.name, text) for text in server.warnings]
        if self._trail is not None and self._trail.restored:
            troubles.append(Trouble("database_restored", self._database.name, self._trail.restored))
        return tuple(troubles)

    async def refresh(self, metrics: Metrics) -> None:
        """Set the gauges that are counted only when asked for."""
        self.watch.count(self._troubles())
        await self._parts.sweeper.measure()
        if self._trail is not None:
            metrics.audit_records.inc(self._trail.uncounted())
        dropped = log_thread().dropped
        metrics.log_lines_dropped.inc(dropped - self._dropped)
        self._dropped = dropped
        metrics.set_threads_left(left_behind(), left_behind_ever())

    async def stop(self) -> None:
        """Take no more alerts, let what is in hand end, record the stop, close."""
        if self._stopping:
            return
        self._stopping = True
        await self.watch.stop()
        if self.front is not None:
            await self.front.stop()
        crashpoint("shutdown.after_stop_accept")
        try:
            await self._parts.stop(self._stages, min(self.config.server.drain_timeout, _GRACE))
            self.transactions.close()
            if self._trail is not None:
                await self._trail.end(self._clock.now())
        finally:
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            for client in self._clients:
                await client.close()
            await self._database.close()

    async def abandon(self) -> None:
        """The database is lost: answer what is in hand (with 503), and take no more."""
        self._stopping = True
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_LAST_WORDS):
                if self.front is not None:
                    await self.front.stop()

    async def _run(self, config: Config) -> None:
        facts = {"version": __version__, "config": config.digest}
        last = await self._database.read(watch.last_known)
        self._trail = await Trail.begin(self._database, self._keys, self._clock.now(), facts, self._head_file)
        await self.watch.begin(last)
        now = self._clock.now()
        # What waits is read first: what the first commits add comes to the sender by itself.
        waiting, pending = await self._parts.load()
        known = [channel.credential for channel in self.transactions.generation().channels.values()]
        self.sender.credentials.standing = await self._database.read(partial(outages.standing, names=known))
        await self._parts.join(now)
        problems = tuple(str(found) for found in self._loaded.errors)
        self._note_refusal(problems)
        decision = partial(self._in_force, loaded=self._loaded, problems=problems, restored=self._trail.restored)
        await self.transactions.write(now, decision)
        self._recorded = config.digest
        await self.sender.reloaded(now)
        await self.transactions.write(now, partial(heartbeats.excuse, alive=last))
        await adopt(self.transactions, now)
        await self._trail.checkpoint(now)
        self.front = Front(self, self.config, self._opener, self._clock)
        self.front.incomplete(refused=bool(self._loaded.refused))
        await self.front.start()
        self._parts.start(self._stages)
        if (server := self._server()) is not None:
            server.listen(self.sender.look_soon)
            _warn_of_durability(server)
        self.watch.start(self._stages)
        _log.info("started", version=__version__, listen=str(config.server.listen), waiting=waiting, pending=pending)

    def _server(self) -> PostgresDatabase | None:
        """The database, if it is on a server; the driver is not loaded where there is none."""
        return cast("PostgresDatabase", self._database) if self._database.shared else None

    def _build(self, loaded: Loaded) -> tuple[Generation, SecretOpener]:
        if loaded.config is None:
            raise ConfigError("there is no valid configuration")
        config = within_limits(loaded.config)
        keyring = keyring_of(config)
        self._key = keyring.public().kid if keyring is not None else ""
        opener = SecretOpener.of(config, keyring)
        http = http_of(config, anew=bool(self._clients))  # a reload reads certificates too
        generation = Builder(*registries_of(loaded), http, self._redactor).build(config, opener)
        self._clients.add(http)
        return generation, opener

    def _retire(self, generation: Generation) -> None:
        """Close what a generation sent with, once nothing of it can be under way."""
        longest = max((channel.options.timeout for channel in generation.channels.values()), default=timedelta())
        client = generation.http

        async def close() -> None:
            await asyncio.sleep((longest + _RETIRE_AFTER).total_seconds())
            self._clients.discard(client)
            await client.close()

        task = asyncio.create_task(close())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _try_a_commit(self) -> None:
        """After a commit failed: whoever asks whether we are ready may be the one who lets the next request through."""
        text = self._clock.now().isoformat().ljust(_PROBE_SIZE)  # as large as requests may well be
        unit = partial(journal.set_fact, name="last_probe", value=text)
        try:
            async with asyncio.timeout(_PROBE):
                await self._database.write(unit)
        except (StorageError, TimeoutError):
            return
        self.intake.healthy = True

    async def _in_force(self, work: Work, *, loaded: Loaded, problems: tuple[str, ...], restored: str = "") -> None:
        """A configuration is in force: keep its texts, say so, and say what was refused."""
        await journal.keep_good_files(work.tx, loaded.texts, work.now)
        if work.generation.digest != self._recorded:
            work.record(Kind.CONFIG_LOADED, digest=work.generation.digest)
        await self._note_key(work)
        if problems:
            await _refused(work, text="\n".join(problems))
        if restored:
            await outbox.notice(
                work, f"restored mode, because the database is not what it was: {restored}. {_RESTORED}"
            )

    async def _note_key(self, work: Work) -> None:
        """Record that the keyring seals with another key than before."""
        known = await journal.fact(work.tx, _KEY)
        if known is not None and known != self._key:
            work.record(Kind.KEY_ROTATED, reason=self._key or "none", detail=f"before: {known or 'none'}")
        if known != self._key:
            await journal.set_fact(work.tx, _KEY, self._key)

    def _parse(self, request: Request) -> Webhook:
        return read_again(self.config, request)

    async def _checkpoint(self, now: datetime) -> None:
        if self._trail is not None:
            await self._trail.checkpoint_if_due(now)

    async def _checkpoint_due(self, now: datetime) -> bool:
        return self._trail is not None and self._parts.leads() and await self._trail.due(now)

    def _note_refusal(self, problems: tuple[str, ...]) -> None:
        self._refused = problems
        self.metrics.config_last_reload_successful.set(0 if problems else 1)
        self.metrics.set_config(self._loaded.texts)
        for text in problems:
            _log.error("configuration", problem=text)
        for found in self._loaded.problems:
            if found.severity == "warning":
                _log.warning("configuration", problem=str(found))


def _warn_of_durability(database: PostgresDatabase) -> None:
    for text in database.warnings:
        _log.warning("durability", database=database.name, problem=text)
    if not database.standbys:
        _log.info("durability", database=database.name, note="no synchronous standby: promoting one may lose alerts")


async def _refused(work: Work, *, text: str) -> None:
    work.record(Kind.CONFIG_REFUSED, detail=text[:4000])
    await outbox.notice(
        work, f"the configuration has errors; what is in force instead stands in /-/ready:\n{text[:3000]}"
    )
