"""The route section: Alertmanager's words and meaning, with hooks and names."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config.intervals import TimeInterval
from bridge.domain.errors import ConfigError
from bridge.routing.route import Route
from tests.unit.config.written import load_text, said, valid

HEAD = "channels: {a: {type: console}, b: {type: console}}\n"


def root(tmp_path: Path, text: str) -> Route:
    return valid(load_text(tmp_path, HEAD + text)).route


def complaints(tmp_path: Path, text: str) -> list[str]:
    loaded = load_text(tmp_path, HEAD + text)
    assert loaded.config is None
    return said(loaded)


def test_a_root_without_hooks_has_dedupe(tmp_path: Path) -> None:
    assert [call.name for call in root(tmp_path, "route: {receiver: a}").hooks] == ["dedupe"]
    assert [call.name for call in root(tmp_path, "route: {receiver: a, hooks: }").hooks] == ["dedupe"]


def test_an_empty_list_of_hooks_passes_everything_on(tmp_path: Path) -> None:
    assert root(tmp_path, "route: {receiver: a, hooks: []}").hooks == ()


def test_a_route_inherits_hooks_unless_it_has_its_own(tmp_path: Path) -> None:
    route = root(
        tmp_path,
        "route: {receiver: a, hooks: [dedupe: {window: 1m}], routes: "
        "[{matchers: [x=1]}, {matchers: [x=2], hooks: []}, {matchers: [x=3], hooks: [dedupe]}]}",
    )
    assert [[call.options for call in child.hooks] for child in route.routes] == [['{"window": "1m"}'], [], ["{}"]]


def test_a_hooks_options_are_the_json_they_were_written_as(tmp_path: Path) -> None:
    text = "hooks: [dedupe: {window: 1m, on_error: closed}, dedupe: , dedupe]\nroute: {receiver: a}"
    hooks = valid(load_text(tmp_path, HEAD + text)).hooks

    assert [json.loads(call.options) for call in hooks] == [{"window": "1m", "on_error": "closed"}, {}, {}]
    assert hooks[0].where.rpartition("/")[2] == "main.yml:2:9"


def test_a_hook_may_take_one_word(tmp_path: Path) -> None:
    text = "escalations: {e: [{after: 1m, notify: [b]}]}\nroute: {receiver: a, hooks: [escalate: e]}"

    assert root(tmp_path, text).hooks[0].options == '"e"'


@pytest.mark.parametrize(
    ("hook", "complaint"),
    [
        ("dedup", "main.yml:2:30: there is no hook 'dedup'; did you mean 'dedupe'?"),
        ("dedupe: {windw: 1m}", "main.yml:2:39: hooks.dedupe.windw: unknown key; did you mean 'window'?"),
        (
            "dedupe: {window: never}",
            "main.yml:2:47: dedupe.window: 'never' is not a duration; write it like 30s, 5m, 1h30m or 7d",
        ),
        ("escalate: e", "main.yml:2:40: there is no escalation 'e'"),
        ("escalate: {escalation: e}", "main.yml:2:53: there is no escalation 'e'"),
        ("{a: 1, b: 2}", "main.yml:2:30: a hook is a name, or one name with its options: `- dedupe: {window: 5m}`"),
        ("[]", "main.yml:2:30: a hook is a name, or one name with its options: `- dedupe: {window: 5m}`"),
    ],
)
def test_a_hook_that_is_wrong_says_where(tmp_path: Path, hook: str, complaint: str) -> None:
    assert complaints(tmp_path, f"route: {{receiver: a, hooks: [{hook}]}}") == [complaint]


def test_the_older_form_of_matchers_is_anded_with_the_newer(tmp_path: Path) -> None:
    child = root(
        tmp_path,
        "route: {receiver: a, routes: [{match: {x: '1'}, match_re: {y: 'a|b'}, matchers: ['z!=\"\"', '{p=q,r=s}']}]}",
    ).routes[0]

    assert [str(matcher) for matcher in child.matchers] == ['p="q"', 'r="s"', 'x="1"', 'y=~"^(?:a|b)$"', 'z!=""']


def test_numbers_and_booleans_in_matchers_are_their_text(tmp_path: Path) -> None:
    child = root(tmp_path, "route: {receiver: a, routes: [{match: {code: 0500, on: yes}}]}").routes[0]

    assert [str(matcher) for matcher in child.matchers] == ['code="0500"', 'on="yes"']


def test_grouping_and_timing(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        HEAD
        + "route:\n  receiver: a\n  group_by: ['...']\n  group_interval: 0s\n  routes: [{matchers: [x=y], group_by: [], group_wait: 1m}]",
    )
    route = valid(loaded).route

    assert route.group_by_all
    assert route.group_interval == timedelta()
    assert route.routes[0].group_by == ()
    assert not route.routes[0].group_by_all
    assert route.routes[0].group_wait == timedelta(minutes=1)
    assert said(loaded) == []


def test_ids_are_names_or_receivers_with_an_ordinal(tmp_path: Path) -> None:
    route = root(
        tmp_path,
        "route: {receiver: a, routes: [{matchers: [x=1], name: mine}, {matchers: [x=2], receiver: b}, {matchers: [x=3], receiver: b}]}",
    )
    assert [route.id, *(child.id for child in route.routes)] == ["a", "mine", "a/b", "a/b#2"]


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        ("{}", "main.yml:2:8: the root route needs a receiver"),
        ("{receiver: a, matchers: [x=y]}", "main.yml:2:8: the root route takes every alert: it cannot have matchers"),
        ("{receiver: a, continue: true}", "main.yml:2:8: the root route has no siblings: it cannot have continue"),
        ("{receiver: c}", "main.yml:2:19: there is no receiver 'c'; known: a, b"),
        ("{receiver: [a]}", "main.yml:2:19: receiver: must be one text"),
        ("{receiver: a, group_by: [x, x]}", "main.yml:2:8: group_by: 'x' stands there twice"),
        (
            "{receiver: a, group_by: [x, ...]}",
            "main.yml:2:8: group_by: '...' groups by all labels and must stand alone",
        ),
        ("{receiver: a, routes: {}}", "main.yml:2:30: routes is a list of routes"),
        (
            "{receiver: a, routes: [x]}",
            "main.yml:2:31: a route is a mapping, such as `{matchers: [...], receiver: NAME}`",
        ),
        ("{receiver: a, hooks: x}", "main.yml:2:29: hooks is a list, such as [dedupe]"),
        (
            "{receiver: a, routes: [{match_re: {x: '('}}]}",
            "main.yml:2:46: match_re.x: bad regular expression '^(?:()$' (RE2 syntax): missing ): ^(?:^(?:()$)$",
        ),
        ("{receiver: a, routes: [{matchers: [x]}]}", "main.yml:2:43: matchers.1: bad matcher format: x"),
        (
            "{receiver: a, routes: [{matchers: [x=y], active_time_intervals: [n]}]}",
            "main.yml:2:73: there is no time interval 'n'",
        ),
    ],
)
def test_a_route_that_is_wrong_says_where(tmp_path: Path, route: str, complaint: str) -> None:
    found = [line for line in complaints(tmp_path, f"route: {route}") if "warning" not in line]

    assert found == [complaint]


INTERVALS = """
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: '22:00', end_time: '24:00'}, {start_time: 00:00, end_time: 06:00}]
        weekdays: ['Monday:friday', sunday]
        days_of_month: ['1:5', '-3:-1', '1:-1', 31]
        months: [december, '1:3', may:august]
        years: ['2026:2028', 2030]
        location: Europe/Berlin
  - {name: never}
"""


def test_time_intervals_have_alertmanagers_syntax(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, HEAD + INTERVALS + "route: {receiver: a}"))

    nights, never = config.time_intervals
    entry = nights.time_intervals[0]
    assert [(each.start_time, each.end_time) for each in entry.times] == [(1320, 1440), (0, 360)]
    assert entry.weekdays == ((1, 5), (0, 0))
    assert entry.days_of_month == ((1, 5), (-3, -1), (1, -1), (31, 31))
    assert entry.months == ((12, 12), (1, 3), (5, 8))
    assert entry.years == ((2026, 2028), (2030, 2030))
    assert entry.location == "Europe/Berlin"
    assert never == TimeInterval(name="never")


def test_a_route_may_name_an_interval(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        HEAD
        + "mute_time_intervals: [{name: n}]\nroute: {receiver: a, routes: [{matchers: [x=y], mute_time_intervals: [n]}]}",
    )
    assert valid(loaded).route.routes[0].mute_time_intervals == ("n",)
    assert loaded.problems == ()


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("times: [{start_time: '22:00', end_time: '06:00'}]", "start_time is before end_time"),
        ("times: [{start_time: '09:00', end_time: '09:00'}]", "start_time is before end_time"),
        ("times: [{start_time: '9:00', end_time: '10:00'}]", "'9:00' is not a time of day"),
        ("times: [{start_time: '24:01', end_time: '24:00'}]", "'24:01' is not a time of day"),
        ("times: [{start_time: '09:00'}]", "is missing"),
        ("weekdays: ['saturday:sunday']", "'saturday:sunday' ends before it begins"),
        ("weekdays: [funday]", "'funday' is not a day of the week"),
        ("days_of_month: [0]", "'0' is not a day of the month"),
        ("days_of_month: [32]", "'32' is not a day of the month"),
        ("days_of_month: ['-1:1']", "a range that begins with a negative day ends with one"),
        ("days_of_month: ['-1:-3']", "'-1:-3' ends before it begins"),
        ("days_of_month: ['5:1']", "'5:1' ends before it begins"),
        ("months: [13]", "'13' is not a month"),
        ("months: ['may:january']", "'may:january' ends before it begins"),
        ("years: ['2028:2026']", "'2028:2026' ends before it begins"),
        ("years: [0]", "'0' is not a year"),
        ("location: Mars/Base", "'Mars/Base' is not a time zone"),
        ("location: ../../etc/passwd", "is not a time zone"),
        ("holidays: [x]", "unknown key"),
    ],
)
def test_an_interval_that_is_wrong_says_why(tmp_path: Path, entry: str, complaint: str) -> None:
    found = complaints(
        tmp_path, f"time_intervals: [{{name: n, time_intervals: [{{{entry}}}]}}]\nroute: {{receiver: a}}"
    )

    assert len(found) == 1
    assert complaint in found[0]
    assert found[0].startswith("main.yml:2:")


def test_inhibit_rules_are_read_in_both_forms_and_have_no_effect_yet(tmp_path: Path) -> None:
    text = (
        "inhibit_rules:\n  - {source_matchers: [severity=critical], target_match: {severity: warning}, "
        "target_match_re: {x: a|b}, equal: [cluster]}\nroute: {receiver: a}"
    )
    loaded = load_text(tmp_path, HEAD + text)

    rule = valid(loaded).inhibit_rules[0]
    assert rule.source_matchers == ("severity=critical",)
    assert rule.target_match == {"severity": "warning"}
    assert rule.equal == ("cluster",)
    assert said(loaded) == []


@pytest.mark.parametrize(
    ("rule", "column"),
    [("{source_matchers: ['=']}", 36), ("{target_match_re: {x: '('}}", 39), ("{equals: [x]}", 26), ("x", 17)],
)
def test_an_inhibit_rule_that_is_wrong_says_where(tmp_path: Path, rule: str, column: int) -> None:
    loaded = load_text(tmp_path, f"{HEAD}inhibit_rules: [{rule}]\nroute: {{receiver: a}}")

    assert [(found.line, found.column) for found in loaded.errors] == [(2, column)]


def test_a_time_interval_defined_twice_is_an_error(tmp_path: Path) -> None:
    text = "time_intervals: [{name: n}]\nmute_time_intervals: [{name: n}]\nroute: {receiver: a}"

    assert complaints(tmp_path, text) == ["main.yml:3:23: the time interval 'n' is defined twice"]


def test_a_missing_hook_registration_is_told_at_its_place(tmp_path: Path) -> None:
    plugin = tmp_path / "hook.py"
    plugin.write_text("import absent_module_of_nobody")
    loaded = load_text(tmp_path, f"plugins: [{plugin}]\n{HEAD}route: {{receiver: a}}")

    assert [(found.line, found.column) for found in loaded.errors] == [(1, 11)]
    assert ConfigError.__name__ not in loaded.errors[0].message
