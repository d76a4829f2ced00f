"""Steps of an escalation: what they may say, and what is said of what they may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.escalation import Condition
from tests.unit.config.written import load_text, said, valid

TEAM = """
channels: {out: {type: console}, fix: {type: webhook, url: "http://127.0.0.1:9/"}}
time_intervals: [{name: office}]
route: {receiver: out}
"""


def steps(*written: str) -> str:
    return f"{TEAM}escalations: {{night: [{', '.join(written)}]}}\n"


def test_a_step_says_when_and_what(tmp_path: Path) -> None:
    full = (
        "{after: 5m, notify: [out], run: fix, max_late: 2h, "
        "if: {matchers: severity=critical, time_intervals: [office], more_than: {alerts: 3, within: 10m}}}"
    )
    config = valid(load_text(tmp_path, steps(full, "{after: 6m, run: [fix]}")))
    first, second = config.escalations["night"]
    assert first.condition == Condition(("severity=critical",), ("office",), 3, 600.0)
    assert (first.notify, first.run, first.max_late) == (("out",), ("fix",), timedelta(hours=2))
    assert (second.notify, second.run, second.max_late) == ((), ("fix",), timedelta(days=1))
    assert second.condition == Condition()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{after: 5m}", "a step tells somebody (notify) or does something (run)"),
        ("{after: 5m, notify: [out], if: {}}", "if: write matchers, time_intervals or more_than"),
        ("{after: 5m, notify: [out], if: {time_intervals: ofice}}", "no time interval 'ofice'; did you mean 'office'?"),
        ("{after: 5m, run: fx}", "no channel 'fx'; did you mean 'fix'?"),
        ("{after: 5m, run: out}", "run: 'out' is a console channel; run takes exec, webhook, workflow"),
        ("{after: 5m, notify: [out], if: {matchers: 'a=~\"(\"'}}", "matcher"),
        ("{after: 5m, notify: [out], max_late: 1s}", "max_late"),
        ("{after: 5m, notify: [out], if: {more_than: {alerts: 3}}}", "within"),
    ],
)
def test_what_is_wrong_with_a_step_is_said(tmp_path: Path, step: str, message: str) -> None:
    assert any(message in problem for problem in said(load_text(tmp_path, steps(step))))


def test_a_hook_holds_until_intervals_that_there_are(tmp_path: Path) -> None:
    held = TEAM.replace("{receiver: out}", "{receiver: out, hooks: [{hold: ofice}]}")
    assert any("no time interval 'ofice'" in problem for problem in said(load_text(tmp_path, held)))
