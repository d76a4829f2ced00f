"""An engine on a real database, with a clock the test turns and a channel that keeps what it was given."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from bridge import __version__
from bridge.app.files import registries_of
from bridge.app.trail import Trail
from bridge.audit.chain import new_chain_id
from bridge.channels.api import Channel, ChannelOptions, Context, Message, Receipt
from bridge.channels.registry import ChannelRegistry
from bridge.config.load import load
from bridge.config.open_secrets import SecretOpener
from bridge.domain.alert import Alert, Status, Webhook, fingerprint
from bridge.domain.errors import StorageError
from bridge.engine import doubt
from bridge.engine.attempt import Attempt
from bridge.engine.backlog import Backlog
from bridge.engine.build import Builder
from bridge.engine.counting import Counting
from bridge.engine.generation import Generation
from bridge.engine.intake import Intake
from bridge.engine.leases import Leases
from bridge.engine.operator import Operator
from bridge.engine.refusals import Refusals
from bridge.engine.sender import Sender
from bridge.engine.silences import SilenceBook
from bridge.engine.timekeeper import Timekeeper
from bridge.engine.transactions import Transactions
from bridge.hooks.registry import HookRegistry
from bridge.ingest.posted_silence import PostedSilence
from bridge.net import Egress, HttpClient
from bridge.observe.metrics import Metrics
from bridge.routing.matchers import parse_matchers
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.redaction import Redactor
from bridge.storage.database import Database
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.transaction import Tx

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

MINIMAL = """
channels:
  people: {type: console}
  pager: {type: console}
route:
  receiver: people
"""


class Dial:
    """A clock that stands still until it is turned."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def turn(self, **span: float) -> datetime:
        self.time += timedelta(**span)
        return self.time


Answer = Callable[[Message, Context], Receipt | None]


class Recorder:
    """Stands for every channel of a test: keeps messages, and answers as the test says. It follows what the real one does."""

    Options: ClassVar = ChannelOptions
    idempotency: ClassVar = "none"

    def __init__(self, name: str, sent: list[Message], answers: list[Answer], real: Channel | None) -> None:
        self.name = name
        self.follows_acknowledgement = real is not None and real.follows_acknowledgement
        self.follows_unacknowledgement = getattr(real, "follows_unacknowledgement", False)
        self._sent = sent
        self._answers = answers

    async def send(self, message: Message, context: Context) -> Receipt:
        receipt = self._answers.pop(0)(message, context) if self._answers else None
        self._sent.append(message)
        return receipt or Receipt()


@dataclass
class Bench:
    database: Database
    transactions: Transactions
    intake: Intake
    sender: Sender
    timekeeper: Timekeeper
    backlog: Backlog
    operator: Operator
    clock: Dial
    metrics: Metrics
    http: HttpClient
    silences: SilenceBook | None = None
    trail: Trail | None = None
    leases: Leases | None = None
    parse: dict[str, Webhook] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def configure(self, text: str, folder: Path) -> Generation:
        """A generation of the YAML text, every channel replaced by a recorder."""
        from msgspec.structs import replace

        path = folder / "main.yml"
        path.write_text(text)
        loaded = load(path, ChannelRegistry.load(), HookRegistry.load())
        assert loaded.config is not None, loaded.problems
        builder = Builder(*registries_of(loaded), self.http, Redactor())
        generation = builder.build(loaded.config, SecretOpener.of(loaded.config, None))
        channels = {
            name: replace(
                configured, channel=Recorder(name, self.sent, self.answers.setdefault(name, []), configured.channel)
            )
            for name, configured in generation.channels.items()
        }
        return replace(generation, channels=channels)

    async def post(self, *alerts: Alert, **envelope: object) -> None:
        """Alertmanager posts these alerts; then everything due is done."""
        await self.accept(*alerts, **envelope)
        await self.settle()

    async def accept(self, *alerts: Alert, **envelope: object) -> None:
        fields = {"group_labels": {"alertname": alerts[0].labels["alertname"]}, **envelope}
        webhook = Webhook(alerts[0].source, "alertmanager", alerts, **fields)  # type: ignore[arg-type]
        body = repr(webhook).encode()
        digest = hashlib.sha256(body).hexdigest()
        self.parse[digest] = webhook
        await self.intake.accept(webhook, body, digest, self.clock.now())

    async def silence(self, matchers: str, *, end: datetime, start: datetime | None = None, name: str = "") -> str:
        """Alice makes a silence, or edits the one of this id; gives its id."""
        assert self.silences is not None
        asked = tuple((one.name, one.op, one.value) for one in parse_matchers(matchers))
        posted = PostedSilence(name, asked, start or self.clock.now(), end, "alice", "patching", {})
        return await self.silences.put(posted, "alice", self.clock.now())

    async def settle(self) -> None:
        """Until nothing is due: plan, take timers, send."""
        for _turn in range(1000):
            now = self.clock.now()
            done = await self.backlog.step() + await self.timekeeper.step(now) + await self.sender.step(now)
            await self.sender.idle()
            if not done:
                return
        raise AssertionError("the engine does not come to rest")

    async def pass_time(self, *, step: float = 1.0, **span: float) -> None:
        """Turn the clock in steps of seconds, doing what is due at each."""
        end = self.clock.now() + timedelta(**span)
        while self.clock.now() < end:
            self.clock.turn(seconds=min(step, (end - self.clock.now()).total_seconds()))
            await self.settle()

    async def audit(self, kind: str = "") -> list[tuple[str, str, str]]:
        """(kind, reason, channel) of each record."""

        async def load_all(tx: Tx) -> list[tuple[str, str, str]]:
            rows = await tx.all("audit_since", 0, kind, kind, "", "", 100_000)
            return [(row[3], row[10], row[8]) for row in rows]

        return await self.database.read(load_all)

    def told(self) -> list[str]:
        """Each message as `channel reason`."""
        return [f"{message.channel} {message.reason.value}" for message in self.sent]


@asynccontextmanager
async def engine(folder: Path, text: str = MINIMAL, clock: Dial | None = None, url: str = "") -> AsyncIterator[Bench]:
    """An engine on `folder/bridge.db`, or on the shared database `url`, with this configuration; nothing runs by itself."""
    clock = clock or Dial()
    database: Database
    if url:
        database = await PostgresDatabase.open(url)
    else:
        database = await SqliteDatabase.open(folder / "bridge.db")
    http = HttpClient(Egress())
    try:
        metrics = Metrics(__version__)
        bench = Bench(database, *([None] * 6), clock, metrics, http)  # type: ignore[arg-type]
        bench.transactions = Transactions(database, bench.configure(text, folder))
        keys = InstanceKeys.load_or_create(folder / "bridge.db.keys")
        leases: Leases | None = None
        if database.shared:
            bench.transactions.owner = owner = new_chain_id()
            leases = Leases(owner, bench.transactions, clock, lambda: clock.now().timestamp())
        beside = database.path if isinstance(database, SqliteDatabase) else None
        bench.trail = await Trail.begin(database, keys, clock.now(), {}, beside)
        rng = random.Random(1)
        attempt = Attempt(keys, clock, str)
        bench.sender = Sender(bench.transactions, attempt, metrics, clock, rng, leases)
        bench.leases = leases
        bench.timekeeper = Timekeeper(bench.transactions, metrics, clock)
        bench.backlog = Backlog(bench.transactions, lambda request: bench.parse[request.digest], metrics, clock)
        bench.intake = Intake(bench.transactions, bench.backlog, Refusals(), metrics)
        bench.operator = Operator(bench.transactions)
        bench.transactions.follow(Counting(metrics).follow)
        bench.silences = SilenceBook(bench.transactions, clock)
        await bench.silences.load()
        await doubt.begin(bench.transactions, clock.now())
        await bench.sender.load()
        await bench.backlog.load()
        yield bench
        await bench.sender.stop(timedelta())
        with suppress(StorageError):  # a database that is lost is not left in order
            await doubt.end(bench.transactions, clock.now())
    finally:
        await http.close()
        await database.close()


def firing(name: str = "Down", *, at: datetime = START, source: str = "default", **labels: str) -> Alert:
    everything = {"alertname": name, **labels}
    return Alert(
        source, "", fingerprint(everything), Status.FIRING, everything, {"summary": f"{name} is firing"}, at, None,
        at.isoformat(), "",
    )  # fmt: skip


def resolved(
    name: str = "Down", *, at: datetime = START, end: datetime, source: str = "default", **labels: str
) -> Alert:
    everything = {"alertname": name, **labels}
    return Alert(
        source, "", fingerprint(everything), Status.RESOLVED, everything, {"summary": f"{name} is firing"}, at, end,
        at.isoformat(), end.isoformat(),
    )  # fmt: skip
