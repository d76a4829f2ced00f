"""The outbox: what waits, who has it, how it ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.domain.alert import Status
from bridge.domain.delivery import DeliveryState
from bridge.domain.message import Reason
from bridge.storage import deliveries, incidents, letters
from bridge.storage.database import Database
from bridge.storage.deliveries import Claimed, Wanted
from bridge.storage.transaction import Tx
from tests.contract.storage.making import MINUTE, alert, claimed, do, look, opened, planned
from tests.contract.storage.units import NOW

ALL = [state.value for state in DeliveryState]


async def test_a_delivery_that_was_planned_waits(database: Database) -> None:
    live = await do(database, planned)
    assert await look(database, deliveries.live, 0, 10) == [live]
    [queued] = await look(database, deliveries.queued, "i1", "chat")
    assert (queued.id, queued.reason, queued.state, queued.attempts) == (
        live.id,
        Reason.OPENED,
        DeliveryState.PENDING,
        0,
    )
    assert await look(database, deliveries.queued, "i1", "mail") == []
    assert await look(database, deliveries.queued_of_incident, "i1") == [(live.id, "chat", Reason.OPENED, False)]
    found = await do(database, deliveries.claim, live.id)
    assert found == Claimed(live.id, "i1", "chat", "team", Reason.OPENED, "a note", NOW, 0, 0, plain=False, epoch=0)
    assert await look(database, deliveries.claim_all, [live.id, live.id + 99]) == {live.id: found}


async def test_ids_grow_in_the_order_of_commits(database: Database) -> None:
    async def three(tx: Tx) -> list[int]:
        return [(await planned(tx, channel)).id for channel in ("a", "b", "c")]

    numbers = [number for _turn in range(3) for number in await do(database, three)]
    assert numbers == sorted(set(numbers))
    assert [live.id for live in await look(database, deliveries.live, numbers[3], 4)] == numbers[4:8]


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.DEAD])
async def test_a_delivery_ends_once(database: Database, state: DeliveryState) -> None:
    live = await do(database, planned)
    holder = await do(database, claimed, live.id)
    ending = {"attempts": 1, "counted": 1, "error": "refused"}
    assert await do(database, deliveries.end, holder, state, "why", NOW + MINUTE, **ending)
    assert not await do(database, deliveries.end, holder, DeliveryState.DEAD, "again", NOW, **ending)
    stored = await look(database, deliveries.get, live.id)
    assert stored is not None
    assert (stored.state, stored.end_reason, stored.attempts, stored.ended_at) == (state.value, "why", 1, NOW + MINUTE)
    assert stored.last_error == "refused"
    assert await look(database, deliveries.live, 0, 10) == []
    assert await do(database, deliveries.claim, live.id) is None


async def test_many_are_closed_as_sent_at_once_and_each_once(database: Database) -> None:
    lives = [await do(database, planned, channel) for channel in ("a", "b", "c")]
    holders = [await do(database, claimed, live.id) for live in lives]
    assert await do(database, deliveries.stop, lives[1].id, DeliveryState.CANCELLED, "acknowledged", NOW)
    assert await do(database, deliveries.sent, holders, NOW) == {lives[0].id, lives[2].id}
    assert await do(database, deliveries.sent, holders, NOW) == set()
    assert await do(database, deliveries.sent, [], NOW) == set()


async def test_what_an_earlier_holder_says_is_void(database: Database) -> None:
    live = await do(database, planned)
    holder = await do(database, claimed, live.id)
    zombie = Claimed(*(getattr(holder, name) for name in holder.__struct_fields__[:10]), epoch=holder.epoch + 1)
    assert not await do(database, deliveries.end, zombie, DeliveryState.SENT, "", NOW, attempts=1, counted=1, error="")
    assert not await do(database, deliveries.drop, zombie, DeliveryState.CANCELLED, "", NOW)
    assert not await do(database, deliveries.again, zombie, NOW, attempts=1, counted=1, plain=False, error="")
    assert not await do(database, deliveries.park, live.id, zombie.epoch, "channel_missing", NOW)
    assert await do(database, deliveries.sent, [zombie], NOW) == set()
    assert await do(database, deliveries.drop, holder, DeliveryState.CANCELLED, "acknowledged", NOW)


async def test_a_delivery_that_failed_waits_again_with_what_was_counted(database: Database) -> None:
    live = await do(database, planned)
    holder = await do(database, claimed, live.id)
    due = NOW + 5 * MINUTE
    kept = {"attempts": 3, "counted": 2, "plain": True, "error": "timeout"}
    assert await do(database, deliveries.again, holder, due, **kept)
    again = await do(database, claimed, live.id)
    assert (again.attempts, again.counted, again.plain) == (3, 2, True)
    [queued] = await look(database, deliveries.queued, "i1", "chat")
    assert (queued.due_at, queued.attempts) == (due, 3)


async def test_a_newer_delivery_takes_over_the_age_and_the_wait_of_an_older_one(database: Database) -> None:
    live = await do(database, planned)
    await do(database, deliveries.inherit, live.id, Reason.RESOLVED, NOW - MINUTE, NOW + MINUTE)
    await do(database, deliveries.inherit, live.id, Reason.RESOLVED, NOW, NOW)
    stored = await look(database, deliveries.get, live.id)
    assert stored is not None
    assert (stored.reason, stored.created_at, stored.due_at) == ("resolved", NOW - MINUTE, NOW + MINUTE)


async def test_a_parked_delivery_keeps_its_hour_and_comes_back(database: Database) -> None:
    lives = [await do(database, planned, "gone", f"i{n}") for n in range(3)]
    for n, live in enumerate(lives):
        assert await do(database, deliveries.park, live.id, 0, "channel_missing", NOW + n * MINUTE)
    found = await look(database, deliveries.parked_since, "channel_missing", NOW + MINUTE, 10)
    assert found == [lives[0].id, lives[1].id]
    assert await look(database, deliveries.parked_since, "channel_missing", NOW + MINUTE, 1) == [lives[0].id]
    assert await look(database, deliveries.parked_since, "secret_unreadable", NOW + MINUTE, 10) == []
    assert [live.parked for live in await look(database, deliveries.live, 0, 10)] == [True] * 3
    assert await do(database, deliveries.unpark, lives[0].id, NOW)
    assert not await do(database, deliveries.unpark, lives[0].id, NOW)
    assert not await do(database, deliveries.park, lives[0].id, 7, "channel_missing", NOW)


async def test_what_waits_for_too_long_is_found_oldest_first(database: Database) -> None:
    first, second = await do(database, planned), await do(database, planned, "mail")
    assert await look(database, deliveries.too_old, NOW, 10) == [(first.id, "chat", NOW), (second.id, "mail", NOW)]
    assert await look(database, deliveries.too_old, NOW, 1) == [(first.id, "chat", NOW)]
    assert await look(database, deliveries.too_old, NOW - MINUTE, 10) == []


async def test_what_waits_is_counted_by_channel_and_state(database: Database) -> None:
    lives = [await do(database, planned, channel) for channel in ("a", "a", "b", "b")]
    await do(database, deliveries.park, lives[0].id, 0, "channel_missing", NOW)
    await do(database, deliveries.stop, lives[2].id, DeliveryState.CANCELLED, "", NOW)
    assert sorted(await look(database, deliveries.counts)) == [
        ("a", "parked", 1),
        ("a", "pending", 1),
        ("b", "pending", 1),
    ]


async def test_deliveries_are_shown_newest_first_and_filtered(database: Database) -> None:
    lives = [await do(database, planned, channel, name) for channel in ("a", "b") for name in ("i1", "i2")]
    holder = await do(database, claimed, lives[0].id)
    dying = {"attempts": 2, "counted": 2, "error": "gone"}
    await do(database, deliveries.end, holder, DeliveryState.DEAD, "gave_up", NOW, **dying)

    async def shown(states: list[str] = ALL, before: int = 0, limit: int = 10, **wanted: object) -> list[int]:
        page = await look(database, deliveries.page, before, states, Wanted(**wanted), limit)
        return [lives.index(next(live for live in lives if live.id == stored.id)) for stored in page]

    assert await shown() == [3, 2, 1, 0]
    assert await shown(limit=2) == [3, 2]
    assert await shown(before=lives[2].id) == [1, 0]
    assert await shown(["dead"]) == [0]
    assert await shown(["pending"]) == [3, 2, 1]
    assert await shown([]) == []
    assert await shown(channel="a") == [1, 0]
    assert await shown(incident="i2") == [3, 1]
    assert await shown(["dead"], channel="a", reason="gave_up") == [0]
    assert await shown(["dead"], channel="b") == []
    assert await shown(reason="opened") == [3, 2, 1, 0]
    assert await shown(since=NOW) == [3, 2, 1, 0]
    assert await shown(until=NOW) == []
    assert await shown(incident="i1", since=NOW + timedelta(microseconds=1)) == []


async def test_dead_letters_are_found_and_revived_once(database: Database) -> None:
    lives = [await do(database, planned, channel) for channel in ("a", "b", "c")]
    for live in lives[:2]:
        holder = await do(database, claimed, live.id)
        dying = {"attempts": 1, "counted": 1, "error": "gone"}
        await do(database, deliveries.end, holder, DeliveryState.DEAD, "gave_up", NOW, **dying)
    await do(database, deliveries.park, lives[2].id, 0, "channel_missing", NOW)

    newest = await look(database, letters.newest)
    assert newest == lives[2].id
    found = await look(database, letters.dead, Wanted(), 0, newest, 10)
    assert [letter.id for letter in found] == [lives[0].id, lives[1].id]
    assert [letter.id for letter in await look(database, letters.dead, Wanted(channel="b"), 0, newest, 10)] == [
        lives[1].id
    ]
    assert [letter.id for letter in await look(database, letters.parked, Wanted(), 0, newest, 10)] == [lives[2].id]
    revived = {lives[0].id: Reason.RESOLVED, lives[1].id + 99: Reason.OPENED}
    assert await do(database, letters.revive, revived, NOW + MINUTE) == {lives[0].id}
    assert await do(database, letters.revive, revived, NOW) == set()
    assert await look(database, letters.waiting, "") == await look(database, letters.waiting, "a") == 1
    assert await look(database, letters.waiting, "b") == 0
    assert [live.replayed for live in await look(database, deliveries.live, 0, 10)] == [True, False]
    again = await do(database, claimed, lives[0].id)
    assert (again.reason, again.created_at, again.attempts, again.counted, again.replayed) == (
        Reason.RESOLVED,
        NOW + MINUTE,
        1,
        0,
        1,
    )
    assert (await do(database, deliveries.claim_all, [lives[0].id]))[lives[0].id].replayed == 1
    assert await do(database, letters.supersede, [live.id for live in lives], NOW) == {lives[1].id, lives[2].id}
    stored = await look(database, deliveries.get, lives[1].id)
    assert stored is not None
    assert (stored.state, stored.end_reason, stored.last_error) == ("superseded", "newer_state", "gone")


async def test_what_is_known_beside_dead_letters_is_found_by_incident_and_channel(database: Database) -> None:
    lives = [await do(database, planned, channel) for channel in ("a", "a", "a", "b")]
    notices = [await do(database, planned, "a", "") for _ in range(2)]
    await do(database, opened, "i1", alert())
    ending = {"attempts": 1, "counted": 1, "error": "gone"}
    for live, state in (
        (lives[0], DeliveryState.DEAD),
        (lives[1], DeliveryState.SENT),
        (notices[0], DeliveryState.DEAD),
    ):
        holder = await do(database, claimed, live.id)
        await do(database, deliveries.end, holder, state, "why", NOW, **ending)
    await do(database, incidents.tell, [("i1", "a", 1, 1, Status.FIRING)])

    found = await look(database, letters.about, [lives[0].id, notices[0].id])
    beside = {pair: [letter.id for letter in beside] for pair, beside in found.beside.items()}
    assert beside == {("i1", "a"): [lives[0].id, lives[2].id], (str(notices[0].id), "a"): [notices[0].id]}
    assert found.told == {("i1", "a"): (lives[1].id, NOW)}
    assert found.firing == {("i1", "a")}
    assert list(found.incidents) == ["i1"]


async def test_a_delivery_knows_the_people_it_is_for(database: Database) -> None:
    async def two(tx: Tx) -> tuple[int, int]:
        live = await deliveries.add(tx, "i1", "chat", "team", Reason.ESCALATED, "", NOW, NOW, person="anna/ben")
        other = await deliveries.add(tx, "i2", "chat", "team", Reason.ESCALATED, "", NOW, NOW)
        return live.id, other.id

    first, second = await do(database, two)
    [queued] = await look(database, deliveries.queued, "i1", "chat")
    assert (queued.person, (await do(database, claimed, first)).person) == ("anna/ben", "anna/ben")
    assert (await look(database, deliveries.claim_all, [first]))[first].person == "anna/ben"
    await do(database, deliveries.inherit, first, Reason.ESCALATED, NOW, NOW)
    await do(database, deliveries.inherit, second, Reason.ESCALATED, NOW, NOW, person="carl")
    listed = await look(database, deliveries.page, 0, ["pending"], Wanted(), 10)
    assert {one.id: one.person for one in listed} == {first: "anna/ben", second: "carl"}
