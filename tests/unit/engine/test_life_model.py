"""The life of incidents against a small model: whatever happens in whatever order, both say the same.

`ALERTBRIDGE_LIVES=N` scales the run.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Self

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.domain.errors import Conflict
from bridge.domain.message import Message, Reason
from bridge.engine import reconfigured
from tests.bridge_bench import START, Bench, Dial, engine, firing, resolved
from tests.unit.engine.life_model import EDITED, STEPS, Model

LIVES = int(os.environ.get("ALERTBRIDGE_LIVES", "60"))
NAMES, PEOPLE = ("A", "B"), ("alice", "bob")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A sync takes as long as a life."""
CONFIGURATION = """
reopen_within: 1h
channels:
  people: {type: console}
  pager: {type: console}
escalations:
  night: STEPS
route:
  receiver: people
  hooks: [dedupe, {escalate: night}]
"""

Move = tuple[str, str, str, int]
MOVES = st.tuples(
    st.sampled_from(
        ("fire", "fire", "end", "acknowledge", "unacknowledge", "snooze", "by_hand", "silence", "wait", "wait", "jump", "restart", "edit")
    ),
    st.sampled_from(NAMES),
    st.sampled_from(PEOPLE),
    st.sampled_from((1, 2, 4, 5, 7, 11, 16, 21, 40, 61)),
)  # fmt: skip


def configuration(policy: tuple[tuple[int, int, int], ...]) -> str:
    steps = []
    for after, every, times in policy:
        repeat = f", repeat: {{every: {every}s, times: {times}}}" if every else ""
        steps.append(f"{{after: {after}s, notify: [pager]{repeat}}}")
    return CONFIGURATION.replace("STEPS", f"[{', '.join(steps)}]")


class Played:
    """The engine, moved as the model is."""

    def __init__(self, folder: Path, model: Model | None = None) -> None:
        self.folder = folder
        self.clock = Dial()
        self.model = model or Model()
        self.pages: list[tuple[int, str]] = []
        self.starts: dict[str, int] = {}
        self.ids: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def begin(self) -> None:
        self.stack = AsyncExitStack()
        self.bench: Bench = await self.stack.enter_async_context(engine(self.folder, self.text(), self.clock))
        await reconfigured.adopt(self.bench.transactions, self.clock.now())

    def text(self) -> str:
        """The configuration in force."""
        return configuration(self.model.policy)

    def called(self, message: Message) -> str:
        """What the model calls such a page."""
        return message.group_labels["alertname"]

    async def settle(self) -> None:
        await self.bench.settle()
        self.pages += [
            (self.model.now, self.called(message)) for message in self.bench.sent if message.reason is Reason.ESCALATED
        ]
        self.bench.sent.clear()

    def turn(self, now: int) -> None:
        self.clock.time = START + timedelta(seconds=now)

    async def move(self, what: str, name: str, by: str, minutes: int, second: int) -> None:
        """One move; each comes at a second of its own, so that two things are rarely due at once."""
        await self.wait(self.model.now + 61 + second)
        if what in {"wait", "jump"}:
            await getattr(self, what)(self.model.now + 60 * minutes)
        elif what == "restart":
            await self.stack.aclose()
            await self.begin()
        elif what == "edit":
            self.model.policy = EDITED if self.model.policy is STEPS else STEPS
            self.bench.transactions.swap(self.bench.configure(self.text(), self.folder))
            await reconfigured.adopt(self.bench.transactions, self.clock.now())
        else:
            await getattr(self, what)(name, by, minutes)
        await self.settle()

    async def wait(self, until: int) -> None:
        """Time passes, and whatever comes due is done at its time."""
        while (due := self.model.next()) is not None and due <= until:
            await self.jump(due)
        await self.jump(until)

    async def jump(self, until: int) -> None:
        """Time passes, and whatever came due is done late."""
        until = max(until, self.model.now)
        self.turn(until)
        self.model.until(until)
        await self.settle()

    async def fire(self, name: str, _by: str, _minutes: int) -> None:
        if name not in self.model.firing:
            self.starts[name] = self.model.now
        self.model.fire(name)
        await self.bench.accept(firing(name, at=START + timedelta(seconds=self.starts[name])))

    async def end(self, name: str, _by: str, _minutes: int) -> None:
        if name in self.model.firing:
            self.model.end(name)
            began = START + timedelta(seconds=self.starts[name])
            await self.bench.accept(resolved(name, at=began, end=self.clock.now()))

    async def acknowledge(self, name: str, by: str, _minutes: int) -> None:
        if incident := await self.incident(name):
            try:
                await self.bench.operator.acknowledge(incident, by, self.clock.now())
            except Conflict:
                assert not self.model.acknowledge(name, by)
            else:
                assert self.model.acknowledge(name, by)

    async def snooze(self, name: str, by: str, minutes: int) -> None:
        if incident := await self.incident(name):
            until = self.model.now + 60 * minutes
            try:
                await self.bench.operator.snooze(incident, START + timedelta(seconds=until), by, self.clock.now())
            except Conflict:
                assert not self.model.snooze(name, by, until)
            else:
                assert self.model.snooze(name, by, until)

    async def unacknowledge(self, name: str, by: str, _minutes: int) -> None:
        if incident := await self.incident(name):
            self.model.unacknowledge(name)
            await self.bench.operator.unacknowledge(incident, by, self.clock.now())

    async def by_hand(self, name: str, by: str, _minutes: int) -> None:
        if incident := await self.incident(name):
            self.model.by_hand(name)
            await self.bench.operator.resolve(incident, by, self.clock.now())

    async def silence(self, name: str, _by: str, minutes: int) -> None:
        until = self.model.now + 60 * minutes
        self.model.silence(name, until)
        await self.bench.silence(f"alertname={name}", end=START + timedelta(seconds=until))

    async def incident(self, name: str) -> str:
        """The newest incident of the alert, empty if there is none."""
        listed = (await self.bench.operator.incidents()).incidents
        mine = [one for one in listed if one.group_labels["alertname"] == name]
        return max(mine, key=lambda one: one.opened_at).id if mine else ""

    async def seen(self) -> dict[str, tuple[str, str]]:
        """State and owner of each alert's newest incident."""
        found = {}
        for name in NAMES:
            if incident := await self.incident(name):
                view = (await self.bench.operator.incident(incident)).incident
                quiet = view.state in {"acknowledged", "snoozed"}
                found[name] = (view.state, view.acknowledged_by if quiet else "")
        return found


def expected(model: Model) -> dict[str, tuple[str, str]]:
    return {
        name: (life.state, life.by if life.state in {"acknowledged", "snoozed"} else "")
        for name, life in model.lives.items()
    }


async def play(moves: list[Move], cast: Callable[[Path], Played] = Played) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        async with cast(Path(place)) as played:
            for number, (what, name, by, minutes) in enumerate(moves):
                await played.move(what, name, by, minutes, number)
                assert await played.seen() == expected(played.model), f"after {number}: {what} {name}"
                assert sorted(played.pages) == played.model.paged(), f"after {number}: {what} {name}"
            await played.wait(played.model.now + 7200)
            assert await played.seen() == expected(played.model)
            assert sorted(played.pages) == played.model.paged()


@example([("fire", "A", "alice", 1), ("by_hand", "A", "alice", 1), ("silence", "A", "bob", 61), ("wait", "A", "bob", 61),
          ("silence", "A", "bob", 7), ("fire", "A", "bob", 1), ("acknowledge", "A", "bob", 1), ("wait", "A", "bob", 11),
          ("unacknowledge", "A", "bob", 1)])  # fmt: skip
@example(
    [
        ("fire", "A", "bob", 1),
        ("by_hand", "A", "bob", 1),
        ("silence", "A", "bob", 1),
        ("wait", "A", "bob", 61),
        ("fire", "A", "bob", 1),
    ]
)
@example([("silence", "A", "bob", 4), ("fire", "A", "bob", 1), ("snooze", "A", "bob", 2), ("wait", "A", "bob", 7)])
@example(
    [
        ("fire", "A", "bob", 1),
        ("acknowledge", "A", "bob", 1),
        ("silence", "A", "bob", 11),
        ("unacknowledge", "A", "bob", 1),
    ]
)
@settings(max_examples=LIVES, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(MOVES, min_size=4, max_size=16))
def test_an_incident_lives_as_the_model_says(moves: list[Move]) -> None:
    asyncio.run(play(moves))
