"""After a crash: what may have been under way then counts as perhaps told, and whoever may have heard hears of the end."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.alert import Alert, Status
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Retryable
from bridge.engine.refusals import Refusals
from bridge.engine.sweeper import Sweeper
from tests.bridge_bench import Answer, Bench, Dial, engine, firing, resolved

ONE = """
channels:
  people: {type: console}
route: {receiver: people, hooks: [dedupe]}
"""


def fails(error: ChannelError) -> Answer:
    def answer(message: Message, context: Context) -> Receipt | None:
        del message, context
        raise error

    return answer


REFUSED = [fails(Permanent(FailureReason.CONTENT_REFUSED, "too odd"))] * 2
"""Once as it is, once as plain text: then it is dead."""


@asynccontextmanager
async def left_by(folder: Path, *alerts: Alert, crash: bool = True) -> AsyncIterator[Bench]:
    """A bridge on what another left, that had claimed a message about these alerts or was about to."""
    (folder / "old").mkdir()
    async with engine(folder / "old", ONE) as bench:
        await bench.accept(*alerts)
        await bench.backlog.step()
        if crash:
            shutil.copytree(folder / "old", folder / "new")
    if not crash:
        shutil.copytree(folder / "old", folder / "new")
    async with engine(folder / "new", ONE, Dial(bench.clock.now())) as bench:
        yield bench


async def end_of(bench: Bench, name: str = "Down") -> list[str]:
    """What is told once the alert is over."""
    before = len(bench.told())
    await bench.post(resolved(name, end=bench.clock.turn(seconds=1)))
    return bench.told()[before:]


async def test_what_is_refused_for_good_after_a_crash_is_followed_by_its_end(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing()) as bench:
        bench.answers["people"] += REFUSED
        await bench.settle()

        assert await bench.audit("dead") != []
        assert await end_of(bench) == ["people resolved"]


async def test_after_an_orderly_stop_what_is_refused_was_heard_by_nobody(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing(), crash=False) as bench:
        bench.answers["people"] += REFUSED
        await bench.settle()

        assert await bench.audit("dead") != []
        assert await end_of(bench) == []


async def test_what_comes_after_the_crash_is_not_in_doubt(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing()) as bench:
        await bench.settle()
        bench.answers["people"] += REFUSED
        await bench.post(firing("Disk"))

        assert await end_of(bench, "Disk") == []


async def test_the_doubt_outlasts_an_orderly_restart(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing()) as bench:
        clock = bench.clock
    async with engine(tmp_path / "new", ONE, clock) as bench:
        bench.answers["people"] += REFUSED
        await bench.settle()

        assert await end_of(bench) == ["people resolved"]


async def test_what_an_acknowledgement_cancels_is_followed_by_its_end(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing()) as bench:
        incident = (await bench.operator.incidents()).incidents[0].id
        await bench.operator.acknowledge(incident, "ada", bench.clock.now())

        assert await end_of(bench) == ["people resolved"]
        assert bench.told() == ["people resolved"]


async def test_what_is_given_up_untried_is_followed_by_its_end(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing()) as bench:
        sweeper = Sweeper(bench.transactions, Refusals(), _unsigned, bench.metrics, bench.clock)
        await sweeper.step(bench.clock.turn(hours=25))

        assert await bench.audit("dead") != []
        assert await end_of(bench) == ["people resolved"]


async def _unsigned(now: object) -> None:
    """Signing is not what this is about."""


async def test_the_end_of_one_of_several_is_told_though_the_others_go_on(tmp_path: Path) -> None:
    """The first telling after the crash may not leave out what was over by then."""
    a, b = firing(instance="a"), firing(instance="b")
    async with left_by(tmp_path, a, b) as bench:
        await bench.post(resolved(instance="a", end=bench.clock.turn(seconds=1)))

        assert bench.told() == ["people opened"]
        assert {alert.labels["instance"]: alert.status for alert in bench.sent[0].alerts} == {
            "a": Status.RESOLVED,
            "b": Status.FIRING,
        }


async def test_a_newer_state_does_not_take_the_doubt_away(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing(instance="a")) as bench:
        bench.answers["people"] += REFUSED * 2
        await bench.post(firing(instance="b"))
        assert bench.told() == []
        before = len(bench.told())
        end = bench.clock.turn(seconds=1)
        await bench.post(resolved(instance="a", end=end), resolved(instance="b", end=end))

        assert bench.told()[before:] == ["people resolved"]


async def test_what_is_in_doubt_stays_in_front_of_what_is_newer(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing(instance="a")) as bench:
        bench.answers["people"].append(fails(Retryable(FailureReason.NETWORK, "reset")))
        await bench.settle()
        await bench.post(firing(instance="b"))
        await bench.pass_time(minutes=2)

        assert bench.told() == ["people opened"]
        assert len(bench.sent[0].alerts) == 2


async def test_orderly_restarts_bring_no_doubt(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing(), crash=False) as bench:
        clock = bench.clock
    async with engine(tmp_path / "new", ONE, clock):
        clock.turn(seconds=1)
    async with engine(tmp_path / "new", ONE, clock) as bench:
        bench.answers["people"] += REFUSED
        await bench.settle()

        assert await end_of(bench) == []


async def test_a_crash_after_an_orderly_restart_is_one(tmp_path: Path) -> None:
    async with left_by(tmp_path, firing(), crash=False) as bench:
        shutil.copytree(tmp_path / "new", tmp_path / "newer")
    async with engine(tmp_path / "newer", ONE, bench.clock) as bench:
        bench.answers["people"] += REFUSED
        await bench.settle()

        assert await end_of(bench) == ["people resolved"]
