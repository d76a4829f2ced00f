"""The section `silences:`: silences that recur by time interval."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config.recurring import NoticeSettings, RecurringSilence
from bridge.config.timing import intervals_of, recurring_of
from bridge.routing.matchers import Matcher
from bridge.routing.recurring import Notice
from tests.unit.config.written import load_files, load_text, said, valid

HEAD = """channels: {a: {type: console}, b: {type: console}}
receivers: {team: [a, b]}
route: {receiver: a}
time_intervals: [{name: nights}, {name: patches}]
"""
WHOLE = """
silences:
  - name: database-patching
    matchers: ['cluster="db"', 'severity!="critical", env=~"prod|test"']
    time_intervals: [patches, nights]
    owner: alice
    comment: patching the databases
    notice: {before: 15m, to: team}
"""


def entry(**changed: str) -> str:
    """One entry a line, on line 6 below HEAD."""
    keys = {"name": "x", "matchers": "[a=b]", "time_intervals": "[nights]", "owner": "alice", **changed}
    return f"silences:\n- {{{', '.join(f'{key}: {value}' for key, value in keys.items() if value)}}}\n"


def test_a_recurring_silence_is_read_whole(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, HEAD + WHOLE))
    found = recurring_of(config, intervals_of(config))["database-patching"]

    assert [silence.name for silence in config.silences] == ["database-patching"]
    assert found.matchers == (
        Matcher("cluster", "=", "db"), Matcher("severity", "!=", "critical"), Matcher("env", "=~", "prod|test"),
    )  # fmt: skip
    assert [interval.name for interval in found.intervals] == ["patches", "nights"]
    assert (found.owner, found.comment) == ("alice", "patching the databases")
    assert found.notice == Notice(timedelta(minutes=15), "team")


def test_comment_and_notice_may_be_left_out_and_a_notice_goes_to_the_fallback(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, HEAD + "fallback: b\n" + entry(notice="{before: 1h}", comment="~")))
    assert config.silences == (
        RecurringSilence(
            name="x",
            matchers=("a=b",),
            time_intervals=("nights",),
            owner="alice",
            notice=NoticeSettings(before=timedelta(hours=1)),
        ),
    )
    assert valid(load_text(tmp_path, HEAD + entry())).silences[0].notice is None


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"time_intervals": "[night]"}, "6:47: there is no time interval 'night'; did you mean 'nights'?"),
        ({"time_intervals": "[]"}, "6:46: silences.time_intervals: has too few entries"),
        ({"time_intervals": ""}, "6:3: silences.time_intervals: is missing"),
        ({"matchers": "[]"}, "6:23: silences.matchers: at least one matcher must not match the empty text"),
        ({"matchers": "['a=~\".*\"', b=]"}, "6:23: silences.matchers: at least one matcher must not match the empty"),
        ({"matchers": "['a=~\"(\"']"}, "6:24: silences.matchers.1: bad regular expression '('"),
        ({"matchers": ""}, "6:3: silences.matchers: is missing"),
        ({"owner": ""}, "6:3: silences.owner: is missing"),
        ({"owner": "''"}, "6:63: silences.owner: string should have at least 1 character"),
        ({"name": ""}, "6:3: silences.name: is missing"),
        ({"until": "noon"}, "6:77: silences.until: unknown key"),
        ({"notice": "{before: soon, to: a}"}, "6:87: silences.notice.before: 'soon' is not a duration"),
        ({"notice": "{before: 0, to: a}"}, "6:87: silences.notice.before: input should be greater than or equal to"),
        ({"notice": "{to: a}"}, "6:78: silences.notice.before: is missing"),
        ({"notice": "{before: 5m, to: teem}"}, "6:95: there is no receiver 'teem'; did you mean 'team'?"),
        ({"notice": "{before: 5m}"}, "6:70: nobody would get this notice: give it `to`, or give a `fallback`"),
    ],
)
def test_what_is_wrong_says_where(tmp_path: Path, changed: dict[str, str], complaint: str) -> None:
    loaded = load_text(tmp_path, HEAD + entry(**changed))
    assert loaded.config is None
    assert len(said(loaded)) == 1
    assert said(loaded)[0].startswith(f"main.yml:{complaint}")


def test_a_name_is_given_once_in_all_files(tmp_path: Path) -> None:
    files = {"a.yml": HEAD + entry(), "b.yml": entry(owner="bob")}
    assert said(load_files(tmp_path, files)) == ["b.yml:2:10: silences: 'x' is defined twice; first at a.yml:6:10"]


def test_a_team_may_have_its_own(tmp_path: Path) -> None:
    config = valid(load_files(tmp_path, {"a.yml": HEAD + entry(), "b.yml": entry(name="y")}))
    assert [silence.name for silence in config.silences] == ["x", "y"]


def test_a_silence_is_a_mapping(tmp_path: Path) -> None:
    assert said(load_text(tmp_path, HEAD + "silences: [x]")) == [
        "main.yml:5:12: silences: must be a mapping of keys to values"
    ]
    assert said(load_text(tmp_path, HEAD + "silences: {x: {}}")) == ["main.yml:5:11: silences is a list"]
