"""A service that takes nothing is found by every bridge for itself, and told of once, as is its recovery."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from bridge.channels.api import Context
from bridge.domain.errors import FailureReason, Refused
from bridge.domain.message import Message
from tests.bridge_bench import Bench, firing
from tests.contract.replicas.bridges import bridges, settle

MAIN = """
fallback: desk
channels:
  people: {type: console}
  desk: {type: console}
route: {receiver: people}
"""


def revoked(_message: Message, _context: Context) -> None:
    raise Refused(FailureReason.UNAUTHORIZED)


def words(found: list[Bench]) -> list[str]:
    """What the fallback was told, by whichever bridge."""
    notices = [message.text for bench in found for message in bench.sent if message.channel == "desk"]
    return ["again" if "takes messages again" in text else "outage" for text in notices]


async def refused_at(bench: Bench, name: str) -> None:
    """One delivery of this bridge is refused; nobody else looks meanwhile."""
    bench.answers["people"].append(revoked)
    await bench.accept(firing(name))
    await bench.sender.step(bench.clock.now())
    await bench.sender.idle()


async def test_two_bridges_that_find_a_token_revoked_tell_it_once_and_once_that_it_is_over(
    tmp_path: Path, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url, text=MAIN) as found:
        one, two = found
        await refused_at(one, "A")
        await refused_at(two, "B")
        assert len(await one.audit("breaker_opened")) == 2, "each on record"
        one.clock.turn(seconds=6)
        await one.settle()
        assert sorted(words(found)) == ["again", "outage"], "whoever gets through first says so"
        one.clock.turn(seconds=6)
        await two.accept(firing("C"))
        await two.settle()
        assert sorted(words(found)) == ["again", "outage"]
        assert len(await one.audit("breaker_closed")) == 2, "each on record"

        await refused_at(two, "D")
        await two.settle()
        assert sorted(words(found)) == ["again", "outage", "outage"], "another one is news"


async def test_an_outage_that_lasts_is_told_again_where_it_was_told_of_long_ago(
    tmp_path: Path, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url, text=MAIN) as found:
        one, two = found
        await refused_at(one, "A")
        one.clock.turn(minutes=10)
        two.answers["people"].append(revoked)  # it tries what the other could not send, too
        await refused_at(two, "B")
        two.clock.turn(seconds=6)
        await settle(found)
        assert sorted(words(found)) == ["again", "outage", "outage"]


async def test_a_channel_that_no_bridge_can_use_is_told_of_once_and_again_when_it_was_usable_meanwhile(
    tmp_path: Path, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url, text=MAIN) as found:
        whole = found[0].transactions.generation()
        locked = replace(whole.channels["people"], channel=None, problem="the key is missing")
        for number, bench in enumerate(found):
            bench.transactions.swap(replace(whole, channels={**whole.channels, "people": locked}))
            await bench.accept(firing(f"A{number}"))
            await bench.settle()
        texts = [message.text for bench in found for message in bench.sent if message.channel == "desk"]
        assert ["the key is missing" in text for text in texts] == [True]

        for bench in found:
            bench.transactions.swap(whole)
            await bench.sender.reloaded(bench.clock.now())
        await settle(found)
        assert sum(message.channel == "people" for bench in found for message in bench.sent) == 2

        two = found[1]
        two.clock.turn(seconds=1)
        two.transactions.swap(replace(whole, channels={**whole.channels, "people": locked}))
        await two.accept(firing("B"))
        await two.settle()
        assert sum(message.channel == "desk" for bench in found for message in bench.sent) == 2
