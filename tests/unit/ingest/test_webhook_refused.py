"""What is refused whole, and what is quarantined alone."""

from __future__ import annotations

import json
from copy import deepcopy
from hashlib import sha256

import pytest

from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.entry import MAX_ENTRY
from bridge.ingest.labels import MAX_LABELS, MAX_NAME, MAX_VALUE
from bridge.ingest.webhook import MAX_ALERTS
from tests.unit.ingest.bodies import ENVELOPE, FIRING, GRAFANA, alert_of, body, problem_of, read, refusal, with_alert

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


def test_one_bad_alert_leaves_the_others():
    good, bad = deepcopy(FIRING), {**FIRING, "labels": {"a": 1}}
    webhook = read(body(alerts=[good, bad, good, "text", None, {}]))
    assert len(webhook.alerts) == 2
    assert [entry.index for entry in webhook.quarantined] == [1, 3, 4, 5]
    assert webhook.quarantined[0].digest == sha256(json.dumps(bad).encode()).hexdigest()


def test_a_list_of_nothing_but_bad_alerts_is_still_an_answer():
    webhook = read(body(alerts=[1, 2]))
    assert (webhook.alerts, len(webhook.quarantined)) == ((), 2)


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
