"""People act at the moment a step comes due, a snooze ends, the alert ends, or somebody else acts.

Each round many incidents come due at once; for each of them a few acts and the engine's loops run together, in an order that
the round's number decides. Judged by the audit, whose order is the commits' order, and by what the channels heard.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.errors import Conflict
from bridge.engine.views import TimelineEntry
from tests.bridge_bench import Bench, engine, firing, resolved

ESCALATING = """
channels:
  people: {type: console}
  pager: {type: console}
escalations:
  night:
    - {after: 5m, notify: [pager]}
route:
  receiver: people
  hooks: [dedupe, {escalate: night}]
"""
ROUNDS = range(12)
AT_ONCE = 25
PEOPLE = ("alice", "bob", "carol")
_HAVE_IT = {"acknowledged", "snoozed"}
_GIVE_IT_BACK = {"unacknowledged", "resolved", "reopened"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with engine(tmp_path, ESCALATING, url=url) as bench:
        yield bench


async def later(turns: int, act: Awaitable[object]) -> None:
    """The act, after a few turns of the loop. Whoever comes second is told so, and nothing else happens."""
    for _ in range(turns):
        await asyncio.sleep(0)
    with suppress(Conflict):
        await act


async def loops(bench: Bench, rng: random.Random) -> None:
    """The engine's loops, each a few times, one beside the other."""

    async def loop(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        now = bench.clock.now()
        await bench.backlog.step()
        await bench.timekeeper.step(now)
        await bench.sender.step(now)

    await asyncio.gather(*(loop(rng.randint(0, 30)) for _ in range(4)))


def acts(bench: Bench, rng: random.Random, name: str, incident: str) -> list[Awaitable[object]]:
    """What happens to one incident: two or three acts, chosen by the round's number."""
    operator, now, by = bench.operator, bench.clock.now(), rng.choice(PEOPLE)
    made = {
        "acknowledge": lambda: operator.acknowledge(incident, by, now),
        "other": lambda: operator.acknowledge(incident, rng.choice(PEOPLE), now),
        "snooze": lambda: operator.snooze(incident, now + timedelta(minutes=rng.choice((5, 30))), by, now),
        "resolve": lambda: operator.resolve(incident, by, now),
        "unacknowledge": lambda: operator.unacknowledge(incident, by, now),
        "escalate": lambda: operator.escalate(incident, by, now),
        "end": lambda: bench.accept(resolved(name, end=now)),
    }
    chosen = rng.sample(sorted(made), rng.randint(2, 3))
    return [later(rng.randint(0, 40), made[what]()) for what in chosen]


async def a_round(bench: Bench, number: int) -> dict[str, str]:
    """Incidents by name, after everything that happened to them."""
    rng = random.Random(number)
    names = [f"A{number}x{one}" for one in range(AT_ONCE)]
    for name in names:
        await bench.accept(firing(name, at=bench.clock.now()))
    await bench.settle()
    listed = (await bench.operator.incidents(limit=1000)).incidents
    incidents = {one.group_labels["alertname"]: one.id for one in listed if one.group_labels["alertname"] in names}
    for span in (timedelta(minutes=5), timedelta(minutes=5)):
        bench.clock.time += span
        everything = [act for name, incident in incidents.items() for act in acts(bench, rng, name, incident)]
        await asyncio.gather(*everything, loops(bench, rng))
        await bench.settle()
    await bench.pass_time(minutes=40, step=300)
    return incidents


def wrongs(timeline: Sequence[TimelineEntry], paged: int) -> list[str]:
    """What is wrong with an incident's history."""
    found, owner, over = [], "", False
    steps = 0
    for entry in timeline:
        if entry.kind in _HAVE_IT:
            if over:
                found.append(f"{entry.kind} after its end")
            if owner not in {"", entry.actor}:
                found.append(f"{entry.kind} by {entry.actor}, though {owner} has it")
            owner = entry.actor
        elif entry.kind in _GIVE_IT_BACK:
            owner, over = "", entry.kind == "resolved"
        elif entry.kind == "escalated":
            steps += 1
            by_hand = entry.actor != "bridge"
            if over or (owner and not by_hand):
                found.append(f"a step by {entry.actor} while {owner or 'nobody'} has it, over: {over}")
    if steps > 1:
        found.append(f"the step was taken {steps} times")
    if paged > steps:
        found.append(f"paged {paged} times for {steps} steps")
    return found


async def test_nobody_is_paged_for_what_somebody_has_and_no_step_is_taken_twice(bench: Bench) -> None:
    seen: set[str] = set()
    for number in ROUNDS:
        incidents = await a_round(bench, number)
        for name, incident in incidents.items():
            detail = await bench.operator.incident(incident)
            paged = [one for one in bench.sent if one.incident == incident and one.reason.value == "escalated"]
            assert wrongs(detail.timeline, len(paged)) == [], f"round {number}, {name}"
            seen |= {entry.kind for entry in detail.timeline}
            if detail.incident.state == "resolved":
                assert detail.pending == ()
                assert not [one for one in detail.deliveries if one.state in {"pending", "leased"}]
            elif detail.incident.state == "open":
                assert not any(one.paused for one in detail.pending)
    assert {"escalated", "acknowledged", "snoozed", "unacknowledged", "resolved", "cancelled"} <= seen
