"""What follows a message is for the people that the message was for: its acknowledgement, its reminder, its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.errors import FailureReason, Retryable
from tests.bridge_bench import Bench, engine, firing, resolved
from tests.unit.engine.test_outcomes import fails

MAIL = "type: email, smarthost: 127.0.0.1:25, tls: none, from: bridge@example.com, to: [ops@example.com]"
CONFIG = f"""
channels:
  people: {{{MAIL}}}
  shared: {{{MAIL}}}
  ben-mail: {{{MAIL}}}
people:
  anna: {{channels: {{mail: shared}}}}
  ben: {{channels: {{shared: shared, mail: ben-mail}}, rules: [{{notify: shared}}, {{after: 5m, notify: mail}}]}}
escalations:
  night:
    - {{after: 5m, notify: [{{person: anna}}]}}
    - {{after: 10m, notify: [{{person: ben}}]}}
acknowledgement: {{expires_after: 2h, remind_before: 10m}}
route: {{receiver: people, hooks: [dedupe, {{escalate: night}}]}}
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with engine(tmp_path, CONFIG, url=url) as bench:
        yield bench


async def told_with(bench: Bench, reason: str) -> dict[str, str]:
    """For whom each channel was told with a reason."""
    found = (await bench.operator.deliveries(limit=500)).deliveries
    return {one.channel: one.person for one in reversed(found) if one.reason == reason and one.state == "sent"}


async def both_called(bench: Bench) -> str:
    """An incident to which anna and ben were called, by a channel that they share; ben's own has not been used yet."""
    await bench.post(firing())
    await bench.pass_time(minutes=10, step=60)
    assert await told_with(bench, "opened") == {"people": ""}
    assert await told_with(bench, "escalated") == {"shared": "ben"}  # the newest of the channel
    return bench.sent[0].incident


async def test_an_acknowledgement_is_for_those_who_were_called(bench: Bench) -> None:
    incident = await both_called(bench)
    await bench.operator.acknowledge(incident, "anna", bench.clock.now())
    await bench.settle()
    assert await told_with(bench, "acknowledged") == {"people": "", "shared": "anna/ben"}


async def test_the_end_is_for_those_who_were_called(bench: Bench) -> None:
    await both_called(bench)
    await bench.pass_time(minutes=5, step=60)
    await bench.post(resolved(end=bench.clock.now()))
    assert await told_with(bench, "resolved") == {"people": "", "shared": "anna/ben", "ben-mail": "ben"}


async def test_the_reminder_that_an_acknowledgement_expires_is_for_those_who_were_called(bench: Bench) -> None:
    incident = await both_called(bench)
    await bench.operator.acknowledge(incident, "anna", bench.clock.now())
    await bench.settle()
    bench.clock.turn(seconds=timedelta(minutes=110).total_seconds())
    await bench.pass_time(minutes=1, step=60)
    assert await told_with(bench, "reminder") == {"people": "", "shared": "anna/ben"}


async def test_a_message_that_an_acknowledgement_stopped_is_followed_for_nobody(bench: Bench) -> None:
    await bench.post(firing())
    await bench.pass_time(minutes=5, step=60)
    bench.answers["shared"].append(fails(Retryable(FailureReason.SERVER_ERROR, "503")))
    await bench.pass_time(minutes=5, step=300)
    await bench.operator.acknowledge(bench.sent[0].incident, "anna", bench.clock.now())
    await bench.settle()
    assert await told_with(bench, "escalated") == {"shared": "anna"}
    assert await told_with(bench, "acknowledged") == {"people": "", "shared": "anna"}


async def test_the_audit_says_for_whom_a_message_was(bench: Bench) -> None:
    incident = await both_called(bench)
    await bench.post(resolved(end=bench.clock.now()))
    timeline = (await bench.operator.incident(incident)).timeline
    sent = [(one.reason, one.channel, one.detail) for one in timeline if one.kind == "sent" and one.channel == "shared"]
    assert sent == [
        ("escalated", "shared", "for anna"),
        ("escalated", "shared", "for ben"),
        ("resolved", "shared", "for anna/ben"),
    ]
