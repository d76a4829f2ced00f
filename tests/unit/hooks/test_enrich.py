from __future__ import annotations

import pytest
from pydantic import ValidationError

from bridge.hooks.api import Notification, Pass, Transition, Verdict
from bridge.hooks.chain import Chain, Judged, Link
from bridge.hooks.enrich import Enrich, EnrichOptions
from tests.contract.hooks.notifications import NOW, alert, before_routing, make, notification


def judge(subject: Notification, options: object) -> Judged:
    return Chain([make(Enrich, options)]).judge(subject)


def passed(verdict: Verdict) -> Notification:
    assert isinstance(verdict, Pass)
    return verdict.notification


def labels(subject: Notification, **templates: str) -> dict[str, str]:
    return dict(passed(judge(subject, {"labels": templates}).verdict).labels.get("a1", {}))


def test_a_template_sees_the_alerts_labels() -> None:
    subject = before_routing(alert(cluster="eu-1"))
    assert labels(subject, region="{{ labels.cluster.split('-')[0] }}") == {"region": "eu"}


def test_a_label_that_would_be_empty_is_not_added() -> None:
    assert labels(before_routing(), region="{{ labels.cluster.split('-')[0] }}", blank=" \n ") == {}


def test_white_space_around_a_value_is_removed() -> None:
    assert labels(before_routing(), team="\n  web\n") == {"team": "web"}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ annotations.summary }}", "CPU is high"),
        ("{{ fingerprint }}", "a1"),
        ("{{ generator_url }}", "https://prometheus.example.com/graph"),
        ("{{ starts_at }}", "2026-03-04T05:03:07Z"),
        ("{{ now }}", "2026-03-04T05:06:07Z"),
        ("{{ 'night' if now.hour < 6 else 'day' }}", "night"),
        ("{{ status }} {{ transition }}", "firing opened"),
        ("{{ source }}/{{ route }}/{{ receiver }}/{{ incident }}", "prod/web/team/i1"),
        ("{{ severity }} {{ group_labels.alertname }}", "critical HighCPU"),
    ],
)
def test_a_template_may_name(template, value) -> None:
    assert labels(notification(), x=template) == {"x": value}


def test_annotations_see_the_labels_of_the_same_hook() -> None:
    options = {"labels": {"team": "web"}, "annotations": {"runbook": "https://runbooks.example.com/{{ labels.team }}"}}
    enriched = passed(judge(notification(), options).verdict)
    assert enriched.annotations == {"a1": {"runbook": "https://runbooks.example.com/web"}}


def test_entries_of_one_mapping_do_not_see_one_another() -> None:
    assert labels(notification(), a="1", b="[{{ labels.a }}]") == {"a": "1", "b": "[]"}


def test_a_later_hook_sees_what_an_earlier_one_added_and_wins() -> None:
    first = make(Enrich, {"labels": {"team": "web", "tier": "1"}})
    second = make(Enrich, {"labels": {"team": "{{ labels.team }}-oncall"}})
    enriched = passed(Chain([first, second]).judge(notification()).verdict)
    assert enriched.labels == {"a1": {"team": "web-oncall", "tier": "1"}}


def test_each_alert_is_enriched_from_its_own_labels() -> None:
    subject = notification(Transition.OPENED, alert(), alert(fingerprint="a2", instance="db-1"))
    enriched = passed(judge(subject, {"labels": {"host": "{{ labels.instance }}"}}).verdict)
    assert enriched.labels == {"a1": {"host": "web-1"}, "a2": {"host": "db-1"}}


def test_what_is_said_of_other_alerts_stays() -> None:
    subject = notification(labels={"other": {"team": "db"}}, annotations={"other": {"note": "x"}})
    enriched = passed(judge(subject, {"labels": {"team": "web"}}).verdict)
    assert enriched.labels == {"other": {"team": "db"}, "a1": {"team": "web"}}
    assert enriched.annotations == {"other": {"note": "x"}}


def test_the_alert_itself_is_never_changed() -> None:
    subject = notification()
    enriched = passed(judge(subject, {"labels": {"alertname": "Renamed"}}).verdict)
    assert enriched.labels == {"a1": {"alertname": "Renamed"}}
    assert enriched.alerts == subject.alerts


def test_a_value_of_an_alert_is_never_a_template() -> None:
    subject = notification(Transition.OPENED, alert(team="{{ 7 * 7 }}{% include 'x' %}"))
    assert labels(subject, owner="{{ labels.team }}") == {"owner": "{{ 7 * 7 }}{% include 'x' %}"}


def test_a_template_that_fails_costs_only_its_own_label() -> None:
    judged = judge(notification(), {"labels": {"bad": "{{ 1 / 0 }}", "team": "web"}})
    assert passed(judged.verdict).labels == {"a1": {"team": "web"}}
    step = judged.trace[0]
    assert (step.verdict, step.reason) == ("error", "raised")
    assert "labels.bad: line 1: ZeroDivisionError" in step.detail


def test_a_template_that_fails_holds_a_closed_hook_and_asks_no_later_one() -> None:
    options = {"labels": {"bad": "{{ 1 / 0 }}"}, "on_error": "closed"}
    chain = Chain([Link("enrich", make(Enrich, options), "closed"), make(Enrich, {"labels": {"team": "web"}})])
    judged = chain.judge(notification())
    assert judged.hook == "enrich"
    assert judged.verdict.reason == "hook_error:enrich"
    assert len(judged.trace) == 1


def test_it_does_io_only_if_it_asks_a_service() -> None:
    http = {"url": "https://cmdb.example.com/", "labels": {"team": "team"}}
    assert make(Enrich, {"labels": {"team": "web"}}).does_io is False
    assert make(Enrich, {"http": http}).does_io is True


@pytest.mark.parametrize("name", ["", "1st", "with-dash", "with space", "__reserved", "ümlaut", "new\nline"])
@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_what_is_no_name_for_a_label_is_refused(where, name) -> None:
    with pytest.raises(ValidationError, match="no name for a label"):
        EnrichOptions.model_validate({where: {name: "x"}})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ labels.x", "line 1"),
        ("\n\n{% if %}", "line 3"),
        ("{{ label.team }}", "names label, which does not exist"),
        ("{{ labels.team | shout }}", "no filter 'shout'"),
        ("{% include 'x' %}", "not part of the language"),
    ],
)
def test_a_template_that_cannot_work_is_refused_before_any_alert(template, message) -> None:
    with pytest.raises(ValidationError, match=message):
        EnrichOptions.model_validate({"labels": {"x": template}})


def test_the_service_must_be_quicker_than_the_hooks_budget() -> None:
    http = {"url": "https://cmdb.example.com/", "labels": {"team": "team"}, "timeout": "5s"}
    with pytest.raises(ValidationError, match="shorter than the hook's budget"):
        EnrichOptions.model_validate({"http": http})
    assert EnrichOptions.model_validate({"http": http, "budget": "6s"}).http is not None


def test_now_is_the_notifications_and_not_the_machines() -> None:
    assert labels(notification(now=NOW.replace(year=2031)), year="{{ now.year }}") == {"year": "2031"}
