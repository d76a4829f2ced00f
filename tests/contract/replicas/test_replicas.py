"""Several bridges on one database: each message goes out once, in order, whoever plans, sends, stops or dies."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.channels.api import Context, Receipt
from bridge.domain.errors import FailureReason, Retryable
from bridge.domain.message import Message
from tests.bridge_bench import START, Bench, firing, resolved
from tests.contract.replicas.bridges import bridges, settle, told
from tests.postgres import Cluster
from tests.unit.engine.test_hooks_in_the_engine import ROUTED


async def test_two_bridges_that_hear_of_one_alert_send_once(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, two = found
        await asyncio.gather(one.accept(firing()), two.accept(firing()))
        await settle(found)
        assert told(found) == ["people opened"]

        end = resolved(end=START + timedelta(minutes=3))
        await asyncio.gather(two.accept(end), one.accept(end))
        await settle(found)
        assert told(found) == ["people opened", "people resolved"]


async def test_a_backlog_is_shared_and_nothing_of_it_is_sent_twice(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        names = sorted(f"A{number}" for number in range(100))
        for name in names:
            await found[0].accept(firing(name))
        for _turn in range(40):
            found[0].clock.turn(seconds=1)
            for bench in found:  # one step each in turn, so that neither empties the queue alone
                await bench.sender.step(bench.clock.now())
            for bench in found:
                await bench.sender.idle()
        assert sorted(message.group_labels["alertname"] for bench in found for message in bench.sent) == names
        assert all(bench.sent for bench in found)


class Held:
    """A channel whose next message begins and then waits until it is let go."""

    def __init__(self, bench: Bench, channel: str = "people") -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self._channel = bench.transactions.generation().channels[channel].channel
        assert self._channel is not None
        self._send = self._channel.send
        self._channel.send = self.send  # type: ignore[method-assign]

    async def send(self, message: Message, context: Context) -> Receipt:
        assert self._channel is not None
        self._channel.send = self._send  # type: ignore[method-assign]
        self.begun.set()
        await self.let_go.wait()
        return await self._send(message, context)


def lapse(cluster: Cluster, url: str) -> None:
    """Let every lease run out, as 12 s of the database's clock would."""
    cluster.query("UPDATE deliveries SET lease_until = 0 WHERE state = 'leased'", url.rpartition("/")[2])


async def test_what_a_dead_bridge_had_in_hand_goes_again_and_its_late_word_changes_nothing(
    tmp_path: Path, postgres: Cluster, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        zombie, other = found
        held = Held(zombie)
        await zombie.accept(firing())
        await zombie.sender.step(zombie.clock.now())
        await held.begun.wait()
        zombie.clock.turn(seconds=1)
        await other.settle()
        assert other.told() == [], "its lease has not run out"

        await asyncio.to_thread(lapse, postgres, postgres_url)
        zombie.clock.turn(seconds=12)
        await other.settle()
        assert other.told() == ["people opened"]
        held.let_go.set()
        await zombie.sender.idle()

        assert await other.audit("sent") == [("sent", "opened", "people")]
        assert await other.audit("late") == [("late", "opened", "people")]
        await settle(found)
        assert told(found) == ["people opened"] * 2
        page = await other.operator.deliveries()
        assert [(view.state, view.attempts) for view in page.deliveries] == [("sent", 1)]


async def test_a_claim_that_grew_old_before_the_send_is_not_used(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, other = found
        await one.accept(firing())
        claim = one.sender._claim

        async def slow(*arguments: object) -> object:
            jobs = await claim(*arguments)  # type: ignore[arg-type]
            one.clock.turn(seconds=9)  # stopped here, and continued
            return jobs

        one.sender._claim = slow  # type: ignore[method-assign, assignment]
        await one.sender.step(one.clock.now())
        await one.sender.idle()
        assert one.told() == []
        assert ("retry", "lease_lost", "people") in await one.audit("retry")

        one.sender._claim = claim  # type: ignore[method-assign]
        one.clock.turn(seconds=5)
        await settle(found)
        assert told(found) == ["people opened"]
        assert other is found[1]


async def test_a_lease_is_renewed_while_a_message_takes_its_time(
    tmp_path: Path, postgres: Cluster, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, other = found
        held = Held(one)
        await one.accept(firing())
        await one.sender.step(one.clock.now())
        await held.begun.wait()
        await asyncio.to_thread(lapse, postgres, postgres_url)
        for _second in range(5):
            one.clock.turn(seconds=1)
        assert one.leases is not None
        await one.leases.step()
        await other.settle()
        assert other.told() == [], "the lease was renewed"
        held.let_go.set()
        await settle(found)
        assert told(found) == ["people opened"]


async def test_an_attempt_whose_lease_is_lost_is_cut_off(tmp_path: Path, postgres: Cluster, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, other = found
        held = Held(one)
        await one.accept(firing())
        await one.sender.step(one.clock.now())
        await held.begun.wait()
        await asyncio.to_thread(lapse, postgres, postgres_url)
        one.clock.turn(seconds=5)
        await other.settle()
        assert one.leases is not None
        await one.leases.step()
        await one.sender.idle()
        assert one.told() == []
        assert told(found) == ["people opened"]


async def test_the_end_never_overtakes_the_beginning_that_another_bridge_is_sending(
    tmp_path: Path, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, other = found
        held = Held(one)
        await one.accept(firing())
        await one.sender.step(one.clock.now())
        await held.begun.wait()
        await other.accept(resolved(end=START + timedelta(minutes=1)))
        for _second in range(3):
            one.clock.turn(seconds=1)
            await other.settle()
        assert told(found) == []
        held.let_go.set()
        await settle(found)
        assert next(bench.told() for bench in found if bench.told())[0] == "people opened"
        assert told(found) == ["people opened", "people resolved"]


async def test_what_one_bridge_failed_to_send_another_may_retry(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, other = found

        def fails(_message: Message, _context: Context) -> Receipt:
            raise Retryable(FailureReason.NETWORK, "unplugged")

        one.answers["people"] += [fails] * 50
        await one.accept(firing())
        await one.sender.step(one.clock.now())
        await one.sender.idle()
        for _second in range(5):
            one.clock.turn(seconds=1)
            await other.settle()
        assert other.told() == ["people opened"]
        assert one.told() == []


async def test_what_waits_for_slow_hooks_is_planned_once_and_in_its_order(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url, text=ROUTED) as found:
        for bench in found:
            bench.parse = found[0].parse
        end = found[0].clock.turn(minutes=1)
        again = found[0].clock.turn(minutes=1)
        for number in range(10):
            name = f"A{number}"
            for index, alert in enumerate((firing(name), resolved(name, end=end), firing(name, at=again))):
                await found[(number + index) % 2].accept(alert)
        for _turn in range(5):
            found[0].clock.turn(seconds=1)
            await asyncio.gather(*(bench.backlog.step() for bench in found))
        await settle(found)

        kinds = [kind for kind, _reason, _channel in await found[0].audit()]
        assert (kinds.count("opened"), kinds.count("resolved"), kinds.count("held")) == (20, 10, 0)


async def test_a_bridge_that_lost_its_part_of_the_journal_does_not_plan_it(
    tmp_path: Path, postgres: Cluster, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url, text=ROUTED) as (one, other):
        other.parse = one.parse
        await one.accept(firing())
        prepare = one.backlog._prepare

        async def slow(*arguments: object) -> object:
            prepared = await prepare(*arguments)  # type: ignore[arg-type]
            name = postgres_url.rpartition("/")[2]
            await asyncio.to_thread(postgres.query, "UPDATE partitions SET lease_until = 0", name)
            await other.backlog.step()
            return prepared

        one.backlog._prepare = slow  # type: ignore[method-assign, assignment]
        await one.backlog.step()
        assert [kind for kind, _reason, _channel in await one.audit()].count("opened") == 1
