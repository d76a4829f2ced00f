"""Steps that name people, and whoever is on call: resolved when the step is taken, told by the person's own rules."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.errors import FailureReason, NotFound, Retryable
from bridge.engine.paging import Page
from bridge.storage import deliveries
from bridge.storage.deliveries import Stored, Wanted
from tests.bridge_bench import START, Bench, engine, firing, resolved
from tests.unit.engine.test_outcomes import fails

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


NIGHT = "escalations: {night: [{after: 10m, notify: [boss]}]}\n"


def config(notify: str) -> str:
    return f"{PEOPLE}escalations:\n  night:\n    - {{after: 10m, notify: [{notify}]}}\n"


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


async def test_a_route_may_tell_whoever_is_on_call(tmp_path: Path) -> None:
    text = PEOPLE.replace("receiver: people, hooks: [dedupe, {escalate: night}]", "receiver: {on_call: payments}")
    async with engine(tmp_path, text + "fallback: boss\n") as bench:
        await bench.post(firing())
        assert bench.told() == ["anna-slack opened"]
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["anna-slack opened", "anna-sms escalated"]
        bench.clock.turn(hours=24)
        await bench.post(firing(source="default", instance="two", name="Other"))
        assert bench.told()[2:] == ["ben-slack opened"]
        await bench.post(resolved(end=bench.clock.now()))
        assert sorted(bench.told()[3:]) == ["anna-slack resolved", "anna-sms resolved"]


async def test_a_receiver_tells_its_channels_and_its_people_each_channel_once(tmp_path: Path) -> None:
    members = "receivers: {team: [people, ben-slack, {person: ben}, {on_call: payments}]}\nfallback: boss\n"
    async with engine(tmp_path, PEOPLE.replace("receiver: people", "receiver: team") + members + NIGHT) as bench:
        await bench.post(firing())
        assert sorted(bench.told()) == ["anna-slack opened", "ben-slack opened", "people opened"]
        assert await for_whom(bench) == {"people": "", "ben-slack": "ben", "anna-slack": "anna"}


async def test_people_who_share_a_channel_are_told_there_once_and_the_delivery_is_for_both(tmp_path: Path) -> None:
    text = config("{person: anna}, {person: ben}").replace("slack: anna-slack", "slack: ben-slack")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told()[1:] == ["ben-slack escalated"]
        assert (await for_whom(bench))["ben-slack"] == "anna/ben"


async def test_a_step_that_repeats_calls_again_and_lets_the_rules_run_once(tmp_path: Path) -> None:
    text = ON_CALL.replace("[{on_call: payments}]}", "[{on_call: payments}], repeat: {every: 2m, times: 2}}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=30, step=60)
        assert bench.told()[1:] == ["anna-slack escalated"] * 3 + ["anna-sms escalated"]


async def test_where_there_is_no_fallback_those_of_the_route_are_told(tmp_path: Path) -> None:
    text = config("{on_call: empty}").replace("    fallback: boss\n", "")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told()[1:] == ["people escalated"]
        assert await details(bench, "rerouted") == [("nobody_on_call", "on_call/empty: people")]


async def test_who_is_on_call_and_has_no_channel_is_stood_in_for(tmp_path: Path) -> None:
    text = config("{on_call: payments}").replace("people: [anna, ben]", "people: [carl]") + "fallback: boss\n"
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told()[1:] == ["boss escalated"]
        assert bench.sent[1].note == "No channel reaches payments."
        assert await details(bench, "rerouted") == [("unreachable", "on_call/payments: boss")]


async def test_a_step_whose_schedule_was_taken_out_meanwhile_is_told_to_somebody_else(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await bench.post(firing())
        bench.transactions.swap(bench.configure(config("boss").replace("  payments:", "  search:"), tmp_path))
        await bench.pass_time(minutes=10, step=60)
        assert bench.told()[1:] == ["people escalated"]
        assert bench.sent[1].note == "on_call/payments is not in the configuration any more."


async def test_a_rule_whose_person_was_taken_out_is_skipped_and_recorded(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        bench.transactions.swap(bench.configure(ON_CALL.replace("anna", "dora"), tmp_path))
        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened", "anna-slack escalated"]
        assert await details(bench, "skipped") == [("gone", "anna, after 5m: sms")]


async def test_a_page_by_hand_reaches_a_person_and_whoever_is_on_call(tmp_path: Path) -> None:
    async with engine(tmp_path, config("boss")) as bench:
        await bench.operator.page(Page("help", receiver="ben"), "alice", bench.clock.now())
        await bench.operator.page(Page("help", receiver="on_call/payments"), "alice", bench.clock.now())
        await bench.settle()
        assert bench.told() == ["ben-slack opened", "anna-slack opened"]
        await bench.pass_time(minutes=5, step=60)
        assert bench.told()[2:] == ["anna-sms escalated"]
        with pytest.raises(NotFound, match="nobody is known as on_call/search"):
            await bench.operator.page(Page("help", receiver="on_call/search"), "alice", bench.clock.now())


async def test_who_is_called_to_what_somebody_has_is_told_now_and_by_rule_only_if_it_is_given_back(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, config("boss")) as bench:
        await bench.post(firing())
        incident = bench.sent[0].incident
        await bench.operator.acknowledge(incident, "ben", bench.clock.now())
        bench.clock.turn(seconds=1)
        detail = await bench.operator.add_responder(incident, "on_call/payments", "ben", bench.clock.now())
        assert [one.who for one in detail.responders] == ["on_call/payments"]
        await bench.pass_time(minutes=20, step=60)
        assert bench.told()[1:] == ["anna-slack escalated"]
        assert bench.sent[1].note == "ben asks for help."
        assert [(one.what, one.paused, one.left) for one in detail.pending if one.what == "rule"] == [
            ("rule", True, 300.0)
        ]


async def test_whom_an_incident_is_assigned_to_is_told_unless_he_says_so_himself(tmp_path: Path) -> None:
    async with engine(tmp_path, config("boss")) as bench:
        await bench.post(firing())
        incident = bench.sent[0].incident
        detail = await bench.operator.assign(incident, "on_call/payments", "ben", bench.clock.now())
        assert detail.incident.owner == "anna"
        await bench.settle()
        assert bench.told()[1:] == ["anna-slack escalated"]
        assert bench.sent[1].note == "ben assigned this to anna."
        await bench.operator.assign(incident, "ben", "ben", bench.clock.now())
        await bench.settle()
        assert len(bench.sent) == 2
        again = await bench.operator.assign(incident, "on_call/empty", "ben", bench.clock.now())
        assert again.note == "nobody is on call for empty; it was not assigned"
        assert again.incident.owner == "ben"
        with pytest.raises(NotFound, match="nobody is known as person/nobody"):
            await bench.operator.assign(incident, "person/nobody", "ben", bench.clock.now())


async def test_of_several_on_call_the_first_is_assigned_and_the_answer_names_the_others(tmp_path: Path) -> None:
    text = config("boss").replace("people: [anna, ben]", "people: [[ben, anna]]")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        detail = await bench.operator.assign(bench.sent[0].incident, "on_call/payments", "carl", bench.clock.now())
        assert (detail.incident.owner, detail.note) == ("ben", "it is assigned to ben; on call with them: anna")
        await bench.settle()
        assert bench.told()[1:] == ["ben-slack escalated"]
        await bench.operator.assign(bench.sent[0].incident, "anna", "anna", bench.clock.now())
        detail = await bench.operator.assign(bench.sent[0].incident, "on_call/payments", "carl", bench.clock.now())
        assert (detail.incident.owner, detail.note) == ("anna", "it is assigned to anna already")


async def test_while_all_of_an_incident_is_hidden_nobody_is_called_to_it_and_who_calls_hears_so(tmp_path: Path) -> None:
    async with engine(tmp_path, config("boss")) as bench:
        await bench.post(firing())
        incident = bench.sent[0].incident
        await bench.silence("alertname=Down", end=START + 20 * MINUTE)
        called = await bench.operator.add_responder(incident, "anna", "ben", bench.clock.now())
        assert called.note == "all of it is silenced, inhibited or muted: nobody is called"
        assigned = await bench.operator.assign(incident, "anna", "ben", bench.clock.now())
        assert assigned.note == "all of it is silenced, inhibited or muted: anna is not told"
        assert (assigned.incident.owner, assigned.responders) == ("anna", ())
        await bench.pass_time(minutes=19, step=60)
        assert bench.told()[1:] == []
        await bench.pass_time(minutes=1, step=60)
        again = await bench.operator.add_responder(incident, "anna", "ben", bench.clock.now())
        await bench.settle()
        assert again.note == ""
        assert "anna-slack escalated" in bench.told()


async def test_a_silence_pauses_the_rules_and_its_end_lets_them_go_on(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=12, step=60)
        await bench.silence("alertname=Down", end=bench.clock.now() + 20 * MINUTE)
        await bench.pass_time(minutes=19, step=60)
        assert bench.told()[1:] == ["anna-slack escalated"]
        await bench.pass_time(minutes=7, step=60)
        assert "anna-sms escalated" in bench.told()


async def test_an_acknowledgement_cancels_what_is_queued_for_a_person(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        bench.answers["anna-slack"] += [fails(Retryable(FailureReason.SERVER_ERROR, "busy"))] * 3
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        await bench.operator.acknowledge(bench.sent[0].incident, "ben", bench.clock.now())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened"]


async def test_a_newer_word_that_replaces_a_persons_is_for_that_person_still(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL.replace("receiver: people", "receiver: anna-slack")) as bench:
        bench.answers["anna-slack"] += [fails(Retryable(FailureReason.SERVER_ERROR, "busy"))] * 40
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        detail = await bench.operator.incident((await bench.operator.incidents()).incidents[0].id)
        waiting = [one for one in detail.deliveries if one.state == "pending"]
        assert [(one.reason, one.person) for one in waiting] == [("opened", "anna")]
        await bench.post(firing("Down", severity="critical", instance="two"))
        detail = await bench.operator.incident(detail.incident.id)
        assert [one.person for one in detail.deliveries if one.state == "pending"] == ["anna"]


async def test_a_rule_that_is_due_as_a_mute_begins_waits_for_its_end(tmp_path: Path) -> None:
    muted = "time_intervals: [{name: lunch, time_intervals: [{times: [{start_time: '12:15', end_time: '12:45'}]}]}]\n"
    route = "routes: [{matchers: [alertname=Down], mute_time_intervals: [lunch]}]"
    text = ON_CALL.replace("route: {receiver: people,", f"{muted}route: {{receiver: people, {route},")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=44, step=60)
        assert bench.told()[1:] == ["anna-slack escalated"]
        await bench.pass_time(minutes=2, step=60)
        assert "anna-sms escalated" in bench.told()


async def test_somebody_named_twice_in_a_step_is_called_once(tmp_path: Path) -> None:
    async with engine(tmp_path, config("{on_call: payments}, {person: anna}")) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=30, step=60)
        assert bench.told()[1:] == ["anna-slack escalated", "anna-sms escalated"]
        assert [reason for reason, _ in await details(bench, "escalated")] == ["night", "rule"]
