"""Chains of random hooks against a model that is short enough to be believed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.hooks.api import Drop, Forward, Hold, HookOptions, Notification, Pass, Verdict
from bridge.hooks.chain import Chain, Judged, Link
from tests.contract.hooks.notifications import NOW, notification

Does = Literal["pass", "drop", "hold", "raise", "raise_after", "drop_after", "twice", "rubbish", "slow"]
FAULTS: dict[str, str] = {
    "raise": "raised",
    "raise_after": "raised",
    "twice": "forwarded_twice",
    "rubbish": "bad_verdict",
    "slow": "timeout",
}
LATER = NOW + timedelta(hours=1)


@dataclass(frozen=True)
class Plan:
    does: Does
    closed: bool
    does_io: bool


@dataclass
class Planned:
    """A hook that follows its plan and leaves its mark on what it forwards."""

    mark: str
    plan: Plan
    does_io: bool
    name = "planned"
    Options = HookOptions

    async def __call__(self, subject: Notification, forward: Forward) -> Verdict:
        does = self.plan.does
        if does == "drop":
            return Drop(f"drop_{self.mark}")
        if does == "hold":
            return Hold(LATER, f"hold_{self.mark}")
        if does == "raise":
            raise ValueError
        if does == "rubbish":
            return "rubbish"  # type: ignore[return-value]
        if does == "slow":
            await asyncio.Event().wait()
        verdict = await forward(subject.with_labels("a1", {self.mark: "seen"}))
        if does == "twice":
            return await forward(subject)
        if does == "raise_after":
            raise ValueError
        return Drop(f"drop_{self.mark}") if does == "drop_after" else verdict


@dataclass
class Expected:
    kind: str = "pass"
    hook: str = ""
    reason: str = ""
    marks: set[str] = field(default_factory=set)
    steps: list[tuple[str, str, str]] = field(default_factory=list)


def model(plans: list[Plan], index: int = 0) -> Expected:
    """What must come of the hooks from `index` on."""
    if index == len(plans):
        return Expected()
    plan, name = plans[index], f"h{index}"
    if plan.does in {"drop", "hold"}:
        reason = f"{plan.does}_{name}"
        return Expected(plan.does, name, reason, set(), [(name, plan.does, reason)])
    rest = model(plans, index + 1)
    went_on = plan.does in {"pass", "raise_after", "drop_after", "twice"}
    if went_on:
        rest.marks.add(name)
    if plan.does == "pass":
        step = (name, "pass", "")
    elif plan.does == "drop_after":
        step = (name, "drop", f"drop_{name}")
        rest = Expected("drop", name, f"drop_{name}", set(), rest.steps)
    else:
        step = (name, "error", FAULTS[plan.does])
        if plan.closed:
            rest = Expected("hold", name, f"hook_error:{name}", set(), rest.steps if went_on else [])
    return Expected(rest.kind, rest.hook, rest.reason, rest.marks, [step, *rest.steps])


def seen(judged: Judged) -> Expected:
    verdict = judged.verdict
    steps = [(step.hook, step.verdict.value, step.reason) for step in judged.trace]
    if isinstance(verdict, Pass):
        return Expected("pass", judged.hook, "", set(verdict.notification.labels.get("a1", {})), steps)
    return Expected("drop" if isinstance(verdict, Drop) else "hold", judged.hook, verdict.reason, set(), steps)


def plans(*does: str) -> st.SearchStrategy[list[Plan]]:
    return st.lists(st.builds(Plan, st.sampled_from(does), st.booleans(), st.booleans()), max_size=6)


def chain(given: list[Plan], *, io: bool) -> Chain:
    links = []
    for index, plan in enumerate(given):
        hook = Planned(f"h{index}", plan, io and (plan.does_io or plan.does == "slow"))
        budget = 0.001 if plan.does == "slow" else 60.0
        links.append(Link(f"h{index}", hook, "closed" if plan.closed else "open", budget))
    return Chain(links)


ALWAYS = ("pass", "drop", "hold", "raise", "raise_after", "drop_after", "twice", "rubbish")


def forgiving(expected: Expected) -> Expected:
    """Marks count only if it passed."""
    return (
        expected
        if expected.kind == "pass"
        else Expected(expected.kind, expected.hook, expected.reason, set(), expected.steps)
    )


@given(plans(*ALWAYS))
def test_a_pure_chain_does_what_the_model_says(given_plans: list[Plan]) -> None:
    judged = chain(given_plans, io=False).judge(notification())
    assert seen(judged) == forgiving(model(given_plans))


@settings(deadline=None, max_examples=100)
@given(plans(*ALWAYS, "slow"))
def test_a_chain_with_io_does_what_the_model_says(given_plans: list[Plan]) -> None:
    judged = asyncio.run(chain(given_plans, io=True).run(notification()))
    assert seen(judged) == forgiving(model(given_plans))


@given(plans("raise", "raise_after", "twice", "rubbish", "pass"))
def test_hooks_that_only_fail_open_never_stop_anything(given_plans: list[Plan]) -> None:
    opened = [Plan(plan.does, closed=False, does_io=False) for plan in given_plans]
    assert isinstance(chain(opened, io=False).judge(notification()).verdict, Pass)
