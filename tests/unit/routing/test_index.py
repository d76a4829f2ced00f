"""The index agrees with a linear walk, on whatever is asked and whatever labels there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from bridge.routing import tree
from bridge.routing.index import Index
from bridge.routing.inhibition import Inhibition, Rule
from bridge.routing.matchers import Matcher, match_all
from bridge.routing.route import Route
from bridge.routing.silences import Silence, Silences
from bridge.routing.tree import find
from tests import linear_walk

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NAMES = ("a", "b", "team")
VALUES = ("", "x", "y", "xy", "x|y", "x.", "\n", "é")
PATTERNS = (
        "", "x", "x|y", "x|", "|", ".*", ".+", "x.", "(x|y)", "^(x|y)$", "^x|y$", "(?:xy|é)", "(x)|(y)", "((x|xy))",
        "^(?:x|y)$", "x|x", "(x|y)?", "(?i)X|Y", "[xy]+", "x\\.", "\n", "()x()", "^(?:^(x|y)$)$",
)  # fmt: skip


CONDITIONS = (
    *(Matcher(name, op, value) for name in NAMES for op in ("=", "!=") for value in VALUES),
    *(Matcher(name, op, pattern) for name in NAMES for op in ("=~", "!~") for pattern in PATTERNS),
)
MATCHERS = st.lists(st.sampled_from(CONDITIONS), max_size=3).map(tuple)
LABELS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES))


@st.composite
def trees(draw: DrawFn, depth: int = 3) -> Route:
    children = draw(st.lists(trees(depth - 1), max_size=4)) if depth else []
    identity = str(draw(st.integers(0, 999)))
    return Route(
        id=identity, receiver=identity, matchers=draw(MATCHERS), continues=draw(st.booleans()), routes=tuple(children)
    )


@pytest.mark.parametrize("always", [True, False])
@given(route=trees(), some=st.lists(LABELS, min_size=1, max_size=4))
@settings(max_examples=120)
def test_routes_are_found_as_by_walking(always: bool, route: Route, some: list[Mapping[str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "_WORTH_AN_INDEX", 0 if always else 3)
        if always:
            patch.setattr(Index, "narrows", True)
        for labels in (*some, *some):
            assert list(find(route, labels)) == linear_walk.walk(route, labels)
    tree._known.clear()


SILENCES = st.lists(
    st.builds(
        lambda number, matchers, start, length: Silence(
            str(number), matchers, NOW + timedelta(hours=start), NOW + timedelta(hours=start + length), NOW
        ),
        st.integers(0, 40),
        MATCHERS,
        st.integers(-2, 2),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(SILENCES, st.lists(LABELS, min_size=1, max_size=4), st.lists(st.integers(-3, 6), min_size=1, max_size=4))
@settings(max_examples=150)
def test_silences_are_found_as_by_walking(
    given_: list[Silence], some: list[Mapping[str, str]], hours: list[int]
) -> None:
    silences = Silences(given_)
    for hour in hours:
        now = NOW + timedelta(hours=hour)
        for labels in some:
            assert list(silences.matching(labels, now)) == linear_walk.silences(silences, labels, now)


RULES = st.lists(
    st.builds(Rule, MATCHERS, MATCHERS, st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)), max_size=12
)


@given(RULES, st.lists(LABELS, min_size=1, max_size=4))
@settings(max_examples=150)
def test_the_sides_of_inhibition_rules_are_found_as_by_walking(
    rules: list[Rule], some: list[Mapping[str, str]]
) -> None:
    inhibition = Inhibition(rules)
    distinct = [rule for place, rule in enumerate(rules) if rule.key not in {other.key for other in rules[:place]}]
    for labels in some:
        on_source = [rule for rule in distinct if match_all(rule.source, labels)]
        on_target = [rule for rule in distinct if match_all(rule.target, labels)]
        both = {rule.key for rule in on_source} & {rule.key for rule in on_target}
        assert [(side.rule, side.both) for side in inhibition.sources(labels)] == [
            (rule.key, rule.key in both) for rule in on_source
        ]
        assert [(side.rule, side.both) for side in inhibition.targets(labels)] == [
            (rule.key, rule.key in both) for rule in on_target
        ]


@given(RULES, LABELS, LABELS)
@settings(max_examples=150)
def test_two_alerts_agree_on_a_rule_if_they_have_the_same_values(
    rules: list[Rule], one: Mapping[str, str], other: Mapping[str, str]
) -> None:
    inhibition = Inhibition(rules)
    equal = {rule.key: rule.equal for rule in rules}
    for source in inhibition.sources(one):
        for target in inhibition.targets(other):
            same = all(one.get(name, "") == other.get(name, "") for name in equal[source.rule])
            if source.rule == target.rule:
                assert (source.equals == target.equals) is same


def of(*texts: tuple[Matcher, ...]) -> Index[tuple[Matcher, ...]]:
    return Index(texts, lambda matchers: matchers)


def test_only_what_asks_for_the_value_is_looked_at() -> None:
    index = of(*((Matcher("team", "=", f"t{number}"),) for number in range(100)))
    assert [matchers[0].value for matchers in index.candidates({"team": "t7"})] == ["t7"]
    assert not index.candidates({"team": "t"})
    assert not index.candidates({})


@pytest.mark.parametrize("pattern", ["t7|u7", "(t7|u7)", "^(t7|u7)$", "(?:t7|u7)", "^(?:(t7|u7))$"])
def test_words_of_a_regular_expression_are_values_too(pattern: str) -> None:
    index = of((Matcher("team", "=~", pattern),), (Matcher("team", "=", "other"),))
    assert len(index.candidates({"team": "t7"})) == len(index.candidates({"team": "u7"})) == 1
    assert not index.candidates({"team": "t8"})


def test_the_condition_that_tells_most_is_the_one_that_is_looked_up() -> None:
    index = of(*((Matcher("env", "=", "prod"), Matcher("team", "=", f"t{number}")) for number in range(100)))
    assert len(index.candidates({"env": "prod", "team": "t7"})) == 1


def test_more_labels_asked_about_than_an_alert_has_are_not_all_tried() -> None:
    index = of(*((Matcher(f"label{number}", "=", "x"),) for number in range(100)))
    assert [matchers[0].name for matchers in index.candidates({"label3": "x", "label4": "y"})] == ["label3"]


def test_candidates_come_in_order() -> None:
    first, second, third = (Matcher("a", "!=", "x"),), (Matcher("b", "=", "1"),), (Matcher("a", "!=", "y"),)
    assert list(of(first, second, third).candidates({"b": "1"})) == [first, second, third]


def test_an_index_in_which_all_ask_for_the_same_is_not_worth_a_look() -> None:
    assert of(*((Matcher("team", "=", f"t{number}"),) for number in range(10))).narrows
    assert not of(*((Matcher("env", "=~", "prod|stage"), Matcher("pod", "=~", f"p{n}.*")) for n in range(10))).narrows
    assert not of(*((Matcher("team", "!=", f"t{number}"),) for number in range(10))).narrows
    assert not of().narrows
