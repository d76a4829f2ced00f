"""What every hook keeps to, built in or third-party."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import json as exact
from pydantic import ValidationError

from bridge.domain.alert import Status
from bridge.hooks.api import Drop, Hold, HookContext, HookOptions, Notification, Pass, Transition, Verdict
from bridge.hooks.chain import Chain, Link, Outcome
from bridge.hooks.registry import HookRegistry
from bridge.net import HttpClient
from tests.contract.hooks.case import Case
from tests.contract.hooks.notifications import NOW, alert, before_routing, notification, without_suspending

CASES: dict[str, Case] = {
    path.stem: importlib.import_module(f"tests.contract.hooks.cases.{path.stem}").CASE
    for path in sorted((Path(__file__).parent / "cases").glob("*.py"))
}
SUBJECTS: dict[str, Notification] = {
    **{transition.value: notification(transition) for transition in Transition},
    "told long ago": notification(Transition.REPEAT, told_at=NOW - timedelta(days=1)),
    "told just now": notification(Transition.REPEAT, told_at=NOW),
    "acknowledged": notification(Transition.REPEAT, told_at=NOW - timedelta(days=1), acknowledged=True),
    "API": notification(Transition.REPEAT, told_at=NOW - timedelta(days=1), from_webhook=False),
    "before routing": before_routing(),
    "no alerts": notification(Transition.CHANGED).__class__(NOW, Transition.CHANGED, (), "prod"),
    "no labels": notification(Transition.OPENED, alert(alertname="", instance="")),
    "hostile": notification(Transition.OPENED, alert(alertname="{{ 1 }}\r\n\0<!channel>", instance="../%2e?#@")),
    "mixed": notification(Transition.CHANGED, alert(Status.RESOLVED), alert(fingerprint="a2"), severity="page"),
    "enriched": notification(labels={"a1": {"team": "db"}}, annotations={"a1": {"x": "y"}}, escalation="db"),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request) -> Case:
    return request.param


@pytest.fixture(params=SUBJECTS.values(), ids=SUBJECTS.keys())
def subject(request) -> Notification:
    return request.param


@dataclass
class Made:
    case: Case
    registry: HookRegistry
    http: HttpClient
    url: str

    def link(self) -> Link:
        options = self.registry.parse(self.case.name, json.dumps(self.case.options(self.url)))
        return self.registry.create(self.case.name, options, HookContext(self.http))


@pytest.fixture
async def made(case, registry, http) -> AsyncIterator[Made]:
    async with case.service() as service:
        yield Made(case, registry, http, service.url)


class Ending:
    """The last hook of a chain: remembers what reached it and answers as it is told."""

    name = "ending"
    Options = HookOptions
    does_io = False

    def __init__(self, verdict: Verdict | None = None) -> None:
        self.verdict = verdict
        self.seen: list[Notification] = []

    async def __call__(self, subject, forward) -> Verdict:
        self.seen.append(subject)
        return self.verdict or await forward(subject)


def test_it_is_on_offer_under_its_name(case, registry) -> None:
    assert case.name in registry.names()
    assert issubclass(registry.options_model(case.name), HookOptions)


def test_its_options_know_budget_and_failure_policy(case, registry) -> None:
    given = {**case.options("http://127.0.0.1:1"), "budget": "9s", "on_error": "closed"}
    options = registry.options_model(case.name).model_validate(given)
    assert (options.budget, options.on_error) == (timedelta(seconds=9), "closed")


def test_an_option_it_does_not_know_is_refused(case, registry) -> None:
    with pytest.raises(ValidationError, match="no_such_option"):
        registry.options_model(case.name).model_validate({**case.options("http://127.0.0.1:1"), "no_such_option": 1})


def test_options_that_make_no_sense_are_refused(case, registry) -> None:
    assert case.refused
    for options in case.refused:
        with pytest.raises(ValidationError):
            registry.options_model(case.name).model_validate(options)


def test_its_options_are_described_for_editors(case, registry) -> None:
    assert registry.options_model(case.name).model_json_schema()["properties"]["on_error"]


async def test_it_says_whether_it_does_io(made) -> None:
    assert made.link().hook.does_io is made.case.does_io


async def test_it_judges_without_fault(made, subject) -> None:
    ending = Ending()
    judged = await Chain([made.link(), ending]).run(subject)
    assert judged.trace[0].verdict is not Outcome.ERROR, judged.trace[0].detail
    assert len(ending.seen) == (1 if isinstance(judged.verdict, Pass) else 0)


async def test_without_io_it_never_suspends(made, subject) -> None:
    if made.case.does_io:
        assert made.link().hook.does_io
    else:
        without_suspending(Chain([made.link()]).run(subject))


async def test_it_changes_nothing_it_was_given(made, subject) -> None:
    before = exact.encode(subject)
    await Chain([made.link()]).run(subject)
    assert exact.encode(subject) == before


async def test_it_only_adds_to_what_it_forwards(made, subject) -> None:
    ending = Ending()
    await Chain([made.link(), ending]).run(subject)
    for seen in ending.seen:
        for name in (
            "now",
            "transition",
            "alerts",
            "source",
            "incident",
            "route",
            "receiver",
            "told_at",
            "acknowledged",
        ):
            assert getattr(seen, name) == getattr(subject, name)
        for kind in ("labels", "annotations"):
            for fingerprint, there in getattr(subject, kind).items():
                assert there.keys() <= getattr(seen, kind)[fingerprint].keys()


@pytest.mark.parametrize("stopped", [Drop("unwanted"), Hold(NOW + timedelta(hours=1), "later")])
async def test_it_lets_a_later_hook_stop_what_it_passes(made, stopped) -> None:
    ending = Ending(stopped)
    judged = await Chain([made.link(), ending]).run(notification(severity="page"))
    assert judged.verdict == stopped
    assert judged.hook == ("ending" if ending.seen else made.case.name)


async def test_it_stops_with_a_word_and_holds_until_later(made, subject) -> None:
    verdict = (await Chain([made.link()]).run(subject)).verdict
    if not isinstance(verdict, Pass):
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,31}", verdict.reason), "a reason labels a metric"
    if isinstance(verdict, Hold):
        assert verdict.until > subject.now


async def test_a_restart_changes_no_verdict(made, subject) -> None:
    """What it keeps in memory saves work; it decides nothing."""
    one, other = Chain([made.link()]), Chain([made.link()])
    first = (await one.run(subject)).verdict
    assert (await one.run(subject)).verdict == first
    assert (await other.run(subject)).verdict == first


async def test_one_instance_judges_many_at_once(made) -> None:
    chain = Chain([made.link()])
    subjects = list(SUBJECTS.values()) * 3
    together = await asyncio.gather(*(chain.run(subject) for subject in subjects))
    assert [judged.verdict for judged in together] == [(await chain.run(subject)).verdict for subject in subjects]


async def test_it_does_not_swallow_a_cancellation(made) -> None:
    async def cancelled(_subject: Notification) -> Verdict:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await made.link().hook(notification(severity="page"), cancelled)
