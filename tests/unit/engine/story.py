"""A story for the engine, told step by step, and what an onlooker holds it to.

The onlooker knows only what was put in (reports, acts of people, faults) and what reached the channels.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.channels.api import ChannelOptions, Context, Message, Receipt
from bridge.domain.alert import Alert, Status
from bridge.domain.errors import Conflict
from bridge.domain.message import Reason
from bridge.engine import doubt
from bridge.engine.generation import Generation
from bridge.engine.refusals import Refusals
from bridge.engine.sweeper import Sweeper
from bridge.secrets.instance import InstanceKeys
from tests.bridge_bench import Bench, Dial, engine, firing, resolved
from tests.unit.engine.moods import failure

CONFIGURATION = """
fallback: desk
channels:
  people: {type: console, send_on: [opened, changed, reminder, escalated, acknowledged, resolved]}
  chat: {type: console}
  pager: {type: console}
  desk: {type: console}
receivers:
  crew: [people, chat]
escalations:
  night:
    - {after: 5m, notify: [pager]}
    - {after: 20m, notify: [pager], repeat: {every: 15m, times: 2}}
route:
  receiver: crew
  hooks: [dedupe, {escalate: night}]
  routes:
    - {name: one, matchers: ['team="web"'], receiver: people, continue: true}
    - {name: two, matchers: ['team="web"'], receiver: chat}
"""
WITHOUT_CHAT = (CONFIGURATION.replace("  chat: {type: console}\n", "").replace("[people, chat]", "[people]")).replace(
    "receiver: chat", "receiver: people"
)
ALERTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "a": ("Down", {"instance": "a", "severity": "warning"}),
    "b": ("Down", {"instance": "b", "severity": "warning"}),
    "c": ("Down", {"instance": "c", "severity": "critical"}),
    "d": ("Disk", {"severity": "warning"}),
    "w": ("Web", {"team": "web", "severity": "warning"}),
}
GROUPS = ("Down", "Disk", "Web")
RECEIVER = ("people", "chat")
NOISE = frozenset({Reason.OPENED, Reason.CHANGED, Reason.REMINDER, Reason.ESCALATED})
_GENERATIONS: dict[str, Generation] = {}
"""Made once: reading a configuration is not what these stories are about, and no witness uses the network."""
SETTLE = timedelta(seconds=60)
SNOOZED = timedelta(minutes=10)
_NEVER = datetime.max.replace(tzinfo=UTC)
FAILURES = ("network", "busy", "unknown", "permanent", "refused")


@dataclass
class Try:
    """One attempt as the service saw it. `outcome`: told, maybe (nobody can know), failed, hanging."""

    moment: int
    channel: str
    incident: str
    group: str
    reason: Reason
    status: Status
    severity: str
    alerts: Mapping[str, Status]
    fired_and_resolved: bool
    outcome: str = "hanging"

    @property
    def heard(self) -> bool:
        return self.outcome in {"told", "maybe"}

    def fires(self, alert: str) -> bool:
        return self.alerts.get(alert) is Status.FIRING


@dataclass
class Known:
    """What the sender last said of an alert. `promised`: its firing must have been told where it is routed to."""

    start: datetime
    end: datetime | None
    since: int
    promised: bool = False


class Witness:
    """Stands for one channel: answers as the story's mood says, and remembers what it was asked to tell."""

    Options: ClassVar = ChannelOptions
    idempotency: ClassVar = "none"
    follows_acknowledgement = False

    def __init__(self, name: str, story: Story) -> None:
        self.name = name
        self._story = story

    async def send(self, message: Message, context: Context) -> Receipt:
        del context
        story = self._story
        moods = story.moods[self.name]
        mood = moods.pop(0) if moods else "well"
        attempt = Try(
            story.moment, self.name, message.incident, message.group_labels.get("alertname", ""), message.reason, message.status,
            message.severity, {name_of(alert.labels): alert.status for alert in message.alerts}, message.fired_and_resolved,
        )  # fmt: skip
        story.tries.append(attempt)
        if story.is_quiet(message.incident) and message.reason in NOISE:
            story.wrongs.append(f"{attempt.moment}: {self.name} {message.reason} after the acknowledgement")
        if message.status is Status.RESOLVED:
            story.quiet.discard(message.incident)
        if mood == "hang":
            waiting = asyncio.get_running_loop().create_future()
            story.hanging.append(waiting)
            try:
                mood = await waiting
            except asyncio.CancelledError:
                attempt.outcome = "maybe"
                raise
        attempt.outcome = {"well": "told", "unknown": "maybe"}.get(mood, "failed")
        if mood != "well":
            raise failure(mood)
        return Receipt()


def name_of(labels: Mapping[str, str]) -> str:
    return labels.get("instance") or {"Disk": "d", "Web": "w"}.get(labels.get("alertname", ""), "")


@dataclass
class Story:
    """Everything that happens, and everything the onlooker may know of it."""

    folder: Path
    clock: Dial = field(default_factory=Dial)
    moment: int = 0
    tries: list[Try] = field(default_factory=list)
    moods: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    hanging: list[asyncio.Future[str]] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    late: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    bodies: list[tuple[Alert, ...]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    snoozed: dict[str, datetime] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    troubled: bool = False
    chatless: bool = False
    chat_gone: bool = False
    copies: int = 0
    url: str = ""
    wrongs: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    excused: set[tuple[str, str]] = field(default_factory=set)

    # -- the engine under it

    async def begin(self) -> None:
        self._stack = AsyncExitStack()
        text = WITHOUT_CHAT if self.chat_gone else CONFIGURATION
        self.bench: Bench = await self._stack.enter_async_context(engine(self.folder, text, self.clock, self.url))
        self.configure(text)
        self.sweeper = Sweeper(self.bench.transactions, Refusals(), _unsigned, self.bench.metrics, self.clock)
        await self.bench.sender.reloaded(self.clock.now())

    def configure(self, text: str) -> None:
        from msgspec.structs import replace

        if text not in _GENERATIONS:
            _GENERATIONS[text] = self.bench.configure(text, self.folder)
        generation = _GENERATIONS[text]
        channels = {
            name: replace(channel, channel=Witness(name, self)) for name, channel in generation.channels.items()
        }
        self.bench.transactions.swap(replace(generation, channels=channels))

    def audited(self) -> list[str]:
        """What is wrong with the audit log."""
        keys = InstanceKeys.load_or_create(self.folder / "bridge.db.keys")
        report = verify(self.folder / "bridge.db", Trust(keys.verifiers))
        return [str(finding) for finding in report.findings]

    async def end(self) -> None:
        assert self.bench.trail is not None
        await self.bench.sender.stop(timedelta())
        await doubt.end(self.bench.transactions, self.clock.now())
        await self.bench.trail.end(self.clock.now())
        await self._stack.aclose()
        self.hanging.clear()

    async def settle(self) -> None:
        """Until nothing happens any more but what hangs."""
        for _turn in range(1000):
            now = self.clock.now()
            done = await self.bench.backlog.step() + await self.bench.timekeeper.step(now)
            done += await self.bench.sender.step(now)
            await self._idle()
            if not done:
                return
        raise AssertionError("the engine does not come to rest")

    async def _idle(self) -> None:
        """Until every outcome is committed; what hangs has none. The engine has no word for that, so it is asked."""
        while len(self.bench.transactions.in_flight) > sum(not one.done() for one in self.hanging):  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.0003)

    async def wait(self, seconds: float) -> None:
        """Time passes, in a few steps, with housekeeping at each."""
        total = timedelta(seconds=seconds)
        for _step in range(4):
            self.clock.time += total / 4
            self._believe()
            await self.sweeper.step(self.clock.now())
            await self.settle()

    # -- what the sender says

    async def fire(self, names: Iterable[str]) -> None:
        now = self.clock.now()
        for group, members in _by_group(names):
            alerts = []
            for name in members:
                known = self.known.get(name)
                start = known.start if known is not None and known.end is None else now
                alerts.append(firing(group, at=start, **ALERTS[name][1]))
            await self.post(tuple(alerts))

    async def resolve(self, names: Iterable[str]) -> None:
        now = self.clock.now()
        for group, members in _by_group(names):
            alerts = []
            for name in members:
                known = self.known.get(name)
                start = known.start if known is not None else now - timedelta(minutes=1)
                end = now if known is None or known.end is None else known.end
                alerts.append(resolved(group, at=start, end=end, **ALERTS[name][1]))
            await self.post(tuple(alerts))

    async def again(self, back: int) -> None:
        """The other replica of the pair posts the same body, now or late."""
        if self.bodies:
            await self.post(self.bodies[-1 - back % len(self.bodies)], keep=False)

    async def post(self, alerts: tuple[Alert, ...], *, keep: bool = True) -> None:
        if keep:
            self.bodies.append(alerts)
        for alert in alerts:
            self._report(name_of(alert.labels), alert)
        await self.bench.accept(*alerts)
        self._over(alerts[0].labels["alertname"])

    def _report(self, name: str, alert: Alert) -> None:
        """What the report means, by the rules users are told; independent of the engine's own."""
        known = self.known.get(name)
        group = ALERTS[name][0]
        if alert.ends_at is None:
            if known is not None and known.end is None:
                known.start = max(known.start, alert.starts_at)
            elif known is None or known.end is None or alert.starts_at > known.end:
                promised = group not in self.acknowledged or name == "c"
                self.known[name] = Known(alert.starts_at, None, self.moment, promised)
                self.late.pop(name, None)
                if name == "c":
                    self.quiet -= self._incidents(group)
            else:
                self.late.setdefault(name, (alert.starts_at, self.clock.now() + SETTLE))
        elif known is None:
            self.known[name] = Known(alert.starts_at, alert.ends_at, self.moment)
        elif known.end is not None:
            known.end = max(known.end, alert.ends_at)
            self.late.pop(name, None)
        elif alert.ends_at >= known.start:
            known.end = alert.ends_at

    def _believe(self) -> None:
        """Firings that came late and were not followed by their end."""
        for name, (start, due) in list(self.late.items()):
            if due <= self.clock.now():
                del self.late[name]
                group = ALERTS[name][0]
                self.known[name] = Known(start, None, self.moment, group not in self.touched)
                self.quiet -= self._incidents(group)

    def _over(self, group: str) -> None:
        if not self.is_firing(group):
            self.acknowledged.discard(group)
            self.quiet -= self._incidents(group)

    def is_quiet(self, incident: str) -> bool:
        """Whether somebody has it, and has not snoozed it until a time that is over."""
        return incident in self.quiet and self.clock.now() < self.snoozed.get(incident, _NEVER)

    def is_firing(self, group: str) -> bool:
        return any(known.end is None for name, known in self.known.items() if ALERTS[name][0] == group)

    def _incidents(self, group: str) -> set[str]:
        return {one.incident for one in self.tries if one.group == group} | {
            incident for incident, other in self.named.items() if other == group
        }

    # -- what people do

    async def act(self, what: str, which: int) -> None:
        listed = (await self.bench.operator.incidents()).incidents
        # Ids are random among incidents of one moment; a story must be the same each time it is told.
        views = sorted(listed, key=lambda one: (one.opened_at, one.route), reverse=True)
        if not views:
            return
        view = views[which % len(views)]
        group = view.group_labels["alertname"]
        self.named[view.id] = group
        act = {
            "acknowledge": self.bench.operator.acknowledge,
            "unacknowledge": self.bench.operator.unacknowledge,
            "by_hand": self.bench.operator.resolve,
            "snooze": lambda name, by, now: self.bench.operator.snooze(name, now + SNOOZED, by, now),
        }[what]
        try:
            detail = await act(view.id, "alice", self.clock.now())
        except Conflict:
            return
        if detail.note:
            return
        self.touched.add(group)
        for name, known in self.known.items():
            if ALERTS[name][0] == group:
                known.promised = False
        self.snoozed[view.id] = detail.incident.snoozed_until or _NEVER
        if what in {"acknowledge", "snooze"}:
            self.acknowledged.add(group)
            self.quiet.add(view.id)
        else:
            self.quiet.discard(view.id)

    # -- what fails

    async def trouble(self, channel: str, mood: str, times: int) -> None:
        self.troubled = True
        self.moods[channel] = mood.split("+") * times

    async def release(self, mood: str) -> None:
        for waiting in self.hanging:
            if not waiting.done():
                waiting.set_result(mood)
        self.hanging.clear()

    async def restart(self) -> None:
        await self.end()
        await self.begin()

    async def kill(self) -> None:
        """The process is killed: what the disk holds at this moment is all that is left."""
        self.troubled = True
        self.copies += 1
        copy = self.folder.parent / f"{self.folder.name.split('-')[0]}-{self.copies}"
        shutil.copytree(self.folder, copy)
        await self._stack.aclose()
        self.hanging.clear()
        self.folder = copy
        await self.begin()

    async def reload(self, chat: bool) -> None:
        self.chat_gone = not chat
        self.chatless = self.chatless or not chat
        self.configure(CONFIGURATION if chat else WITHOUT_CHAT)
        await self.bench.sender.reloaded(self.clock.now())


async def _unsigned(now: datetime) -> None:
    """Signing is not what these stories are about; the end is signed."""


def _by_group(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    return [
        (group, members)
        for group in GROUPS
        if (members := [name for name in dict.fromkeys(names) if ALERTS[name][0] == group])
    ]
