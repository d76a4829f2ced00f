"""A month of a team's life on a fake clock: alerts at all hours, people who wake up or do not, silences, restarts.

What happens is drawn by a seed; what people hear is written down with the time on their clocks.
"""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bridge.domain.errors import Conflict
from bridge.engine import reconfigured
from bridge.storage import timers
from tests.bridge_bench import Bench, Dial, engine, firing, resolved

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=BERLIN)
DAYS = 35
"""Over the change of clocks on 29 March."""
SILENCED = timedelta(minutes=30)
TEAM = ("anna", "ben", "cara")
CONFIGURATION = """
fallback: room
reopen_within: 1h
acknowledgement: {expires_after: 12h, remind_before: 1h}
channels:
  room: {type: console}
  boss: {type: console}
  anna-chat: {type: console}
  anna-sms: {type: console}
  ben-chat: {type: console}
  ben-sms: {type: console}
  cara-chat: {type: console}
time_intervals:
  - name: office
    time_intervals:
      - {weekdays: [monday:friday], times: [{start_time: "09:00", end_time: "17:00"}], location: Europe/Berlin}
people:
  anna:
    channels: {chat: anna-chat, sms: anna-sms}
    rules: [{notify: chat}, {after: 5m, notify: sms}]
  ben:
    channels: {chat: ben-chat, sms: ben-sms}
    rules: [{notify: chat}, {after: 5m, notify: sms}]
  cara: {channels: {chat: cara-chat}}
schedules:
  shop:
    time_zone: Europe/Berlin
    fallback: boss
    layers: [{people: [anna, ben, cara], every: weekly, weekday: monday, at: "10:00", start: 2026-03-02}]
    overrides: [{start: 2026-03-14T08:00, end: 2026-03-15T20:00, people: anna}]
escalations:
  urgent:
    - {after: 2m, notify: [{on_call: shop}], repeat: {every: 30m, times: 4}}
    - {after: 20m, notify: [boss]}
route:
  receiver: room
  group_by: [alertname]
  hooks: [dedupe, {escalate: urgent}]
  routes:
    - {matchers: ['severity="warning"'], receiver: room, hooks: [dedupe, {hold: office}]}
"""
SERVICES = ("Cart", "Checkout", "Search", "Login", "Mail")


@dataclass(frozen=True)
class Heard:
    """What came out of a channel. `at` is on the team's clocks."""

    at: datetime
    channel: str
    reason: str
    what: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.at:%a %d %b %H:%M %Z}  {self.channel:<10} {self.reason:<12} {self.what}"


@dataclass
class Month:
    """`heard` is what people heard, `done` what happened and what they did, both in order."""

    folder: Path
    seed: int = 7
    clock: Dial = field(default_factory=lambda: Dial(BEGIN.astimezone(UTC)))
    heard: list[Heard] = field(default_factory=list)
    done: list[Heard] = field(default_factory=list)
    plan: list[tuple[datetime, str, str]] = field(default_factory=list)

    async def live(self) -> None:
        """Live through it."""
        self.rng = random.Random(self.seed)
        await self._begin()
        self._plan_alerts()
        try:
            while self.plan:
                self.plan.sort()
                at, what, name = self.plan.pop(0)
                await self._wait(at)
                await getattr(self, f"_{what}")(name)
                await self._settle()
            await self._wait(self.clock.now() + timedelta(days=1))
        finally:
            await self._stack.aclose()

    def timeline(self) -> list[str]:
        """Everything, in order."""
        return [str(one) for one in sorted([*self.done, *self.heard], key=lambda one: one.at)]

    async def _begin(self) -> None:
        self._stack = AsyncExitStack()
        self.bench: Bench = await self._stack.enter_async_context(engine(self.folder, CONFIGURATION, self.clock))
        await reconfigured.adopt(self.bench.transactions, self.clock.now())

    def _plan_alerts(self) -> None:
        end = self.clock.now() + timedelta(days=DAYS)
        for name in SERVICES:
            at = self.clock.now() + timedelta(hours=self.rng.uniform(1, 40))
            while at < end:
                lasts = timedelta(minutes=self.rng.choice((3, 11, 45, 100, 300)))
                severity = self.rng.choice(("critical", "critical", "warning"))
                self.plan.append((at, f"fire_{severity}", name))
                self.plan.append((at + lasts, f"end_{severity}", name))
                if severity == "critical" and self.rng.random() < 0.75:  # somebody wakes up
                    self.plan.append((at + timedelta(minutes=self.rng.uniform(1, 40)), "acknowledge", name))
                if severity == "critical" and self.rng.random() < 0.2:  # somebody works on it
                    self.plan.append((at - timedelta(minutes=self.rng.choice((-4, 5))), "silence", name))
                at += lasts + timedelta(hours=self.rng.uniform(2, 60))
        for day in range(3, DAYS, 7):
            self.plan.append((self.clock.now() + timedelta(days=day, hours=3), "restart", ""))
        self.plan.append((self.clock.now() + timedelta(days=17, hours=14), "outage", ""))

    async def _wait(self, until: datetime) -> None:
        """From one thing that is due to the next, so that each is done at its time; what an outage held up, at once."""
        until = max(until, self.clock.now())
        while True:
            found = await self.bench.database.read(timers.next_due)
            due = max(found, self.clock.now()) if found is not None else until
            self.clock.time = min(due, until)
            await self._settle()
            if self.clock.now() >= until:
                return

    async def _settle(self) -> None:
        await self.bench.settle()
        at = self.clock.now().astimezone(BERLIN)
        for message in self.bench.sent:
            what = message.group_labels.get("alertname", "") or "about itself"
            self.heard.append(Heard(at, message.channel, message.reason.value, what, message.text))
        self.bench.sent.clear()

    def _note(self, who: str, what: str, about: str) -> None:
        self.done.append(Heard(self.clock.now().astimezone(BERLIN), who, what, about))

    async def _fire_critical(self, name: str) -> None:
        self._note("", "FIRES", f"{name} critical")
        await self.bench.accept(firing(name, at=self.clock.now(), severity="critical"))

    async def _fire_warning(self, name: str) -> None:
        self._note("", "FIRES", f"{name} warning")
        await self.bench.accept(firing(name, at=self.clock.now(), severity="warning"))

    async def _end_critical(self, name: str) -> None:
        await self._end(name, "critical")

    async def _end_warning(self, name: str) -> None:
        await self._end(name, "warning")

    async def _end(self, name: str, severity: str) -> None:
        self._note("", "ENDS", f"{name} {severity}")
        began = self.clock.now() - timedelta(minutes=1)
        await self.bench.accept(resolved(name, at=began, end=self.clock.now(), severity=severity))

    async def _acknowledge(self, name: str) -> None:
        views = (await self.bench.operator.incidents(states=("open",))).incidents
        mine = [one for one in views if one.group_labels.get("alertname") == name and one.severity == "critical"]
        if not mine:
            return
        by = self.on_call()
        try:
            await self.bench.operator.acknowledge(mine[0].id, by, self.clock.now())
        except Conflict:
            return
        self._note(by, "ACKNOWLEDGES", name)

    async def _silence(self, name: str) -> None:
        self._note("", "SILENCED", f"{name} for half an hour")
        await self.bench.silence(f"alertname={name}", end=self.clock.now() + SILENCED)

    async def _restart(self, _name: str) -> None:
        self._note("", "RESTARTS", "the bridge")
        await self._stack.aclose()
        await self._begin()

    async def _outage(self, _name: str) -> None:
        """The bridge is down for six hours; senders try again until it is back."""
        self._note("", "DOWN", "the bridge, for six hours")
        await self._stack.aclose()
        self.clock.turn(hours=6)
        await self._begin()
        self._note("", "UP", "the bridge")

    def on_call(self) -> str:
        """Whose week it is, counted by hand."""
        now = self.clock.now().astimezone(BERLIN)
        return on_call(now)


def on_call(at: datetime) -> str:
    """Whose week it is on the team's clocks: Mondays at ten, but for anna's weekend."""
    local = at.astimezone(BERLIN)
    if (local.month, local.day, local.hour >= 8) == (3, 14, True) or (local.month, local.day, local.hour < 20) == (
        3,
        15,
        True,
    ):
        return "anna"
    days = local.date() - date(2026, 3, 2)
    weeks = (days.days - (local.weekday() == 0 and local.hour < 10)) // 7
    return TEAM[weeks % 3]
