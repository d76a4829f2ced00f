"""What was told already follows the incident: on every channel that was told and can show it, whoever acts and however."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.act import Via
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Retryable
from tests.bridge_bench import Bench, engine, firing
from tests.unit.engine.test_acknowledge import the_incident
from tests.unit.engine.test_outcomes import fails

_MAIL = "type: email, smarthost: 127.0.0.1:25, tls: none, from: bridge@example.com, to: [ops@example.com]"
CONFIG = f"""
channels:
  people: {{{_MAIL}}}
  boss: {{{_MAIL}}}
  screen: {{type: console}}
  listed: {{type: console, send_on: [opened, acknowledged, unacknowledged]}}
  short: {{{_MAIL}, send_on: [opened, resolved]}}
receivers:
  team: [people, screen, listed, short]
escalations:
  night: [{{after: 5m, notify: [boss]}}]
route:
  receiver: team
  hooks: [dedupe, {{escalate: night}}]
"""
RECEIVER = ["listed", "people", "screen", "short"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with engine(tmp_path, CONFIG, url=url) as bench:
        yield bench


async def escalated(bench: Bench) -> str:
    """An incident of which the receiver's channels and the boss were told."""
    await bench.post(firing())
    await bench.pass_time(minutes=5, step=300)
    assert sorted(bench.told()) == [*["boss escalated"], *[f"{name} opened" for name in RECEIVER]]
    bench.sent.clear()
    return await the_incident(bench)


async def test_an_acknowledgement_follows_on_all_that_were_told_and_can_or_asked(bench: Bench) -> None:
    incident = await escalated(bench)
    await bench.operator.acknowledge(incident, "alice", bench.clock.now(), Via.SLACK)
    await bench.settle()

    assert sorted(bench.told()) == ["boss acknowledged", "listed acknowledged", "people acknowledged"]
    assert {message.standing for message in bench.sent} == {"Acknowledged by alice in Slack"}
    assert {message.text.splitlines()[0] for message in bench.sent} == {"Acknowledged by alice in Slack."}


async def test_a_snooze_follows_with_its_end(bench: Bench) -> None:
    incident = await escalated(bench)
    until = bench.clock.now() + timedelta(hours=2)
    await bench.operator.snooze(incident, until, "alice", bench.clock.now(), Via.CLI)
    await bench.settle()

    assert sorted(bench.told()) == ["boss acknowledged", "listed acknowledged", "people acknowledged"]
    words = "Snoozed by alice on the command line until 2026-03-01 14:05 UTC"
    assert {message.standing for message in bench.sent} == {words}
    assert {message.snoozed_until for message in bench.sent} == {until}


async def test_what_is_given_back_follows_where_no_reminder_says_so(bench: Bench) -> None:
    incident = await escalated(bench)
    await bench.operator.acknowledge(incident, "alice", bench.clock.now())
    await bench.settle()
    bench.sent.clear()
    await bench.operator.unacknowledge(incident, "bob", bench.clock.now(), Via.CLI)
    await bench.settle()

    assert sorted(bench.told()) == [
        "boss unacknowledged", "listed unacknowledged", "people reminder", "screen reminder",
    ]  # fmt: skip
    assert {message.note for message in bench.sent} == {"Given back by bob on the command line."}
    assert {message.standing for message in bench.sent} == {""}


async def test_the_end_of_a_snooze_follows_too(bench: Bench) -> None:
    incident = await escalated(bench)
    now = bench.clock.now()
    await bench.operator.snooze(incident, now + timedelta(minutes=30), "alice", now)
    await bench.settle()
    bench.sent.clear()
    await bench.pass_time(minutes=30, step=600)

    assert "boss unacknowledged" in bench.told()
    assert {message.note for message in bench.sent} == {"alice had snoozed this until now."}


async def test_an_end_by_hand_says_whose_and_how(bench: Bench) -> None:
    incident = await escalated(bench)
    await bench.operator.acknowledge(incident, "alice", bench.clock.now(), Via.SMS)
    await bench.settle()
    bench.sent.clear()
    await bench.operator.resolve(incident, "bob", bench.clock.now(), Via.PAGERDUTY)
    await bench.settle()

    assert sorted(bench.told()) == ["boss resolved", "people resolved", "screen resolved", "short resolved"]
    assert {message.text.splitlines()[0] for message in bench.sent} == {
        "Resolved by bob in PagerDuty; acknowledged by alice."
    }


class Slow:
    """People's channel takes its time; `acted` lets it answer, or fail."""

    def __init__(self, bench: Bench, error: ChannelError | None = None) -> None:
        self._bench = bench
        self._error = error
        self.reached = asyncio.Event()
        self.acted = asyncio.Event()
        self.follows_acknowledgement = True
        self._used = False

    async def send(self, message: Message, context: Context) -> Receipt:
        del context
        if not self._used:
            self._used = True
            self.reached.set()
            await self.acted.wait()
            if self._error is not None:
                raise self._error
        self._bench.sent.append(message)
        return Receipt()


async def told_while_acknowledged(bench: Bench, error: ChannelError | None = None) -> list[str]:
    """What people are told if somebody acknowledges while the opening is under way."""
    slow = Slow(bench, error)
    channels = bench.transactions.generation().channels
    channels["people"] = replace(channels["people"], channel=slow)  # type: ignore[index]
    await bench.accept(firing())
    await bench.backlog.step()
    incident, now = await the_incident(bench), bench.clock.now()
    await bench.sender.step(now)
    await slow.reached.wait()
    await bench.operator.acknowledge(incident, "alice", now)
    slow.acted.set()
    await bench.sender.idle()
    await bench.pass_time(minutes=1, step=5)
    return [one for one in bench.told() if one.startswith("people")]


async def test_a_message_that_was_under_way_at_the_acknowledgement_is_followed(bench: Bench) -> None:
    """It cannot be called back any more; so who gets it is to hear that somebody has it."""
    assert await told_while_acknowledged(bench) == ["people opened", "people acknowledged"]


async def test_a_message_under_way_whose_outcome_is_unknown_is_followed(bench: Bench) -> None:
    error = Retryable(FailureReason.TIMEOUT, unknown=True)
    assert await told_while_acknowledged(bench, error) == ["people acknowledged"]


async def test_nothing_follows_a_message_that_was_under_way_and_failed(bench: Bench) -> None:
    assert await told_while_acknowledged(bench, Retryable(FailureReason.NETWORK)) == []
    assert ("superseded", "untold", "people") in await bench.audit("superseded")


async def test_a_follow_up_that_fails_is_tried_again_and_outlived_by_what_comes_after(bench: Bench) -> None:
    incident = await escalated(bench)
    bench.answers["boss"] += [fails(Retryable(FailureReason.NETWORK))] * 2
    await bench.operator.acknowledge(incident, "alice", bench.clock.now())
    await bench.settle()
    assert "boss acknowledged" not in bench.told()
    await bench.pass_time(minutes=1, step=5)
    assert "boss acknowledged" in bench.told()

    bench.sent.clear()
    bench.answers["boss"] += [fails(Retryable(FailureReason.NETWORK))] * 2
    await bench.operator.unacknowledge(incident, "alice", bench.clock.now())
    await bench.settle()
    await bench.operator.acknowledge(incident, "bob", bench.clock.now())
    await bench.pass_time(minutes=1, step=5)

    assert [one for one in bench.told() if one.startswith("boss")] == ["boss acknowledged"]


async def test_what_is_true_no_more_does_not_follow(bench: Bench) -> None:
    incident, now = await escalated(bench), bench.clock.now()
    await bench.operator.acknowledge(incident, "alice", now)
    await bench.operator.unacknowledge(incident, "alice", now)
    await bench.operator.acknowledge(incident, "bob", now)
    await bench.operator.resolve(incident, "bob", now)
    await bench.settle()

    assert {message.reason.value for message in bench.sent} == {"resolved"}


async def test_a_follow_up_that_cannot_be_delivered_is_a_notice_to_the_fallback(tmp_path: Path) -> None:
    async with engine(tmp_path, f"{CONFIG}\nfallback: screen\n") as bench:
        incident = await escalated(bench)
        bench.answers["boss"] += [fails(Permanent(FailureReason.CONTENT_REFUSED, "too odd"))] * 2
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.settle()

        (notice,) = [message for message in bench.sent if message.channel == "screen"]
        assert notice.reason.value == "notice"
        assert f"incident {incident} is acknowledged" in notice.text


async def test_follow_ups_survive_a_crash(tmp_path: Path) -> None:
    """They are planned in the acknowledgement's own transaction: a bridge that dies right after its commit loses none."""
    (tmp_path / "old").mkdir()
    async with engine(tmp_path / "old", CONFIG) as bench:
        incident = await escalated(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now(), Via.TELEGRAM)
        shutil.copytree(tmp_path / "old", tmp_path / "new")
        clock = bench.clock
    async with engine(tmp_path / "new", CONFIG, clock) as bench:
        await bench.settle()

        assert sorted(bench.told()) == ["boss acknowledged", "listed acknowledged", "people acknowledged"]
        assert {message.standing for message in bench.sent} == {"Acknowledged by alice in Telegram"}
