"""A channel that answers 5xx for a day, by a clock that the test turns: what is told when it is back, and in which order."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Retryable
from tests.bridge_bench import Bench, engine, firing, resolved
from tests.unit.engine.test_credentials import Always

MAIN = """
fallback: pager
channels:
  people: {type: console, give_up_after: 2d, max_in_flight: 4}
  others: {type: console}
  pager: {type: console}
receivers: {all: [people, others]}
route:
  receiver: all
"""


def down(_message: Message, _context: Context) -> Receipt:
    raise Retryable(FailureReason.SERVER_ERROR, "HTTP 503")


def set_down(bench: Bench, *, to: bool) -> None:
    recorder = bench.transactions.generation().channels["people"].channel
    recorder._answers = Always(down) if to else []  # type: ignore[union-attr]


async def test_after_a_day_of_errors_everything_still_wanted_is_told_in_order(tmp_path: Path) -> None:
    async with engine(tmp_path, MAIN) as bench:
        await bench.post(firing("Known"))
        set_down(bench, to=True)
        await bench.post(resolved("Known", end=bench.clock.turn(minutes=1)))
        for hour in range(24):  # each hour something comes that stays, something that goes, something that grows
            at = bench.clock.now()
            await bench.post(firing(f"Stays{hour}", at=at))
            await bench.post(firing(f"Goes{hour}", at=at))
            await bench.post(firing(f"Grows{hour}", at=at, instance="a"))
            await bench.pass_time(minutes=10, step=30)
            await bench.post(resolved(f"Goes{hour}", at=at, end=bench.clock.now()))
            await bench.post(firing(f"Grows{hour}", at=at, instance="b"))
            await bench.pass_time(minutes=50, step=60)
        heard = [message for message in bench.sent if message.channel == "people"]
        assert len(heard) == 1
        assert len([message for message in bench.sent if message.channel == "pager"]) == 1

        set_down(bench, to=False)
        await bench.pass_time(minutes=6, step=5)

        heard = [message for message in bench.sent if message.channel == "people"][1:]
        assert len(heard) == 1 + 3 * 24  # one word for each incident, whatever happened in between
        by_name = {message.alerts[0].labels["alertname"]: message for message in heard}
        assert by_name["Known"].reason.value == "resolved"
        assert not by_name["Known"].fired_and_resolved
        for hour in range(24):
            assert by_name[f"Stays{hour}"].reason.value == "opened"
            assert by_name[f"Goes{hour}"].fired_and_resolved
            assert len(by_name[f"Grows{hour}"].alerts) == 2
        opened = [message.opened_at for message in heard[1:]]  # the first is the probe
        disorder = max(earlier - later for earlier, later in pairwise(opened))
        assert disorder <= timedelta(hours=1), "what is older is told first"
        assert await bench.audit("dead") == []
        assert len([1 for _kind, _reason, channel in await bench.audit("superseded") if channel == "people"]) == 48
        pager = [message.text for message in bench.sent if message.channel == "pager"]
        assert len(pager) == 2  # it does not take messages; it takes them again


async def test_what_waits_for_its_next_try_goes_as_soon_as_the_channel_is_well(tmp_path: Path) -> None:
    async with engine(tmp_path, MAIN) as bench:
        set_down(bench, to=True)
        for number in range(12):
            await bench.post(firing(f"Alert{number}"))
        await bench.pass_time(minutes=10, step=1)  # each was tried often: the waits are minutes long
        set_down(bench, to=False)
        await bench.post(firing("Fresh"))
        await bench.pass_time(seconds=6, step=1)

        assert len([message for message in bench.sent if message.channel == "people"]) == 13
