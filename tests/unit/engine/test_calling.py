"""Steps that name people, and whoever is on call: resolved when the step is taken, told by the person's own rules."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bridge.storage import deliveries
from bridge.storage.deliveries import Stored, Wanted
from tests.bridge_bench import START, Bench, engine, firing, resolved

MINUTE = timedelta(minutes=1)
PEOPLE = """
channels:
  people: {type: console}
  boss: {type: console}
  anna-slack: {type: console}
  anna-sms: {type: console}
  ben-slack: {type: console}
people:
  anna:
    channels: {slack: anna-slack, sms: anna-sms}
    rules: [{notify: slack}, {after: 5m, notify: sms}]
  ben: {channels: {slack: ben-slack}}
  carl:
schedules:
  payments:
    layers: [{people: [anna, ben], every: daily, start: 2026-03-01, at: "12:00"}]
  empty:
    layers: [{people: [anna], every: daily, start: 2030-01-01}]
    fallback: boss
route: {receiver: people, hooks: [dedupe, {escalate: night}]}
"""


def config(notify: str, more: str = "") -> str:
    return f"{PEOPLE}{more}\nescalations:\n  night:\n    - {{after: 10m, notify: [{notify}]}}\n"


ON_CALL = config("{on_call: payments}")


async def details(bench: Bench, kind: str) -> list[tuple[str, str]]:
    """(reason, detail) of the records of a kind."""
    rows = await bench.database.read(lambda tx: tx.all("audit_since", 0, kind, kind, "", "", 100_000))
    return [(str(row[10]), str(row[12])) for row in rows]


async def for_whom(bench: Bench) -> dict[str, str]:
    """Whom the deliveries to each channel are for."""

    async def load(tx: deliveries.Tx) -> list[Stored]:
        return await deliveries.page(tx, 0, ["sent", "pending", "superseded"], Wanted(), 100)

    return {one.channel: one.person for one in await bench.database.read(load)}


async def test_a_step_tells_whoever_is_on_call_when_it_is_taken(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        bench.clock.turn(hours=23, minutes=55)  # anna hands over at noon
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened", "ben-slack escalated"]
        assert await for_whom(bench) == {"people": "", "ben-slack": "ben"}
        assert await details(bench, "escalated") == [("night", "night step 1: on_call/payments (ben)")]


async def test_further_rules_of_a_person_come_at_their_times(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=14, step=60)
        assert bench.told() == ["people opened", "anna-slack escalated"]
        detail = await bench.operator.incident(bench.sent[0].incident)
        assert [(one.what, one.why, one.at) for one in detail.pending] == [("rule", "anna", START + 15 * MINUTE)]
        await bench.pass_time(minutes=1, step=60)
        assert bench.told() == ["people opened", "anna-slack escalated", "anna-sms escalated"]
        assert await for_whom(bench) == {"people": "", "anna-slack": "anna", "anna-sms": "anna"}


async def test_an_acknowledgement_stops_the_rules_and_taking_it_back_lets_them_go_on(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=12, step=60)
        incident = bench.sent[0].incident
        await bench.operator.acknowledge(incident, "anna", bench.clock.now())
        await bench.pass_time(minutes=30, step=60)
        assert bench.told() == ["people opened", "anna-slack escalated"]
        await bench.operator.unacknowledge(incident, "anna", bench.clock.now())
        await bench.pass_time(minutes=2, step=60)
        assert bench.told()[2:] == ["people reminder"]
        await bench.pass_time(minutes=1, step=60)
        assert bench.told()[3:] == ["anna-sms escalated"]


async def test_the_end_of_the_incident_ends_the_rules(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=12, step=60)
        await bench.post(resolved(end=bench.clock.now()))
        assert (await bench.operator.incident(bench.sent[0].incident)).pending == ()
        await bench.pass_time(minutes=10, step=60)
        assert sorted(bench.told()[2:]) == ["anna-slack resolved", "people resolved"]


async def test_a_step_may_name_a_person(tmp_path: Path) -> None:
    async with engine(tmp_path, config("boss, {person: ben}")) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told()[1:] == ["boss escalated", "ben-slack escalated"]
        assert await for_whom(bench) == {"people": "", "boss": "", "ben-slack": "ben"}


async def test_where_nobody_is_on_call_the_fallback_of_the_schedule_is_told_and_why(tmp_path: Path) -> None:
    async with engine(tmp_path, config("{on_call: empty}")) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told()[1:] == ["boss escalated"]
        assert bench.sent[1].note == "Nobody is on call for empty."
        assert await details(bench, "rerouted") == [("nobody_on_call", "on_call/empty: boss")]
