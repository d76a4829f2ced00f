"""Silences are made, edited and ended by Alertmanager's rules, on record, and at hand in memory."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.domain.errors import NotFound
from bridge.engine import silences as book_module
from bridge.engine.silence_rules import SilenceRefused
from bridge.engine.silences import SilenceBook
from bridge.ingest.posted_silence import PostedSilence
from bridge.storage import timers
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx
from tests.bridge_bench import START, Bench, engine

UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TEXT = "channels: {people: {type: console}}\nroute: {receiver: people}\n"


class Keeper:
    """A book over an engine; times are minutes from the start."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.book = SilenceBook(bench.transactions, bench.clock)

    def at(self, minutes: float) -> datetime:
        from datetime import timedelta

        return START + timedelta(minutes=minutes)

    def posted(self, start: float | None = 0, end: float | None = 60, **fields: Any) -> PostedSilence:
        values: dict[str, Any] = {
            "id": "", "matchers": (("alertname", "=", "A"),), "created_by": "alice", "comment": "why", "annotations": {},
        }  # fmt: skip
        starts_at = None if start is None else self.at(start)
        return PostedSilence(
            **{**values, "starts_at": starts_at, "ends_at": None if end is None else self.at(end), **fields}
        )

    async def put(self, *times: float | None, author: str = "alice", **fields: Any) -> str:
        return await self.book.put(self.posted(*times, **fields), author, self.bench.clock.now())

    async def kinds(self) -> list[tuple[str, str, str]]:
        """(kind, actor, silence) of the records about silences."""

        async def unit(tx: Tx) -> list[tuple[str, str, str]]:
            rows = await tx.all("audit_since", 0, "", "", "", "", 1000)
            return [(row[3], row[4], json.loads(row[12])["silence"]) for row in rows if row[3].startswith("silence_")]

        return await self.bench.transactions.read(unit)

    async def timers(self) -> list[Timer]:
        found = await self.bench.transactions.read(lambda tx: timers.due(tx, self.at(10_000), 100))
        return [timer for timer in found if timer.kind == "silence"]

    async def states(self) -> dict[str, str]:
        return {found.id: found.state(self.bench.clock.now()) for found in await self.book.every()}

    def silenced(self, name: str = "A") -> tuple[str, ...]:
        now = self.bench.clock.now()
        return tuple(found.id for found in self.book.snapshot.matching({"alertname": name}, now))


@pytest.fixture
async def keep(tmp_path: Path) -> AsyncIterator[Keeper]:
    async with engine(tmp_path, TEXT) as bench:
        keeper = Keeper(bench)
        await keeper.book.load()
        yield keeper


async def test_a_silence_holds_from_its_start_to_its_end_and_is_on_record(keep: Keeper) -> None:
    made = await keep.put(10, 60, annotations={"ticket": "7"})
    assert UUID_4.fullmatch(made)
    assert (keep.silenced(), await keep.states()) == ((), {made: "pending"})
    keep.bench.clock.turn(minutes=10)
    assert (keep.silenced(), keep.silenced("B")) == ((made,), ())
    keep.bench.clock.turn(minutes=50)
    assert (keep.silenced(), await keep.states()) == ((), {made: "expired"})
    found = await keep.book.get(made)
    assert (found.created_by, found.comment, dict(found.annotations)) == ("alice", "why", {"ticket": "7"})
    assert await keep.kinds() == [("silence_created", "alice", made)]


async def test_a_start_that_is_past_or_not_set_is_now(keep: Keeper) -> None:
    for start in (-30, None):
        made = await keep.book.get(await keep.put(start, 60))
        assert (made.starts_at, made.updated_at) == (START, START)


@pytest.mark.parametrize(
    ("times", "fields", "problem"),
    [
        ((5, 5), {}, "Failed to create silence: start time must be before end time"),
        ((6, 5), {}, "Failed to create silence: start time must be before end time"),
        ((0, None), {}, "Failed to create silence: start time must be before end time"),
        ((-9, -1), {}, "Failed to create silence: end time can't be in the past"),
        ((0, 5), {"matchers": (("a", "=~", ".*"),)}, "at least one matcher must not match the empty string"),
        ((0, 5), {"matchers": (("a", "=", ""), ("b", "=~", "x|"))}, "at least one matcher must not match the empty"),
        ((0, 5), {"matchers": (("a", "=", "b"), ("", "=", "x"))}, 'invalid label matcher 1 in set 0: invalid label name ""'),
        ((0, 5), {"matchers": (("a", "=~", "("),)}, "invalid label matcher 0 in set 0: bad regular expression"),
        ((0, 5), {"comment": "x" * 70_000}, "silence exceeded maximum size: 7"),
        ((0, 5), {"id": "gone", "comment": "x" * 70_000}, "silence exceeded maximum size"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_and_nothing_is_kept(
    keep: Keeper, times: tuple[float, ...], fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SilenceRefused, match=re.escape(problem)):
        await keep.put(*times, **fields)
    assert (await keep.states(), await keep.kinds(), await keep.timers()) == ({}, [], [])


async def test_a_negative_matcher_alone_is_enough_as_in_alertmanager(keep: Keeper) -> None:
    made = await keep.put(matchers=(("team", "!=", "web"),))
    assert keep.silenced() == (made,)


async def test_an_unknown_id_is_not_found(keep: Keeper) -> None:
    for asking in (keep.put(id="gone"), keep.book.get("gone"), keep.book.expire("gone", "bob", START)):
        with pytest.raises(NotFound):
            await asking
    assert await keep.kinds() == []


async def test_moving_the_end_of_an_active_one_keeps_its_id(keep: Keeper) -> None:
    made = await keep.put(0, 60)
    keep.bench.clock.turn(minutes=5)
    assert await keep.put(0, 90, id=made, author="bob", comment="longer") == made
    found = await keep.book.get(made)
    assert (found.ends_at, found.created_by, found.comment) == (keep.at(90), "bob", "longer")
    assert await keep.kinds() == [("silence_created", "alice", made), ("silence_updated", "bob", made)]
    assert await keep.put(0.001, 80, id=made) == made, "the start may differ by less than a second"


@pytest.mark.parametrize(
    ("first", "then", "changes"),
    [
        ((0, 60), (0, 60), {"matchers": (("alertname", "=", "B"),)}),
        ((0, 60), (1, 60), {}),
        ((10, 60), (3, 60), {}),
    ],
    ids=["other matchers", "another start", "a start in the past"],
)
async def test_an_edit_that_would_change_history_ends_the_old_one_and_makes_a_new(
    keep: Keeper, first: tuple[float, float], then: tuple[float, float], changes: dict[str, Any]
) -> None:
    old = await keep.put(*first)
    keep.bench.clock.turn(minutes=5)
    new = await keep.put(*then, id=old, author="bob", **changes)
    assert new != old
    assert await keep.states() == {old: "expired", new: "active"}
    assert (await keep.book.get(new)).starts_at == keep.at(5)
    assert await keep.kinds() == [
        ("silence_created", "alice", old), ("silence_expired", "bob", old), ("silence_created", "bob", new),
    ]  # fmt: skip
    assert [found.id for found in keep.book.snapshot] == [new]


async def test_a_pending_one_may_be_moved_within_the_future(keep: Keeper) -> None:
    made = await keep.put(10, 60)
    assert await keep.put(20, 70, id=made) == made
    assert (await keep.book.get(made)).starts_at == keep.at(20)


async def test_editing_an_ended_one_makes_a_new_one_and_leaves_it_as_it_was(keep: Keeper) -> None:
    old = await keep.put(0, 10)
    keep.bench.clock.turn(minutes=20)
    new = await keep.put(0, 60, id=old)
    assert await keep.states() == {old: "expired", new: "active"}
    assert (await keep.book.get(old)).ends_at == keep.at(10)
    assert [kind for kind, _actor, _silence in await keep.kinds()] == ["silence_created", "silence_created"]


async def test_ending_an_active_one_ends_it_now_and_again_changes_nothing(keep: Keeper) -> None:
    made = await keep.put(0, 60)
    keep.bench.clock.turn(minutes=5)
    for _again in range(2):
        await keep.book.expire(made, "bob", keep.bench.clock.now())
        keep.bench.clock.turn(minutes=1)
    assert keep.silenced() == ()
    assert (await keep.book.get(made)).ends_at == keep.at(5)
    assert await keep.kinds() == [("silence_created", "alice", made), ("silence_expired", "bob", made)]


async def test_ending_a_pending_one_leaves_it_without_a_span(keep: Keeper) -> None:
    made = await keep.put(10, 60)
    await keep.book.expire(made, "bob", START)
    found = await keep.book.get(made)
    assert (found.starts_at, found.ends_at, found.state(START)) == (START, START, "expired")


async def test_its_beginning_its_end_and_every_change_have_their_timers(keep: Keeper) -> None:
    pending, active = await keep.put(10, 60), await keep.put(0, 30)
    assert [(timer.data, timer.due_at) for timer in await keep.timers()] == [
        (active, keep.at(0)), (pending, keep.at(10)), (active, keep.at(30)), (pending, keep.at(60)),
    ]  # fmt: skip
    keep.bench.clock.turn(minutes=5)
    await keep.put(0, 40, id=active)
    assert [timer.due_at for timer in await keep.timers() if timer.data == active] == [keep.at(5), keep.at(40)]
    await keep.book.expire(active, "bob", keep.bench.clock.now())
    assert [timer.due_at for timer in await keep.timers() if timer.data == active] == [keep.at(5)]


async def test_there_is_an_end_to_how_many_there_are(keep: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_SILENCES", 2)
    first = await keep.put()
    await keep.put()
    with pytest.raises(SilenceRefused, match=r"exceeded maximum number of silences: 2 \(limit: 2\)"):
        await keep.put()
    assert await keep.put(0, 90, id=first) == first


async def test_a_start_finds_what_is_in_force_and_leaves_out_what_ended(keep: Keeper) -> None:
    made = await keep.put(0, 60)
    await keep.put(0, 10)
    keep.bench.clock.turn(minutes=20)
    other = SilenceBook(keep.bench.transactions, keep.bench.clock)
    await other.load()
    assert [found.id for found in other.snapshot] == [made]


async def test_a_change_that_was_refused_leaves_no_trace_in_memory(keep: Keeper) -> None:
    made = await keep.put()
    with pytest.raises(NotFound):
        await keep.put(id="gone")
    assert keep.silenced() == (made,)
    more = await keep.put()
    assert set(keep.silenced()) == {made, more}


async def test_changes_at_once_are_all_there(keep: Keeper) -> None:
    import asyncio

    made = await asyncio.gather(*(keep.put() for _number in range(20)))
    assert set(keep.silenced()) == set(made)
    await asyncio.gather(*(keep.book.expire(one, "bob", START) for one in made[::2]))
    assert set(keep.silenced()) == set(made[1::2])
