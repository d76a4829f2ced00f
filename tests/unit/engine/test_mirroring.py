"""A mirrored acknowledgement reaches the Alertmanager once, whatever fails, and leaves it with the acknowledgement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.act import Via
from bridge.engine.mirror_requests import Upstream, matchers_of
from bridge.engine.mirroring import Mirroring
from bridge.routing.matchers import match_all
from bridge.storage import mirrors
from tests.bridge_bench import Bench, engine, firing, resolved
from tests.simulators.alertmanager import UpstreamAlertmanager
from tests.unit.engine.test_acknowledge import the_incident

CONFIG = """
sources: {default: {mirror: {alertmanager: "URL", lasts: 1h, every: 30s, gone_after: 3m}}}
channels: {people: {type: console}}
route: {receiver: people, hooks: [dedupe]}
"""
LABELS = st.dictionaries(st.sampled_from(["alertname", "instance", "job"]), st.text(max_size=8), min_size=1)


@dataclass
class Pair:
    bench: Bench
    upstream: UpstreamAlertmanager
    mirroring: Mirroring

    async def fires(self, *instances: str) -> str:
        """Alerts that fire here and there; their incident."""
        alerts = [firing(instance=one, job="a.b") for one in instances]
        self.upstream.alerts.update({one.fingerprint: dict(one.labels) for one in alerts})
        await self.bench.post(*alerts)
        return await the_incident(self.bench)

    async def step(self, **span: float) -> None:
        self.bench.clock.turn(**span)
        await self.mirroring.step()
        await self.bench.settle()

    async def kept(self) -> list[mirrors.Mirror]:
        future = self.bench.clock.now() + timedelta(days=1)
        return await self.bench.database.read(lambda tx: mirrors.due(tx, future, 100))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with (
        UpstreamAlertmanager() as upstream,
        engine(tmp_path, CONFIG.replace("URL", upstream.url), url=url) as bench,
    ):
        yield Pair(bench, upstream, _mirroring(bench))


def _mirroring(bench: Bench) -> Mirroring:
    made = Mirroring(bench.transactions, bench.clock, lambda: True)
    made.opened = lambda source: bench.transactions.generation().config.sources[source].mirror
    return made


async def acknowledged(pair: Pair, *instances: str) -> str:
    incident = await pair.fires(*(instances or ("a",)))
    await pair.bench.operator.acknowledge(incident, "alice", pair.bench.clock.now(), Via.SLACK)
    return incident


async def test_the_silence_covers_what_fires_and_says_whose_it_is(pair: Pair) -> None:
    incident = await acknowledged(pair, "a.1", "b|2")
    await pair.step()

    (silence,) = pair.upstream.active()
    assert silence["createdBy"] == "alice"
    assert silence["comment"] == f"Acknowledged by alice in Slack; Alertbridge incident {incident}"
    assert silence["endsAt"] == "2026-03-01T13:00:00Z"
    assert {one["name"]: (one["isRegex"], one["value"]) for one in silence["matchers"]} == {
        "alertname": (False, "Down"), "instance": (True, r"a\.1|b\|2"), "job": (False, "a.b"),
    }  # fmt: skip
    assert ("silence_created", "mirror", "") in await pair.bench.audit()


@pytest.mark.parametrize("ending", ["unacknowledge", "resolve"])
async def test_it_ends_with_the_acknowledgement(pair: Pair, ending: str) -> None:
    incident = await acknowledged(pair)
    await pair.step()
    await getattr(pair.bench.operator, ending)(incident, "alice", pair.bench.clock.now())
    await pair.step(seconds=1)

    assert pair.upstream.active() == []
    assert await pair.kept() == []
    assert ("silence_expired", "mirror", "") in await pair.bench.audit()


async def test_who_acknowledges_while_it_is_ended_there_is_mirrored_anew(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = await acknowledged(pair)
    await pair.step()
    await pair.bench.operator.unacknowledge(incident, "alice", pair.bench.clock.now())
    end = Upstream.end

    async def meanwhile(upstream: Upstream, silence: str, now: datetime) -> None:
        await end(upstream, silence, now)
        await pair.bench.operator.acknowledge(incident, "bob", now)

    monkeypatch.setattr(Upstream, "end", meanwhile)
    await pair.step(seconds=1)
    await pair.step(seconds=1)

    assert [one["createdBy"] for one in pair.upstream.active()] == ["bob"]


async def test_an_alertmanager_that_is_away_is_told_when_it_is_back(pair: Pair) -> None:
    pair.upstream.always(503)
    await acknowledged(pair)
    await pair.step()
    await pair.step(seconds=1)
    assert list(pair.mirroring.problems()) == ["default"]
    asked = len(pair.upstream.requests)
    await pair.step(seconds=1)
    assert len(pair.upstream.requests) == asked  # not at every look

    pair.upstream.behave()
    await pair.step(seconds=10)
    await pair.step(seconds=1)

    assert len(pair.upstream.active()) == 1
    assert pair.mirroring.problems() == {}


async def test_a_silence_that_may_have_been_made_is_found_again(pair: Pair) -> None:
    """A bridge that dies between its request and its commit leaves no second silence."""
    await acknowledged(pair)
    before = await pair.kept()
    await pair.step()
    (made,) = pair.upstream.active()
    lost = mirrors.Mirror(before[0].incident, "default", before[0].due_at, asked=True)
    await pair.bench.transactions.write(pair.bench.clock.now(), lambda work: mirrors.keep(work.tx, lost))
    await pair.step(seconds=1)

    (there,) = pair.upstream.active()
    assert made["id"] != there["id"]  # edited, as Alertmanager edits
    assert (await pair.kept())[0].silence == there["id"]


async def test_a_clock_that_is_set_back_holds_nothing_up(pair: Pair) -> None:
    await acknowledged(pair)
    await pair.step()
    asked = len(pair.upstream.requests)
    await pair.step(hours=-3)
    assert len(pair.upstream.requests) > asked


async def test_it_is_prolonged_while_somebody_has_the_incident(pair: Pair) -> None:
    await acknowledged(pair)
    await pair.step()
    await pair.step(minutes=29)
    assert pair.upstream.active()[0]["endsAt"] == "2026-03-01T13:00:00Z"
    await pair.step(minutes=2)

    assert [one["endsAt"] for one in pair.upstream.active()] == ["2026-03-01T13:31:00Z"]


async def test_what_the_alertmanager_no_longer_has_is_over_after_a_while(pair: Pair) -> None:
    await acknowledged(pair, "a", "b")
    await pair.step()
    (gone,) = [name for name, labels in pair.upstream.alerts.items() if labels["instance"] == "b"]
    there = pair.upstream.alerts.pop(gone)
    await pair.step(minutes=1)
    pair.upstream.alerts[gone] = there  # it was only being started
    await pair.step(minutes=3)
    assert (await pair.bench.operator.incidents()).incidents[0].alerts.firing == 2

    pair.upstream.alerts.clear()
    await pair.step(minutes=1)
    await pair.step(minutes=2, seconds=50)
    assert (await pair.bench.operator.incidents()).incidents[0].state == "acknowledged"
    await pair.step(seconds=30)

    assert (await pair.bench.operator.incidents()).incidents[0].state == "resolved"
    assert pair.bench.told()[-1] == "people resolved"
    await pair.step(seconds=1)
    assert pair.upstream.active() == []


async def test_a_source_that_is_not_mirrored_any_more_is_let_go(pair: Pair) -> None:
    await acknowledged(pair)
    pair.mirroring.opened = lambda _source: None
    await pair.step()

    assert await pair.kept() == []
    assert pair.upstream.requests == []
    assert ("silence_expired", "not_configured", "") in await pair.bench.audit()


async def test_an_end_here_needs_no_more_than_that(pair: Pair) -> None:
    await acknowledged(pair)
    await pair.step()
    await pair.bench.post(resolved(instance="a", job="a.b", end=pair.bench.clock.turn(minutes=1)))
    await pair.step()

    assert pair.upstream.active() == []


@given(st.lists(LABELS, min_size=1, max_size=6))
def test_matchers_hold_for_every_alert_they_are_made_of(labels: list[dict[str, str]]) -> None:
    assert all(match_all(matchers_of(labels), alert) for alert in labels)


@given(st.lists(LABELS, min_size=1, max_size=6), LABELS)
def test_matchers_hold_for_no_alert_with_a_value_they_do_not_name(
    labels: list[dict[str, str]], other: dict[str, str]
) -> None:
    new = {name: value for name, value in other.items() if all(alert.get(name, "") != value for alert in labels)}
    known = {name for alert in labels for name in alert}
    if new.keys() & known:
        assert not match_all(matchers_of(labels), other)


def test_a_label_with_too_many_values_makes_no_silence() -> None:
    assert matchers_of([{"alertname": "Down", "instance": str(number)} for number in range(201)]) == ()
