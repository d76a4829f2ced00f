"""The order in memory of what waits for one channel."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.engine.lane import Lane
from bridge.storage.deliveries import Live
from tests.bridge_bench import START


def live(number: int, incident: str = "", seconds: float = 0) -> Live:
    return Live(number, incident or f"incident-{number}", "people", START + timedelta(seconds=seconds))


def test_one_incident_has_one_delivery_under_way() -> None:
    lane = Lane()
    for number in (1, 2, 3):
        lane.add(live(number, "same"))

    first = lane.take(START, 10)
    assert [one.id for one in first] == [1]
    assert lane.take(START, 10) == []

    lane.done(first[0])
    assert [one.id for one in lane.take(START, 10)] == [2]


def test_what_is_not_due_stays() -> None:
    lane = Lane()
    lane.add(live(1, seconds=5))

    assert lane.take(START, 10) == []
    assert lane.next_due() == START + timedelta(seconds=5)


def test_notices_do_not_wait_for_each_other() -> None:
    lane = Lane()
    for number in (1, 2):
        lane.add(Live(number, "", "people", START))

    assert len(lane.take(START, 10)) == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=30), st.randoms())
def test_within_an_incident_deliveries_go_in_order_and_none_is_forgotten(
    wanted: list[tuple[int, int]], rng: object
) -> None:
    lane = Lane()
    for number, (incident, _seconds) in enumerate(wanted, 1):
        lane.add(live(number, f"incident-{incident}"))
    under_way: list[Live] = []
    went: dict[str, list[int]] = {}
    while len(lane) or under_way:
        for taken in lane.take(START, 2):
            went.setdefault(taken.incident, []).append(taken.id)
            under_way.append(taken)
        assert len({one.incident for one in under_way}) == len(under_way) == lane.in_flight
        if under_way:
            lane.done(under_way.pop(rng.randrange(len(under_way))))  # type: ignore[attr-defined]

    assert sum(map(len, went.values())) == len(wanted)
    assert all(ids == sorted(ids) for ids in went.values())
