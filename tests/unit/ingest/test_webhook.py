from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from bridge.domain.alert import Alert, Status, Webhook, fingerprint
from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.entry import MAX_ENTRY
from bridge.ingest.labels import MAX_LABELS, MAX_NAME, MAX_VALUE
from bridge.ingest.webhook import MAX_ALERTS, parse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRING = {
    "status": "firing",
    "labels": {"alertname": "HighCPU", "instance": "web-1:9100"},
    "annotations": {"summary": "hot"},
    "startsAt": "2026-03-01T10:00:00.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example/graph",
    "fingerprint": "cc6e49118c0ea32b",
}
ENVELOPE = {
    "receiver": "web",
    "status": "firing",
    "alerts": [FIRING],
    "groupLabels": {"alertname": "HighCPU"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example",
    "version": "4",
    "groupKey": '{}:{alertname="HighCPU"}',
    "truncatedAlerts": 0,
}
GRAFANA = ENVELOPE | {"version": "1", "orgId": 7, "title": "t", "state": "alerting", "message": "m"}


def body(envelope: object = ENVELOPE, **changes: object) -> bytes:
    return json.dumps({**envelope, **changes} if changes else envelope).encode()


def read(content: bytes, wanted: str = "auto") -> Webhook:
    return parse(wanted, content, "main", NOW)


def with_alert(**changes: object) -> bytes:
    alert = {**FIRING, **changes}
    return body(alerts=[{name: value for name, value in alert.items() if value is not ...}])


def alert_of(**changes: object) -> Alert:
    webhook = read(with_alert(**changes))
    assert webhook.quarantined == ()
    return webhook.alerts[0]


def problem_of(**changes: object) -> str:
    webhook = read(with_alert(**changes))
    assert webhook.alerts == ()
    return webhook.quarantined[0].problem


def refusal(content: bytes, wanted: str = "auto") -> IngestError:
    with pytest.raises(IngestError) as caught:
        read(content, wanted)
    return caught.value


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


def test_one_bad_alert_leaves_the_others():
    good, bad = deepcopy(FIRING), {**FIRING, "labels": {"a": 1}}
    webhook = read(body(alerts=[good, bad, good, "text", None, {}]))
    assert len(webhook.alerts) == 2
    assert [entry.index for entry in webhook.quarantined] == [1, 3, 4, 5]
    assert webhook.quarantined[0].digest == sha256(json.dumps(bad).encode()).hexdigest()


def test_a_list_of_nothing_but_bad_alerts_is_still_an_answer():
    webhook = read(body(alerts=[1, 2]))
    assert (webhook.alerts, len(webhook.quarantined)) == ((), 2)


def test_an_empty_list_is_read():
    assert read(body(alerts=[])).alerts == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": ...}, "missing required field `status` - at `$.alerts[0]`"),
        ({"status": "secret-value"}, "`status` is neither firing nor resolved - at `$.alerts[0]`"),
        ({"status": None}, "got `null` - at `$.alerts[0].status`"),
        ({"labels": ...}, "missing required field `labels` - at `$.alerts[0]`"),
        ({"labels": None}, "got `null` - at `$.alerts[0].labels`"),
        ({"labels": ["secret-value"]}, "got `array` - at `$.alerts[0].labels`"),
        ({"labels": {"a": ["secret-value"]}}, "got `array` - at `$.alerts[0].labels[...]`"),
        ({"labels": {}}, "`labels` is empty - at `$.alerts[0]`"),
        ({"labels": {"a": ""}}, "`labels` is empty - at `$.alerts[0]`"),
        ({"labels": {"": "secret-value"}}, "`labels` has an entry without a name - at `$.alerts[0]`"),
        ({"annotations": "secret-value"}, "at `$.alerts[0].annotations`"),
        ({"annotations": {"": "secret-value"}}, "`annotations` has an entry without a name"),
        ({"startsAt": "secret-value"}, "`startsAt` is no RFC 3339 time - at `$.alerts[0]`"),
        ({"startsAt": 1}, "got `int` - at `$.alerts[0].startsAt`"),
        ({"startsAt": "2026-03-01T10:00:00"}, "`startsAt` has no UTC offset - at `$.alerts[0]`"),
        ({"endsAt": "9999-12-31T23:59:59-01:00"}, "`endsAt` is no possible time - at `$.alerts[0]`"),
        ({"fingerprint": 5}, "got `int` - at `$.alerts[0].fingerprint`"),
    ],
)
def test_what_is_no_alert_is_quarantined_with_reason_and_place_but_not_its_values(changes, problem):
    found = problem_of(**changes)
    assert problem in found
    assert "secret-value" not in found


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({f"l{number}": "x" for number in range(MAX_LABELS + 1)}, "has 257 entries; at most 256 are taken"),
        ({"n" * (MAX_NAME + 1): "x"}, "has a name of more than 1024 characters"),
        ({"a": "x" * (MAX_VALUE + 1)}, "has a value of more than 16384 characters"),
    ],
)
def test_a_label_set_beyond_the_limits_is_quarantined(labels, problem):
    assert problem in problem_of(labels=labels)


def test_a_label_set_at_the_limits_is_taken():
    labels = {f"l{number}": "x" for number in range(MAX_LABELS - 1)} | {"n" * MAX_NAME: "ü" * MAX_VALUE}
    assert alert_of(labels=labels).labels == labels


def test_annotations_are_limited_in_number_and_by_the_size_of_the_alert_alone():
    assert alert_of(annotations={"a": "x" * 100_000}).annotations == {"a": "x" * 100_000}
    assert "`annotations` has 257 entries" in problem_of(annotations={f"a{number}": "" for number in range(257)})
    assert "is larger than 1048576 bytes" in problem_of(annotations={"a": "x" * MAX_ENTRY})


def test_too_many_alerts_are_refused():
    assert len(read(body(alerts=[1] * MAX_ALERTS)).quarantined) == MAX_ALERTS
    error = refusal(body(alerts=[1] * (MAX_ALERTS + 1)))
    assert error.reason is IngestReason.TOO_LARGE


def test_group_labels_beyond_the_limits_are_refused():
    error = refusal(body(groupLabels={f"l{number}": "x" for number in range(MAX_LABELS + 1)}))
    assert error.reason is IngestReason.MALFORMED
    assert "`$.groupLabels` has 257 entries" in str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"hello", "byte 0"),
        (b'{"version":"4",}', "byte 15"),
        (body()[:-1], "truncated"),
        (body() + b"x", "trailing characters"),
        (b"\xef\xbb\xbf" + body(), "byte order mark"),
        (body().decode().encode("utf-16"), "not UTF-8"),
        (body().replace(b"hot", b"h\xfft"), "not UTF-8 (byte"),
        (body().replace(b"hot", b"h\xed\xa0\x80t"), "not UTF-8 (byte"),
        (body().replace(b"hot", rb"\ud800-"), "JSON is malformed"),
        (body().replace(b"hot", rb"\udc00x"), "surrogate"),
        (body().replace(b"hot", b"a\nb"), "invalid character"),
        (body(novelty=float("nan")), "invalid character"),
        (body(novelty=float("inf")), "invalid character"),
        (body(novelty="#").replace(b'"#"', b"1e999"), "out of range"),
        (body(novelty="#").replace(b'"#"', b"9" * 5000), "out of range"),
        (with_alert(novelty="#").replace(b'"#"', b"1e999"), "out of range - at `$.alerts[0][...]`"),
        (
            body(GRAFANA, alerts=[{**FIRING, "values": "#"}]).replace(b'"#"', b'{"A": 1e999}'),
            "out of range - at `$.alerts[0]",
        ),
        (with_alert(labels="#").replace(b'"#"', b"1e999"), "out of range - at `$.alerts[0][...]`"),
        (body(truncatedAlerts="#").replace(b'"#"', b"9" * 5000), "out of range"),
        (body(truncatedAlerts=2**63), "`$.truncatedAlerts` is out of range"),
        (body(truncatedAlerts=-1), "`$.truncatedAlerts` is out of range"),
        (body(GRAFANA, orgId=2**63), "`$.orgId` is out of range"),
        (body(GRAFANA, orgId="secret-value"), "got `str` - at `$.orgId`"),
        (body(version=4), "got `int` - at `$.version`"),
        (body(alerts={"a": "secret-value"}), "got `object` - at `$.alerts`"),
        (body(alerts=None), "got `null` - at `$.alerts`"),
        (body(groupLabels=["secret-value"]), "got `array` - at `$.groupLabels`"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"version":"4","alerts":[' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_reason_and_place(content, message):
    error = refusal(content)
    assert error.reason is IngestReason.MALFORMED
    assert message in str(error)
    assert str(error).startswith(("the body is not readable: ", "`$."))
    assert "secret-value" not in str(error)


LEGACY = {
    "dashboardId": 1,
    "evalMatches": [{"value": 100, "metric": "secret-value", "tags": None}],
    "message": "m",
    "orgId": 1,
    "ruleId": 7,
    "ruleName": "Disk full",
    "state": "alerting",
    "tags": {},
    "title": "[Alerting] Disk full",
}


@pytest.mark.parametrize(
    ("content", "wanted", "message"),
    [
        (b"[]", "auto", "/api/v2/alerts"),
        (b'[{"labels":{"alertname":"secret-value"}}]', "alertmanager", "/api/v2/alerts"),
        (b'"secret-value"', "auto", "no JSON object"),
        (b"null", "auto", "no JSON object"),
        (b"{}", "auto", 'no "alerts"'),
        (body({"text": "secret-value"}), "auto", 'custom payload .*"payload:"'),
        (body(LEGACY), "auto", "legacy"),
        (body({name: value for name, value in LEGACY.items() if name != "evalMatches"}), "grafana", "legacy"),
        (body({"routing_key": "secret-value", "event_action": "trigger"}), "auto", "PagerDuty event"),
        (body({name: value for name, value in ENVELOPE.items() if name != "version"}), "auto", 'no "version"'),
        (body(version="secret-value"), "auto", 'neither "4".* nor "1"'),
        (body(version="3"), "alertmanager", 'neither "4".* nor "1"'),
        (body(), "grafana", "takes Grafana's.* is Alertmanager's .*type alertmanager"),
        (body(GRAFANA), "alertmanager", "takes Alertmanager's.* is Grafana's .*type grafana"),
    ],
)
def test_somebody_elses_json_is_refused_with_word_of_what_belongs_here(content, wanted, message):
    with pytest.raises(IngestError, match=message) as caught:
        read(content, wanted)
    assert caught.value.reason is IngestReason.WRONG_FORMAT
    assert "secret-value" not in str(caught.value)


def test_a_source_of_one_type_takes_its_own_format():
    assert read(body(), "alertmanager").format == "alertmanager"
    assert read(body(GRAFANA), "grafana").format == "grafana"


def test_of_duplicate_keys_the_last_wins():
    content = body().replace(b'"status": "firing", "labels"', b'"status": "firing", "status": "resolved", "labels"')
    assert read(content).alerts[0].status is Status.RESOLVED


def test_time_in_alerts_never_overflows():
    for text in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999-00:00", "0001-01-01T00:00:00+14:00"):
        assert len(read(with_alert(status="resolved", startsAt=text, endsAt=text)).alerts) == 1
