"""What becomes of a delivery: retries, refusals, the dead, and who hears of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Permanent, Refused, Retryable
from tests.bridge_bench import Answer, engine, firing, resolved

TWO = """
fallback: pager
channels:
  people: {type: console, give_up_after: 1h, max_in_flight: 2}
  pager: {type: console}
route:
  receiver: people
"""


def fails(error: Exception) -> Answer:
    def answer(message: Message, context: Context) -> Receipt | None:
        raise error

    return answer


def network() -> Answer:
    return fails(Retryable(FailureReason.NETWORK, "refused"))


async def test_a_failed_attempt_is_tried_again_after_its_wait(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [network(), network()]
        await bench.post(firing())
        assert bench.told() == []

        await bench.pass_time(seconds=5, step=0.5)

        assert bench.told() == ["people opened"]
        assert [kind for kind, _r, channel in await bench.audit() if channel] == ["retry", "retry", "sent"]


async def test_the_idempotency_key_is_the_same_for_every_attempt_and_new_for_the_next_state(tmp_path: Path) -> None:
    keys: list[str] = []

    def note(error: Exception | None) -> Answer:
        def answer(message: Message, context: Context) -> Receipt | None:
            keys.append(context.idempotency_key)
            if error:
                raise error
            return None

        return answer

    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [note(Retryable(FailureReason.NETWORK)), note(None), note(None)]
        await bench.post(firing())
        await bench.pass_time(seconds=3)
        await bench.post(resolved(end=bench.clock.now()))

        assert keys[0] == keys[1] != keys[2]


async def test_refused_content_gets_one_plain_try_and_then_the_fallback_hears(tmp_path: Path) -> None:
    plain: list[bool] = []

    def refuse(message: Message, context: Context) -> Receipt | None:
        plain.append(context.plain)
        raise Permanent(FailureReason.CONTENT_REFUSED, "invalid_blocks")

    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [refuse, refuse]
        await bench.post(firing())

        assert plain == [False, True]
        assert bench.told() == ["pager opened"]
        assert "not delivered over people" in bench.sent[0].note
        assert [reason for _k, reason, _c in await bench.audit("dead")] == ["content_refused"]


async def test_who_heard_over_the_fallback_hears_of_the_end_there(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [fails(Permanent(FailureReason.CONTENT_REFUSED))] * 2
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))

        assert bench.told() == ["pager opened", "pager resolved"]


async def test_a_delivery_dies_when_its_time_is_over_not_before(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [network()] * 1000
        await bench.post(firing())
        await bench.pass_time(minutes=59, step=30)
        assert await bench.audit("dead") == []

        await bench.pass_time(minutes=8, step=30)

        assert [reason for _k, reason, _c in await bench.audit("dead")] == ["network"]
        assert bench.told().count("pager opened") == 1


async def test_a_refused_credential_keeps_the_delivery_and_is_announced_once(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [fails(Refused(FailureReason.UNAUTHORIZED, "invalid_auth"))] * 3
        await bench.post(firing("One"))
        await bench.post(firing("Two"))
        await bench.pass_time(seconds=14)

        assert [message.reason.value for message in bench.sent if message.channel == "pager"] == ["notice"]
        assert await bench.audit("dead") == []

        await bench.pass_time(seconds=20)
        assert bench.told().count("people opened") == 2
        assert len(await bench.audit("breaker_opened")) == len(await bench.audit("breaker_closed")) == 1


async def test_a_service_that_is_too_busy_pauses_its_credential_and_burns_no_attempt(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [fails(Retryable(FailureReason.RATE_LIMITED, retry_after=30.0))]
        await bench.post(firing("One"))
        await bench.post(firing("Two"))
        await bench.pass_time(seconds=29)
        assert bench.told() == []

        await bench.pass_time(seconds=8)

        assert bench.told() == ["people opened", "people opened"]


async def test_an_unknown_outcome_is_tried_again_and_counts_as_told(tmp_path: Path) -> None:
    """The end must reach whoever may have heard of the firing."""
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [fails(Retryable(FailureReason.TIMEOUT, unknown=True))]
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.now()))
        await bench.pass_time(seconds=3)

        assert bench.told() == ["people resolved"]
        assert not bench.sent[0].fired_and_resolved
        assert len(await bench.audit("unknown")) == 1


async def test_a_resolve_replaces_a_firing_that_could_not_be_told(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [network()]
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.now()))
        await bench.pass_time(seconds=3)

        assert bench.told() == ["people resolved"]
        assert bench.sent[0].fired_and_resolved
        assert len(await bench.audit("superseded")) == 1


async def test_a_change_that_replaces_an_untold_opening_stays_an_opening(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [network()]
        await bench.post(firing(instance="a"))
        await bench.post(firing(instance="b"))
        await bench.pass_time(seconds=3)

        assert bench.told() == ["people opened"]
        assert len(bench.sent[0].alerts) == 2


async def test_a_state_that_queued_up_behind_an_attempt_takes_over_when_it_fails(tmp_path: Path) -> None:
    """The resolve comes while the firing is being sent, and the attempt fails: the resolve goes, once, as both."""
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [network()]
        await bench.accept(firing())
        await bench.sender.step(bench.clock.now())  # under way
        await bench.accept(resolved(end=bench.clock.now()))
        await bench.sender.idle()
        await bench.pass_time(seconds=3)

        assert bench.told() == ["people resolved"]
        assert bench.sent[0].fired_and_resolved


async def test_a_resolve_never_overtakes_its_firing(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        await bench.accept(firing())
        await bench.sender.step(bench.clock.now())
        await bench.accept(resolved(end=bench.clock.now()))
        assert await bench.sender.step(bench.clock.now()) == 0  # the firing is on its way

        await bench.sender.idle()
        await bench.settle()

        assert bench.told() == ["people opened", "people resolved"]


async def test_no_more_than_max_in_flight_are_under_way(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        for n in range(5):
            await bench.accept(firing(f"Alert{n}"))

        assert await bench.sender.step(bench.clock.now()) == 2
        assert await bench.sender.step(bench.clock.now()) == 0

        await bench.sender.idle()
        await bench.settle()
        assert len(bench.sent) == 5


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(3), KeyError("labels")])
async def test_a_plugin_that_raises_anything_is_tried_again_and_harms_nobody_else(
    tmp_path: Path, error: BaseException
) -> None:
    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [fails(error)]  # type: ignore[arg-type]
        await bench.post(firing())
        await bench.pass_time(seconds=3)

        assert bench.told() == ["people opened"]
        assert [reason for _k, reason, _c in await bench.audit("retry")] == ["plugin_error"]


async def test_a_receipt_comes_back_with_the_next_message_of_the_incident(tmp_path: Path) -> None:
    seen: list[Receipt | None] = []

    def give(message: Message, context: Context) -> Receipt | None:
        seen.append(context.previous)
        return Receipt({"ts": "1.2"})

    async with engine(tmp_path, TWO) as bench:
        bench.answers["people"] += [give, give]
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))

        assert seen[0] is None
        assert seen[1] is not None
        assert seen[1].data == {"ts": "1.2"}


async def test_deliveries_to_a_channel_that_is_gone_park_and_come_back_with_it(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        without = TWO.replace("  people: {type: console, give_up_after: 1h, max_in_flight: 2}\n", "").replace(
            "receiver: people", "receiver: pager"
        )
        before = bench.transactions.generation()
        await bench.accept(firing())
        bench.transactions.swap(bench.configure(without, tmp_path))
        await bench.settle()
        assert bench.told() == ["pager notice"]
        assert bench.sender.parked() == {"people": 1}

        bench.transactions.swap(before)
        await bench.sender.reloaded(bench.clock.now())
        await bench.settle()

        assert bench.told() == ["pager notice", "people opened"]
        assert len(await bench.audit("parked")) == len(await bench.audit("unparked")) == 1


async def test_what_waited_is_sent_after_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        await bench.accept(firing())
    async with engine(tmp_path, TWO) as bench:
        await bench.settle()

        assert bench.told() == ["people opened"]


async def test_send_resolved_false_and_send_on_are_obeyed_and_recorded(tmp_path: Path) -> None:
    text = TWO.replace("max_in_flight: 2", "send_resolved: false, send_on: [opened, resolved]")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(instance="a"))
        await bench.post(firing(instance="b"))
        end = bench.clock.turn(minutes=1)
        await bench.post(resolved(instance="a", end=end), resolved(instance="b", end=end))

        assert bench.told() == ["people opened"]
        assert [reason for _k, reason, _c in await bench.audit("suppressed")] == ["send_on", "send_on"]


async def test_what_is_parked_too_long_goes_to_the_routes_present_receiver_with_the_whole_state(tmp_path: Path) -> None:
    from bridge.engine.rehoming import rehome

    without = TWO.replace("  people: {type: console, give_up_after: 1h, max_in_flight: 2}\n", "").replace(
        "receiver: people", "receiver: pager"
    )
    async with engine(tmp_path, TWO) as bench:
        await bench.accept(firing(instance="a"), firing(instance="b"))
        bench.transactions.swap(bench.configure(without, tmp_path))
        await bench.settle()
        assert bench.told() == ["pager notice"]  # the fallback hears of the channel, once

        bench.clock.turn(minutes=4, seconds=59)
        await rehome(bench.transactions, bench.clock.now())
        await bench.settle()
        assert bench.told() == ["pager notice"]

        bench.clock.turn(seconds=1)
        await rehome(bench.transactions, bench.clock.now())
        await bench.settle()
        await bench.post(resolved(instance="a", end=bench.clock.now()), resolved(instance="b", end=bench.clock.now()))

        assert bench.told() == ["pager notice", "pager opened", "pager resolved"]
        assert len(bench.sent[1].alerts) == 2
        assert [reason for _k, reason, _c in await bench.audit("superseded")] == ["rerouted"]
