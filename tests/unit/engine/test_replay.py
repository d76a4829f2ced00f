"""Dead letters are replayed: what is still wanted goes out once, with the present state, and all of it is on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import Conflict, FailureReason, NotFound, Permanent, Retryable
from bridge.engine.replay import Ask
from bridge.engine.views import ReplayPage
from bridge.storage.deliveries import Wanted
from tests.bridge_bench import Answer, Bench, engine, firing, resolved

TWO = """
channels:
  people: {type: console}
  pager: {type: console}
  ends: {type: console, send_resolved: false}
receivers:
  crew: [people, pager]
escalations:
  night:
    - {after: 5m, notify: [pager]}
route:
  receiver: people
  routes:
    - {name: both, matchers: ['team="both"'], receiver: crew}
    - {name: rising, matchers: ['team="rising"'], receiver: people, hooks: [dedupe, {escalate: night}]}
    - {name: endless, matchers: ['team="endless"'], receiver: ends}
"""


def refuse(message: Message, context: Context) -> Receipt | None:
    raise Permanent(FailureReason.CONTENT_REFUSED, "too odd")


def unknown(message: Message, context: Context) -> Receipt | None:
    raise Retryable(FailureReason.TIMEOUT, "no answer", unknown=True)


def refusals(deliveries: int) -> list[Answer]:
    """A delivery dies of two refusals."""
    return [refuse] * (2 * deliveries)


async def replay(bench: Bench, *, everything: bool = False, parked: bool = False, **wanted: object) -> ReplayPage:
    """One page is enough here; then what is due is done. It begins after what died was planned."""
    bench.clock.turn(milliseconds=1)
    ask = Ask(Wanted(**wanted), parked=parked, everything=everything)  # type: ignore[arg-type]
    page = await bench.operator.replay(ask, "alice", bench.clock.now())
    await bench.settle()
    return page


async def states(bench: Bench) -> list[str]:
    """Each delivery as `channel reason state`, oldest first."""
    found = (await bench.operator.deliveries(limit=1000)).deliveries
    return [f"{one.channel} {one.reason} {one.state}" for one in reversed(found)]


def left_out(page: ReplayPage) -> list[str]:
    return [letter.why for letter in page.left_out]


def counted(page: ReplayPage) -> dict[str, tuple[int, int, int]]:
    return {one.channel: (one.replayed, one.superseded, one.left_out) for one in page.channels}


async def replayed(bench: Bench) -> Sequence[tuple[str, str]]:
    """(reason, channel) of the records of replays."""
    return [(reason, channel) for _kind, reason, channel in await bench.audit("replayed")]


async def test_what_died_and_still_fires_is_told_once_and_by_whom_is_on_record(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(1)
        await bench.post(firing())
        assert bench.told() == []

        page = await replay(bench)

        assert bench.told() == ["people opened"]
        assert counted(page) == {"people": (1, 0, 0)}
        assert page.next is None
        assert await replayed(bench) == [("content_refused", "people")]
        (incident,) = (await bench.operator.incidents()).incidents
        timeline = (await bench.operator.incident(incident.id)).timeline
        assert [(entry.kind, entry.actor) for entry in timeline][-2:] == [("replayed", "alice"), ("sent", "bridge")]


async def test_a_second_replay_does_nothing(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(2)
        await bench.post(firing("One"))
        await bench.post(firing("Two"))
        await replay(bench)
        records = len(await bench.audit())

        page = await replay(bench)

        assert (page.looked, page.channels, page.left_out) == (0, (), ())
        assert len(await bench.audit()) == records
        assert len(bench.sent) == 2


async def test_what_is_over_and_nobody_was_told_of_is_left_out_unless_all_is_asked_for(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(1)
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        assert await states(bench) == ["people opened dead"]

        page = await replay(bench)
        assert bench.told() == []
        assert set(left_out(page)) == {"not_firing"}

        await replay(bench, everything=True)
        assert bench.told() == ["people resolved"]
        assert bench.sent[0].fired_and_resolved


async def test_an_end_that_died_is_told_to_whoever_heard_of_the_firing(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        await bench.post(firing())
        bench.answers["people"] += refusals(1)
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        assert bench.told() == ["people opened"]

        await replay(bench)

        assert bench.told() == ["people opened", "people resolved"]
        assert not bench.sent[1].fired_and_resolved


async def test_an_end_that_died_is_told_to_whoever_perhaps_heard_of_the_firing(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [unknown, refuse, refuse]
        await bench.post(firing())
        await bench.pass_time(seconds=3)
        bench.answers["people"] += refusals(1)
        await bench.post(resolved(end=bench.clock.now()))
        await bench.pass_time(seconds=3)

        await replay(bench)

        assert bench.told() == ["people resolved"]


async def test_several_dead_letters_of_one_incident_become_one_message_with_the_whole_state(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(3)
        for instance in "abc":
            await bench.post(firing(instance=instance))
            bench.clock.turn(seconds=1)
        assert await states(bench) == ["people opened dead", "people changed dead", "people changed dead"]

        page = await replay(bench)

        assert counted(page) == {"people": (1, 2, 0)}
        assert bench.told() == ["people opened"], "nobody was told of it before"
        assert len(bench.sent[0].alerts) == 3
        assert [state.split()[2] for state in await states(bench)] == ["superseded", "superseded", "sent"]
        assert len(await replayed(bench)) == 3


async def test_what_an_acknowledgement_stopped_stays_stopped_whatever_is_asked_for(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["pager"] += refusals(1)
        await bench.post(firing(team="rising"))
        await bench.pass_time(minutes=6, step=60)
        (incident,) = (await bench.operator.incidents()).incidents
        await bench.operator.acknowledge(incident.id, "alice", bench.clock.now())

        assert left_out(await replay(bench)) == ["acknowledged"]
        assert left_out(await replay(bench, everything=True)) == ["acknowledged"]
        (dead,) = (await bench.operator.deliveries(states=["dead"])).deliveries
        with pytest.raises(Conflict, match="acknowledged"):
            await bench.operator.retry(dead.id, "alice", bench.clock.now())
        assert bench.told() == ["people opened"]


async def test_what_was_told_in_another_message_since_is_not_told_again(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(1)
        await bench.post(firing(instance="a"))
        await bench.post(firing(instance="b"))
        assert bench.told() == ["people changed"]

        page = await replay(bench)

        assert counted(page) == {"people": (0, 1, 0)}
        assert bench.told() == ["people changed"]
        assert await states(bench) == ["people opened superseded", "people changed sent"]


async def test_what_waits_anyway_takes_over_what_the_dead_had_to_say(tmp_path: Path) -> None:
    """The message that waits would have told a change to somebody who never heard of the opening."""
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [*refusals(1), unknown]
        await bench.post(firing(instance="a"))
        await bench.post(firing(instance="b"))
        assert await states(bench) == ["people opened dead", "people changed pending"]

        page = await replay(bench)
        await bench.pass_time(seconds=3)

        assert counted(page) == {"people": (0, 1, 0)}
        assert bench.told() == ["people opened"]


async def test_an_end_is_not_told_of_what_fires_again(tmp_path: Path) -> None:
    """Ended by hand, told to nobody; its sender says that it still fires, and after an hour it is open again."""
    text = TWO.replace("route:", "reopen_within: 1h\nroute:", 1)
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        bench.answers["people"] += refusals(2)
        (incident,) = (await bench.operator.incidents()).incidents
        await bench.operator.resolve(incident.id, "alice", bench.clock.turn(minutes=1))
        await bench.settle()
        bench.clock.turn(hours=2)
        await bench.post(firing())
        assert await states(bench) == ["people opened sent", "people resolved dead", "people opened dead"]

        assert counted(await replay(bench, reason="resolved")) == {"people": (0, 1, 0)}
        assert counted(await replay(bench)) == {"people": (1, 0, 0)}
        assert bench.told() == ["people opened", "people opened"]


async def test_each_incident_of_one_group_is_replayed_for_itself(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        await bench.post(firing())
        bench.answers["people"] += refusals(2)
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        await bench.post(firing(at=bench.clock.turn(minutes=1)))
        incidents = (await bench.operator.incidents()).incidents
        assert [one.state for one in incidents] == ["open", "resolved"]

        await replay(bench)

        assert sorted(bench.told()) == ["people opened", "people opened", "people resolved"]
        assert {message.incident for message in bench.sent if message.reason.value == "resolved"} == {incidents[1].id}


async def test_a_channel_that_takes_no_ends_gets_none(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["ends"] += refusals(1)
        await bench.post(firing(team="endless"))
        await bench.post(resolved(end=bench.clock.turn(minutes=1), team="endless"))

        assert left_out(await replay(bench)) == ["not_firing"]
        assert left_out(await replay(bench, everything=True)) == ["send_on"]
        assert bench.told() == []


async def test_notices_come_back_only_where_all_is_asked_for(tmp_path: Path) -> None:
    text = TWO.replace("channels:", "fallback: pager\nchannels:", 1)
    async with engine(tmp_path, text) as bench:
        bench.answers["people"] += refusals(1)
        bench.answers["pager"] += [refuse] * 3
        await bench.post(firing())
        assert "pager notice dead" not in await states(bench)
        from bridge.engine import outbox

        await bench.transactions.write(bench.clock.now(), lambda work: outbox.notice(work, "a file was refused"))
        await bench.settle()
        assert "pager notice dead" in await states(bench)

        assert left_out(await replay(bench, reason="notice")) == ["notice"]
        await replay(bench, reason="notice", everything=True)

        assert bench.told() == ["pager notice"]


async def test_a_replay_is_bounded_by_channel_incident_reason_and_time(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(3)
        bench.answers["pager"] += refusals(1)
        start = bench.clock.now()
        await bench.post(firing("Both", team="both"))
        bench.clock.turn(hours=1)
        await bench.post(firing("Late"))
        await bench.post(firing("Later"))
        incident = (await bench.operator.incidents()).incidents[0]

        assert (await replay(bench, until=start)).looked == 0
        assert (await replay(bench, since=start + timedelta(hours=1), channel="pager")).looked == 0
        assert (await replay(bench, reason="gave_up")).looked == 0
        assert counted(await replay(bench, until=start + timedelta(minutes=1), channel="pager")) == {"pager": (1, 0, 0)}
        assert counted(await replay(bench, incident=incident.id)) == {"people": (1, 0, 0)}
        assert counted(await replay(bench, reason="content_refused", since=start)) == {"people": (2, 0, 0)}
        with pytest.raises(NotFound):
            await replay(bench, incident="nothing")


async def test_a_dry_run_says_what_a_replay_does_and_changes_nothing(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(3)
        await bench.post(firing("One", instance="a"))
        await bench.post(firing("One", instance="b"))
        await bench.post(firing("Two"))
        before = await bench.audit()
        now = bench.clock.turn(seconds=1)

        dry = await bench.operator.replay(Ask(Wanted()), "alice", now, dry_run=True)

        assert await bench.audit() == before
        assert counted(dry) == {"people": (2, 1, 0)}
        assert counted(await replay(bench)) == counted(dry)


async def test_pages_of_one_letter_come_to_the_same_as_one_page(tmp_path: Path) -> None:
    """A pair whose letters stand on several pages is judged once, and what dies meanwhile is not looked at again."""
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += refusals(4)
        for name, instance in (("One", "a"), ("Two", "a"), ("One", "b"), ("Two", "b")):
            await bench.post(firing(name, instance=instance))
            bench.clock.turn(seconds=1)
        bench.answers["people"] += refusals(2)
        total: Counter[str] = Counter()
        cursor: str | None = ""
        while cursor is not None:
            page = await bench.operator.replay(
                Ask(Wanted()), "alice", bench.clock.turn(seconds=1), cursor=cursor, limit=1
            )
            await bench.settle()
            for one in page.channels:
                total.update(replayed=one.replayed, superseded=one.superseded, left_out=one.left_out)
            cursor = page.next

        assert total == {"replayed": 2, "superseded": 2, "left_out": 0}
        assert [state for state in await states(bench) if state.endswith("dead")] == ["people opened dead"] * 2


async def test_a_delivery_of_a_new_life_has_a_new_idempotency_key(tmp_path: Path) -> None:
    """Its receiver may know the old one, and what is said now may be something else."""
    keys: list[str] = []

    def note(message: Message, context: Context) -> Receipt | None:
        keys.append(context.idempotency_key)
        raise Permanent(FailureReason.CONTENT_REFUSED)

    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [note] * 4
        await bench.post(firing())
        await replay(bench)

        assert keys[0] == keys[1] != keys[2] == keys[3]
