"""Dead letters on a database that several bridges share: whoever is asked to replay them, each is told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Permanent
from bridge.engine.replay import Ask
from bridge.storage.deliveries import Wanted
from tests.bridge_bench import Bench, firing, resolved
from tests.contract.replicas.bridges import bridges, settle, told

pytestmark = pytest.mark.postgres


def refuse(message: Message, context: Context) -> Receipt | None:
    raise Permanent(FailureReason.CONTENT_REFUSED)


async def dead(found: list[Bench], *names: str) -> None:
    """Incidents of these names, each with a letter that died."""
    for bench in found:
        bench.answers["people"] += [refuse] * (2 * len(names))
    for name in names:
        await found[0].accept(firing(name))
    await settle(found)
    for bench in found:
        bench.answers["people"].clear()
    assert told(found) == []


async def replay(bench: Bench, *, cursor: str = "", limit: int = 500, dry_run: bool = False) -> tuple[int, str | None]:
    """How many are replayed, and where to go on."""
    now = bench.clock.now()
    page = await bench.operator.replay(Ask(Wanted()), "alice", now, cursor=cursor, limit=limit, dry_run=dry_run)
    return sum(one.replayed for one in page.channels), page.next


async def test_pages_asked_of_different_bridges_are_one_replay(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, two = found
        names = [f"A{number}" for number in range(6)]
        await dead(found, *names)
        assert await replay(two, dry_run=True) == (6, None)

        replayed, cursor = await replay(one, limit=4)
        assert cursor is not None
        rest, following = await replay(two, cursor=cursor, limit=4)
        assert (replayed, rest, following) == (4, 2, None)
        await settle(found)

        assert sorted(message.group_labels["alertname"] for bench in found for message in bench.sent) == names
        assert await replay(one) == (0, None)


async def test_what_is_replayed_goes_behind_the_news_on_every_bridge(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url, text=SLOW) as found:
        one, two = found
        await dead(found, "Old0", "Old1", "Old2")
        await replay(one)
        await one.accept(firing("News"))
        two.clock.turn(seconds=1)
        await two.settle()

        assert [message.group_labels["alertname"] for message in two.sent] == ["News", "Old0", "Old1", "Old2"]


async def test_an_end_that_died_on_one_bridge_is_replayed_by_another(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, two = found
        await one.post(firing())
        one.answers["people"] += [refuse, refuse]
        await one.post(resolved(end=one.clock.turn(minutes=1)))
        one.clock.turn(seconds=1)
        assert await replay(two) == (1, None)
        await settle(found)

        assert told(found) == ["people opened", "people resolved"]


SLOW = """
channels:
  people: {type: console, max_in_flight: 1}
  pager: {type: console}
route: {receiver: people}
"""
