from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bridge.domain.alert import Alert, Status, fingerprint
from tests.unit.ingest.bodies import ENVELOPE, FIRING, GRAFANA, NOW, alert_of, body, problem_of, read, with_alert


def test_an_alertmanager_body_is_read():
    webhook = read(body())
    assert (webhook.source, webhook.format, webhook.receiver, webhook.org) == ("main", "alertmanager", "web", "")
    assert webhook.group_labels == {"alertname": "HighCPU"}
    assert webhook.alerts == (
        Alert(
            source="main",
            org="",
            fingerprint="cc6e49118c0ea32b",
            status=Status.FIRING,
            labels=FIRING["labels"],
            annotations={"summary": "hot"},
            starts_at=datetime(2026, 3, 1, 10, 0, 0, 123_000, tzinfo=UTC),
            ends_at=None,
            starts_text="2026-03-01T10:00:00.123Z",
            ends_text="0001-01-01T00:00:00Z",
            generator_url="http://prometheus.example/graph",
            receiver="web",
        ),
    )


def test_the_grouped_status_decides_nothing():
    assert alert_of(status="resolved").status is Status.RESOLVED
    assert read(body(status="resolved")).alerts[0].status is Status.FIRING


def test_grafanas_organisation_is_part_of_the_identity():
    webhook = read(body(GRAFANA))
    assert (webhook.format, webhook.org) == ("grafana", "7")
    assert webhook.alerts[0].key == ("main", "7", "cc6e49118c0ea32b")


def test_a_grafana_body_without_organisation_is_read():
    assert read(body({name: value for name, value in GRAFANA.items() if name != "orgId"})).org == ""


def test_fields_of_alertmanager_0_34_are_familiar():
    webhook = read(body(notification_reason="first notification", routeLabels={"a": "b"}))
    assert len(webhook.alerts) == 1


@pytest.mark.parametrize("missing", ["truncatedAlerts", "groupLabels", "receiver", "externalURL", "groupKey", "status"])
def test_absent_and_null_envelope_fields_are_tolerated(missing):
    without = {name: value for name, value in ENVELOPE.items() if name != missing}
    assert len(read(body(without)).alerts) == 1
    assert len(read(body(**{missing: None})).alerts) == 1


def test_unknown_fields_of_the_envelope_do_not_matter():
    assert len(read(body(novelty=[1, {"a": None}], commonLabels="not what it was")).alerts) == 1


def test_unknown_fields_of_an_alert_are_kept_as_they_were_written():
    content = body().replace(b'"fingerprint"', b'"x" :  {"b":1.50 ,"a":[]}, "y\\"":null, "fingerprint"')
    assert read(content).alerts[0].extra == '{"x":{"b":1.50 ,"a":[]},"y\\"":null}'


def test_unknown_fields_beside_grafanas_own_are_kept_too():
    alert = {**FIRING, "values": {"A": 1}, "novelty": True}
    extra = json.loads(read(body(GRAFANA, alerts=[alert])).alerts[0].extra)
    assert extra == {"values": {"A": 1}, "novelty": True}


@pytest.mark.parametrize(
    ("escaped", "receiver"),
    [
        (r"team\.a", "team.a"),
        (r"a\+b", "a+b"),
        (r"\\\.\+\*\?\(\)\|\[\]\{\}\^\$", r"\.+*?()|[]{}^$"),
        (r"a\\\.b", r"a\.b"),
        ("plain-name_/ x", "plain-name_/ x"),
        (r"odd\q", r"odd\q"),
    ],
)
def test_the_receiver_is_unescaped(escaped, receiver):
    webhook = read(body(receiver=escaped))
    assert (webhook.receiver, webhook.alerts[0].receiver) == (receiver, receiver)


@pytest.mark.parametrize("sent", [..., None, ""])
def test_a_fingerprint_is_computed_only_where_none_was_sent(sent):
    assert alert_of(fingerprint=sent).fingerprint == fingerprint(FIRING["labels"])


def test_a_sent_fingerprint_is_trusted_whatever_its_form():
    assert alert_of(fingerprint="not-hex").fingerprint == "not-hex"


@pytest.mark.parametrize("sent", ["x" * 65, "a\nb"])
def test_a_fingerprint_that_cannot_be_one_is_quarantined(sent):
    assert "`fingerprint` is longer" in problem_of(fingerprint=sent)


def test_labels_without_value_are_absent():
    alert = alert_of(labels={"alertname": "A", "empty": ""}, fingerprint=...)
    assert alert.labels == {"alertname": "A"}
    assert alert.fingerprint == fingerprint({"alertname": "A"})


def test_empty_annotations_are_kept():
    assert alert_of(annotations={"a": ""}).annotations == {"a": ""}


@pytest.mark.parametrize("name", ["annotations", "generatorURL", "startsAt", "endsAt", "fingerprint"])
@pytest.mark.parametrize("value", [..., None])
def test_what_an_alert_can_do_without_may_be_missing(name, value):
    assert alert_of(**{name: value}).status is Status.FIRING


def test_an_alert_without_a_start_began_when_it_came():
    for unset in (..., None, "", "0001-01-01T00:00:00Z"):
        assert alert_of(startsAt=unset).starts_at == NOW


def test_a_resolved_alert_without_an_end_ended_when_it_came():
    for unset in (..., None, "", "0001-01-01T00:00:00+00:00"):
        assert alert_of(status="resolved", endsAt=unset).ends_at == NOW


def test_a_firing_alert_has_no_end_whatever_was_sent():
    alert = alert_of(endsAt="2026-03-01T11:00:00Z")
    assert (alert.ends_at, alert.ends_text) == (None, "2026-03-01T11:00:00Z")


def test_an_end_before_the_start_is_kept_so_that_the_resolve_is_told():
    alert = alert_of(status="resolved", endsAt="2026-03-01T09:00:00Z")
    assert alert.ends_at < alert.starts_at


def test_nul_characters_are_cut_out_everywhere():
    alert = alert_of(
        labels={"alert\0name": "A\0B", "gone": "\0"},
        annotations={"a": "x\0"},
        generatorURL="u\0",
        extra={"k\0": ["\0v", 1.5, None]},
    )
    assert alert.labels == {"alertname": "AB"}
    assert (alert.annotations, alert.generator_url) == ({"a": "x"}, "u")
    assert json.loads(alert.extra) == {"extra": {"k": ["v", 1.5, None]}}
    webhook = read(body(receiver="r\0", groupLabels={"a\0": "b\0"}, groupKey="k\0", externalURL="e\0"))
    assert (webhook.receiver, webhook.group_key, webhook.external_url) == ("r", "k", "e")
    assert webhook.group_labels == {"a": "b"}


def test_a_backslash_before_u0000_is_no_nul():
    assert alert_of(labels={"a": r"\u0000"}, new=r"\u0000").labels == {"a": r"\u0000"}


def test_other_control_characters_stay():
    assert alert_of(annotations={"a": "\x1b[31m\u202e\r\n"}).annotations == {"a": "\x1b[31m\u202e\r\n"}


def test_names_that_mean_something_elsewhere_are_just_labels():
    labels = {"__proto__": "a", "__class__": "b", "a b": "c", "ü": "{{ x }}"}
    assert alert_of(labels=labels).labels == labels


def test_an_empty_list_is_read():
    assert read(body(alerts=[])).alerts == ()


def test_a_source_of_one_type_takes_its_own_format():
    assert read(body(), "alertmanager").format == "alertmanager"
    assert read(body(GRAFANA), "grafana").format == "grafana"


def test_of_duplicate_keys_the_last_wins():
    content = body().replace(b'"status": "firing", "labels"', b'"status": "firing", "status": "resolved", "labels"')
    assert read(content).alerts[0].status is Status.RESOLVED


def test_time_in_alerts_never_overflows():
    for text in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999-00:00", "0001-01-01T00:00:00+14:00"):
        assert len(read(with_alert(status="resolved", startsAt=text, endsAt=text)).alerts) == 1
