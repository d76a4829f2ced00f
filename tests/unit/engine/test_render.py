from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.channels.api import ChannelOptions
from bridge.domain.act import Via
from bridge.domain.alert import Status
from bridge.domain.message import AlertView, Message, Reason
from bridge.domain.standing import held
from bridge.engine.render import MAX_LISTED, IncidentView, render
from bridge.templates import MESSAGE_NAMES, Templates

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEMPLATES = Templates()


def alert(number: int = 1, status: Status = Status.FIRING, **changed: Any) -> AlertView:
    labels = {"alertname": "HighCPU", "job": "web", "instance": f"web-{number}", "severity": "critical"}
    fields: dict[str, Any] = {
        "fingerprint": f"f{number}",
        "status": status,
        "labels": labels,
        "annotations": {"summary": f"CPU {number} is high"},
        "starts_at": NOW,
        "ends_at": None if status is Status.FIRING else NOW + timedelta(minutes=7),
    }
    return AlertView(**{**fields, **changed})


def view(*alerts: AlertView, reason: Reason = Reason.OPENED, **changed: Any) -> IncidentView:
    firing = any(one.status is Status.FIRING for one in alerts) or not alerts
    fields: dict[str, Any] = {
        "reason": reason,
        "status": Status.FIRING if firing else Status.RESOLVED,
        "incident": "i1",
        "channel": "team-slack",
        "receiver": "team",
        "source": "prod",
        "route": "web",
        "alerts": alerts,
        "group_labels": {"alertname": "HighCPU", "job": "web"},
        "severity": "critical",
        "opened_at": NOW,
        "dedup": "d1",
    }
    return IncidentView(**{**fields, **changed})


def shown(*alerts: AlertView, **changed: Any) -> Message:
    return render(view(*alerts, **changed), ChannelOptions(type="console"), None)


def templated(given_view: IncidentView, **options: str) -> Message:
    return render(given_view, ChannelOptions(type="console", **options), TEMPLATES)


RESOLVED = alert(2, Status.RESOLVED)


@pytest.mark.parametrize(
    ("title", "alerts", "changed"),
    [
        ("[FIRING:1] HighCPU (web, critical)", (alert(),), {}),
        ("[FIRING:2] HighCPU (web, critical)", (alert(1), alert(2)), {"reason": Reason.CHANGED}),
        ("[FIRING:1] HighCPU (web, critical)", (alert(), RESOLVED), {"reason": Reason.REMINDER}),
        ("[RESOLVED] HighCPU (web, critical)", (RESOLVED,), {"reason": Reason.RESOLVED}),
        ("[RESOLVED] HighCPU (web, critical)", (RESOLVED,), {"fired_and_resolved": True}),
        ("[ESCALATED] HighCPU (web, critical)", (alert(),), {"reason": Reason.ESCALATED}),
        ("[ACKNOWLEDGED by ann] HighCPU (web, critical)", (alert(),), {"reason": Reason.ACKNOWLEDGED, "acknowledged_by": "ann"}),
        ("[ACKNOWLEDGED] HighCPU (web, critical)", (alert(),), {"reason": Reason.ACKNOWLEDGED}),
        ("[TEST] HighCPU (web, critical)", (alert(),), {"reason": Reason.TEST}),
        ("[NOTICE] Alertbridge", (), {"reason": Reason.NOTICE, "group_labels": {}, "severity": ""}),
        ("[FIRING:1] HighCPU (web-1, critical)", (alert(),), {"group_labels": {}}),
        ("[FIRING:1] HighCPU (web)", (alert(),), {"severity": ""}),
    ],
)  # fmt: skip
def test_the_title_says_state_name_and_place(title, alerts, changed) -> None:
    assert shown(*alerts, **changed).title == title


def test_a_title_of_several_names_lists_some_and_counts_the_rest() -> None:
    alerts = [alert(number, labels={"alertname": f"Rule{number % 5}"}) for number in range(10)]
    message = shown(*alerts, group_labels={}, severity="")
    assert message.title == "[FIRING:10] Rule0, Rule1, Rule2 and 2 more"


def test_a_title_is_one_printable_line_of_bounded_length() -> None:
    hostile = "High\r\nBcc: x@example.com\x1b[31m" + "x" * 1000
    title = shown(alert(labels={"alertname": hostile}), group_labels={}).title
    assert title.isprintable()
    assert title.startswith("[FIRING:1] High Bcc: x@example.com [31mxxx")
    assert len(title) == 250
    assert title.endswith("…")


def test_the_text_tells_each_alert_in_a_line() -> None:
    assert shown(alert(1), alert(2)).text.splitlines() == [
        "- HighCPU (job=web, instance=web-1, severity=critical): CPU 1 is high, since 2026-01-02 03:04:05 UTC",
        "- HighCPU (job=web, instance=web-2, severity=critical): CPU 2 is high, since 2026-01-02 03:04:05 UTC",
    ]


def test_firing_and_resolved_stand_under_headings_of_their_own() -> None:
    lines = shown(alert(1), RESOLVED).text.splitlines()
    assert [lines[0], lines[2]] == ["Firing:", "Resolved:"]
    assert lines[3].endswith("CPU 2 is high, resolved after 7m")


def test_a_resolve_alone_needs_no_heading() -> None:
    assert shown(RESOLVED, reason=Reason.RESOLVED).text.startswith("- HighCPU")


@pytest.mark.parametrize(
    ("changed", "opening"),
    [
        ({"reason": Reason.REMINDER}, "Still firing."),
        ({"reason": Reason.ESCALATED}, "Nobody has acknowledged this yet."),
        ({"reason": Reason.TEST}, "This is a test: nothing is wrong."),
        ({"reason": Reason.ACKNOWLEDGED, "acknowledged_by": "ann"}, "Acknowledged by ann."),
        ({"fired_and_resolved": True}, "This fired and was resolved before it could be told here."),
    ],
)
def test_the_text_opens_with_what_is_special(changed, opening) -> None:
    assert shown(alert(), **changed).text.splitlines()[0] == opening


def test_a_notice_says_its_note_once() -> None:
    message = shown(reason=Reason.NOTICE, note="The channel pager has died.")
    assert (message.text, message.note) == ("The channel pager has died.", "")


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({"summary": "short", "description": "long"}, "short"),
        ({"summary": "", "description": "long"}, "long"),
        ({"message": "old style"}, "old style"),
        ({"description": "two\nlines"}, "two lines"),
    ],
)
def test_a_line_tells_the_best_annotation_there_is(annotations, told) -> None:
    assert f"): {told}, since" in shown(alert(annotations=annotations)).text


def test_an_alert_without_annotations_is_told_all_the_same() -> None:
    text = shown(alert(annotations={}, labels={"team": "web", "__hidden": "x"})).text
    assert text == "- f1 (team=web), since 2026-01-02 03:04:05 UTC"


def test_links_are_told_if_they_lead_to_the_web() -> None:
    one = alert(
        annotations={
            "runbook_url": "https://runbooks.example.com/x",
            "dashboardURL": "x",
            "dashboard": "http://d.example.com",
        },
        generator_url="https://prometheus.example.com/graph?g0.expr=up",
    )
    assert shown(one).text.splitlines()[1:] == [
        "  Runbook: https://runbooks.example.com/x",
        "  Dashboard: http://d.example.com",
        "  Source: https://prometheus.example.com/graph?g0.expr=up",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//example.com",
        "",
        "https://a b",
        "https://a\n- Fake",
        "https://a\u202e",
    ],
)
def test_what_is_no_web_link_is_left_out(url) -> None:
    one = alert(annotations={"summary": "x", "runbook_url": url, "dashboard_url": url}, generator_url=url)
    assert len(shown(one).text.splitlines()) == 1


def test_a_bad_link_does_not_hide_a_good_one_of_the_other_name() -> None:
    one = alert(annotations={"runbook_url": "see wiki", "runbook": "https://runbooks.example.com/x"})
    assert shown(one).text.endswith("  Runbook: https://runbooks.example.com/x")


def test_a_long_list_is_cut_and_the_rest_is_counted() -> None:
    text = shown(*(alert(number) for number in range(MAX_LISTED + 3)), truncated=5).text.splitlines()
    assert len(text) == MAX_LISTED + 2
    assert text[-2:] == ["and 3 more", "The sender left out 5 more."]


def test_a_hostile_label_cannot_begin_a_line_of_its_own() -> None:
    one = alert(labels={"alertname": "A\n- Fake", "job": "x\r\n- Fake"}, annotations={"summary": "s\n- Fake"})
    assert len(shown(one).text.splitlines()) == 1


@pytest.mark.parametrize(
    ("reason", "state"), [(Reason.OPENED, "STORM"), (Reason.DIGEST, "STORM"), (Reason.ESCALATED, "ESCALATED")]
)
def test_the_digest_of_a_storm_is_its_note(reason: Reason, state: str) -> None:
    told = view(alert(), reason=reason, note="Storm: 700 new\nOpen: 699\nLink", digest=True)
    message = render(told, ChannelOptions(type="console"), None)

    assert message.title == f"[{state}] Storm: 700 new"
    assert message.text == "Open: 699\nLink"
    assert message.note == ""
    assert message.alerts[0].annotations == {"summary": "Storm: 700 new", "description": "Open: 699\nLink"}


def test_a_storm_that_is_ended_by_hand_says_what_it_was() -> None:
    message = render(view(alert(), reason=Reason.RESOLVED, digest=True), ChannelOptions(type="console"), None)

    assert "CPU 1 is high" in message.title
    assert "CPU 1 is high" in message.text


def test_everything_else_of_the_view_is_in_the_message() -> None:
    given_view = view(
        alert(1), alert(2), group_key="{}:{}", external_url="https://am.example.com", note="n", acknowledged_by="a",
        truncated=1, fired_and_resolved=True, snoozed_until=NOW,
    )  # fmt: skip
    message = render(given_view, ChannelOptions(type="console"), None)
    for name in set(IncidentView.__struct_fields__) - {"digest", "resolved_by", "via"}:
        assert getattr(message, name) == getattr(given_view, name), name
    assert message.common_labels == {"alertname": "HighCPU", "job": "web", "severity": "critical"}
    assert message.common_annotations == {}


@pytest.mark.parametrize(
    ("changed", "standing"),
    [
        ({}, ""),
        ({"acknowledged_by": "ann"}, "Acknowledged by ann"),
        ({"acknowledged_by": "ann", "via": "slack"}, "Acknowledged by ann in Slack"),
        ({"acknowledged_by": "ann", "via": "sms", "snoozed_until": NOW}, "Snoozed by ann by SMS until {hour}"),
        ({"status": Status.RESOLVED, "resolved_by": "bob", "via": "api"}, "Resolved by bob over the API"),
        (
            {"status": Status.RESOLVED, "resolved_by": "bob", "via": "cli", "acknowledged_by": "ann"},
            "Resolved by bob on the command line; acknowledged by ann",
        ),
        ({"status": Status.RESOLVED, "acknowledged_by": "ann", "via": "link"}, "Acknowledged by ann by a link"),
    ],
)
def test_who_has_it_or_ended_it_and_by_which_way_is_said(changed, standing) -> None:
    assert shown(alert(), **changed).standing == standing.format(hour=f"{NOW:%Y-%m-%d %H:%M} UTC")


def test_every_way_has_words() -> None:
    assert all(held("ann", via.value) != held("ann") for via in Via)


def test_a_snooze_says_until_when_and_a_hand_that_ended_it_says_whose() -> None:
    snoozed = shown(alert(), reason=Reason.ACKNOWLEDGED, acknowledged_by="ann", snoozed_until=NOW)
    assert snoozed.title.startswith(f"[SNOOZED by ann until {NOW:%Y-%m-%d %H:%M} UTC] ")
    ended = shown(RESOLVED, reason=Reason.RESOLVED, status=Status.RESOLVED, resolved_by="bob", via="api")
    assert ended.text.splitlines()[0] == "Resolved by bob over the API."


def test_templates_replace_title_and_text() -> None:
    message = templated(
        view(alert(1), alert(2), RESOLVED),
        title="{{ severity | upper }} {{ firing | length }}/{{ alerts | length }}",
        text="{% for alert in resolved %}{{ alert.name }} {{ alert.labels.instance }}{% endfor %}",
    )
    assert (message.title, message.text, message.note) == ("CRITICAL 2/3", "HighCPU web-2", "")


def test_one_template_leaves_the_other_built_in() -> None:
    message = templated(view(alert()), title="x")
    assert (message.title, message.text) == ("x", shown(alert()).text)


def test_a_template_may_build_on_the_built_in_words() -> None:
    message = templated(view(alert()), title="{{ default_title }}!", text="Hello\n{{ default_text }}")
    assert message.title == shown(alert()).title + "!"
    assert message.text == "Hello\n" + shown(alert()).text


@pytest.mark.parametrize("name", sorted(MESSAGE_NAMES))
def test_every_promised_name_is_there(name) -> None:
    message = templated(view(alert()), text=f"{{{{ 'there' if {name} is defined }}}}")
    assert (message.text, message.note) == ("there", "")


@pytest.mark.parametrize(
    "bad",
    [
        "{{ 1 / 0 }}",
        "{{ nope }}",
        "{% if %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_that_fails_never_loses_the_alert(bad) -> None:
    message = templated(view(alert(), note="first"), title="good", text=bad)
    assert (message.title, message.text) == ("good", shown(alert()).text)
    first, second = message.note.splitlines()
    assert first == "first"
    assert second.startswith("The text template of this channel failed, so the built-in text is shown: ")


def test_both_templates_failing_is_said_of_both() -> None:
    message = templated(view(alert()), title="{{ 1 / 0 }}", text="{{ 1 / 0 }}")
    assert (message.title, message.text) == (shown(alert()).title, shown(alert()).text)
    assert [line.split()[1] for line in message.note.splitlines()] == ["title", "text"]


def test_a_title_template_gives_one_line_and_an_empty_one_the_built_in() -> None:
    assert templated(view(alert()), title="a\nb\n").title == "a b"
    assert templated(view(alert()), title=" \n ").title == shown(alert()).title


def test_a_text_template_may_give_nothing() -> None:
    assert templated(view(alert()), text="").text == ""


def test_a_label_that_looks_like_a_template_stays_text() -> None:
    one = alert(labels={"alertname": "{{ 7 * 7 }}"})
    assert templated(view(one), text="{{ alerts[0].name }}").text == "{{ 7 * 7 }}"


ANY = st.text(max_size=30)
ANY_MAP = st.dictionaries(ANY, ANY, max_size=4)


@given(
    st.lists(st.builds(alert, st.integers(0, 9), st.sampled_from(Status), labels=ANY_MAP, annotations=ANY_MAP), max_size=4),
    ANY_MAP, st.sampled_from(Reason), st.sampled_from(Status), ANY, st.booleans(),
)  # fmt: skip
def test_no_alert_is_too_odd_to_be_told(alerts, group, reason, status, anything, fired_and_resolved) -> None:
    message = shown(
        *alerts, group_labels=group, reason=reason, status=status, severity=anything, acknowledged_by=anything,
        fired_and_resolved=fired_and_resolved,
    )  # fmt: skip
    assert message.title.isprintable()
    assert message.text.count("\n- ") + message.text.startswith("- ") == len(alerts)
