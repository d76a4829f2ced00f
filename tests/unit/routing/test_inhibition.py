from __future__ import annotations

from itertools import combinations

from bridge.routing.inhibition import Inhibition, Rule
from bridge.routing.matchers import parse_matchers


def rule(source: str, target: str, *equal: str, name: str = "") -> Rule:
    return Rule(parse_matchers(source), parse_matchers(target), equal, name)


def mutes(inhibition: Inhibition, source: dict[str, str], target: dict[str, str]) -> bool:
    """What the caller does with the sides: whether a firing alert mutes another."""
    return any(
        one.rule == other.rule and one.equals == other.equals and not (one.both and other.both)
        for one in inhibition.sources(source)
        for other in inhibition.targets(target)
    )


CRITICAL_OVER_WARNING = Inhibition([rule("severity=critical", "severity=warning", "cluster", "service")])


def test_a_source_mutes_targets_with_equal_labels() -> None:
    source = {"severity": "critical", "cluster": "a", "service": "s"}
    assert mutes(CRITICAL_OVER_WARNING, source, {"severity": "warning", "cluster": "a", "service": "s", "pod": "p"})
    assert not mutes(CRITICAL_OVER_WARNING, source, {"severity": "warning", "cluster": "b", "service": "s"})
    assert not mutes(CRITICAL_OVER_WARNING, source, {"severity": "info", "cluster": "a", "service": "s"})


def test_a_missing_label_equals_an_empty_one_and_another_missing_one() -> None:
    assert mutes(CRITICAL_OVER_WARNING, {"severity": "critical"}, {"severity": "warning"})
    assert mutes(CRITICAL_OVER_WARNING, {"severity": "critical", "cluster": ""}, {"severity": "warning"})
    assert not mutes(CRITICAL_OVER_WARNING, {"severity": "critical", "cluster": "a"}, {"severity": "warning"})


def test_values_do_not_run_into_one_another() -> None:
    source = {"severity": "critical", "cluster": "ab", "service": "c"}
    assert not mutes(CRITICAL_OVER_WARNING, source, {"severity": "warning", "cluster": "a", "service": "bc"})


def test_without_equal_labels_any_source_mutes_every_target() -> None:
    assert mutes(Inhibition([rule("a=1", "b=1")]), {"a": "1", "c": "x"}, {"b": "1", "c": "y"})


def test_an_alert_on_both_sides_is_not_muted_by_another_on_both_sides() -> None:
    inhibition = Inhibition([rule("a=1", "b=1")])
    both, source, target = {"a": "1", "b": "1"}, {"a": "1"}, {"b": "1"}
    assert not mutes(inhibition, both, both)
    assert mutes(inhibition, source, both)
    assert mutes(inhibition, both, target)
    assert (
        [side.both for side in inhibition.sources(both)] == [side.both for side in inhibition.targets(both)] == [True]
    )
    assert [side.both for side in (*inhibition.sources(source), *inhibition.targets(target))] == [False, False]


def test_an_answer_for_one_alert_is_not_given_for_another_with_other_equal_labels() -> None:
    inhibition = Inhibition([rule("severity=critical", "severity=warning", "cluster")])
    [one] = inhibition.sources({"severity": "critical", "cluster": "a"})
    [other] = inhibition.sources({"severity": "critical", "cluster": "b"})
    assert one.equals != other.equals
    assert inhibition.targets({"severity": "warning", "cluster": "a"})[0].equals == one.equals
    assert inhibition.targets({"severity": "warning", "cluster": "b"})[0].equals == other.equals


def test_the_key_of_a_rule_is_what_it_says() -> None:
    same = rule("a=1,b=2", "c=3", "x", "y", name="named")
    assert same.key == rule("b=2,a=1", "c=3", "y", "x", "x").key
    others = [
        same,
        rule("a=1", "b=2,c=3", "x", "y"),
        rule("a=1,b=2,c=3", "", "x", "y"),
        rule("a=1,b=2", "c=3", "x"),
        rule("a=1,b=2", "c=3"),
        rule("a=1,b!=2", "c=3", "x", "y"),
        rule("c=3", "a=1,b=2", "x", "y"),
    ]
    assert not [pair for pair in combinations(others, 2) if pair[0].key == pair[1].key]


def test_rules_keep_their_order_and_count_once() -> None:
    first, second = rule("a=1", "b=1"), rule("a=~1|2", "c=1")
    inhibition = Inhibition([first, second, rule("a=1", "b=1", name="again")])
    assert [side.rule for side in inhibition.sources({"a": "1"})] == [first.key, second.key]
    assert inhibition.keys == {first.key, second.key}


def test_without_rules_there_is_no_inhibition() -> None:
    assert not Inhibition()
    assert Inhibition([rule("a=1", "b=1")])
    assert Inhibition().sources({"a": "1"}) == Inhibition().targets({"a": "1"}) == ()
