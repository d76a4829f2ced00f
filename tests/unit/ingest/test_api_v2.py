"""What `POST /api/v2/alerts` says, alert by alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.alert import Alert, Status, fingerprint
from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.api_v2 import Posted, parse_alerts
from bridge.ingest.swagger import SwaggerError
from tests.payloads.recorded import PROMETHEUS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMEOUT = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


def posted(*alerts: object, body: bytes | None = None) -> Posted:
    return parse_alerts(json.dumps(alerts).encode() if body is None else body, NOW, TIMEOUT)


def one(**fields: object) -> Alert:
    found = posted({"labels": {"alertname": "A"}, **fields})
    assert (found.problems, found.unreadable) == ((), "")
    (alert,) = found.webhook.alerts
    return alert


def refusal(*alerts: object, body: bytes | None = None) -> tuple[int, int, str]:
    with pytest.raises(SwaggerError) as raised:
        posted(*alerts, body=body)
    return raised.value.status, raised.value.code, str(raised.value)


def text(at: datetime) -> str:
    return at.isoformat()


def test_an_alert_without_times_fires_from_now_until_the_timeout() -> None:
    alert = one()
    assert (alert.source, alert.org, alert.status) == ("api", "", Status.FIRING)
    assert (alert.starts_at, alert.ends_at, alert.expires_at, alert.timeout) == (NOW, None, NOW + TIMEOUT, True)
    assert (alert.starts_text, alert.ends_text) == ("", "")
    assert alert.fingerprint == fingerprint({"alertname": "A"})


def test_a_named_end_in_the_future_is_when_a_firing_alert_ends() -> None:
    alert = one(startsAt=text(NOW - MINUTE), endsAt="2026-03-01T12:01:00.123456789Z")
    assert alert.status is Status.FIRING
    assert (alert.starts_at, alert.ends_at) == (NOW - MINUTE, None)
    assert alert.expires_at == NOW + MINUTE + timedelta(microseconds=123456)
    assert not alert.timeout
    assert alert.ends_text == "2026-03-01T12:01:00.123456789Z"


@pytest.mark.parametrize("end", [NOW, NOW - MINUTE])
def test_an_end_that_is_not_in_the_future_is_a_resolve(end: datetime) -> None:
    alert = one(startsAt=text(NOW - 2 * MINUTE), endsAt=text(end))
    assert alert.status is Status.RESOLVED
    assert (alert.ends_at, alert.expires_at, alert.timeout) == (end, None, False)


def test_of_an_alert_with_an_end_alone_the_start_is_its_end() -> None:
    alert = one(endsAt=text(NOW - MINUTE))
    assert (alert.starts_at, alert.ends_at) == (NOW - MINUTE, NOW - MINUTE)


def test_the_empty_text_is_a_time_long_ago_and_null_is_none() -> None:
    assert one(endsAt="").status is Status.RESOLVED
    assert one(endsAt=None).timeout


def test_labels_without_a_value_are_left_out_also_null() -> None:
    (alert,) = posted({"labels": {"a": "1", "b": "", "c": None}}).webhook.alerts
    assert alert.labels == {"a": "1"}
    assert alert.fingerprint == fingerprint({"a": "1"})


def test_unknown_keys_are_ignored_as_grafana_sends_them() -> None:
    alert = one(UpdatedAt="2026-03-01T12:00:00Z", Timeout=False, endsAt="0001-01-01T00:00:00Z")
    assert (alert.timeout, alert.extra) == (True, "{}")


def test_nul_is_cut_out_everywhere() -> None:
    (alert,) = posted({"labels": {"a\0": "b\0"}, "annotations": {"x": "\0y"}, "generatorURL": "/g"}).webhook.alerts
    assert (alert.labels, alert.annotations) == ({"a": "b"}, {"x": "y"})


def test_valid_alerts_are_kept_beside_invalid_ones_and_the_problems_are_in_their_order() -> None:
    found = posted(
        {"labels": {}},
        {"labels": {"alertname": "A"}},
        {"labels": {"alertname": "B"}, "startsAt": text(NOW), "endsAt": text(NOW - MINUTE)},
        {"labels": {"x": ""}},
    )
    assert [alert.labels["alertname"] for alert in found.webhook.alerts] == ["A"]
    assert found.problems == (
        "at least one label pair required",
        "start time must be before end time",
        "at least one label pair required",
    )
    assert [entry.index for entry in found.webhook.quarantined] == [0, 2, 3]
    assert found.unreadable == ""


@pytest.mark.parametrize(
    "wrong", [{"labels": {"a": 5}}, {"labels": {"a": "b"}, "startsAt": "soon"}, {"labels": []}, 7, "text"]
)
def test_an_alert_of_a_wrong_type_does_not_take_the_others_with_it(wrong: object) -> None:
    found = posted(wrong, {"labels": {"alertname": "A"}})
    assert [alert.labels["alertname"] for alert in found.webhook.alerts] == ["A"]
    assert [entry.index for entry in found.webhook.quarantined] == [0]
    assert found.unreadable.startswith("of 0: ")
    assert "soon" not in found.unreadable


def test_missing_labels_refuse_the_whole_request() -> None:
    assert refusal({"labels": {"a": "b"}}, {}) == (422, 602, "1.labels in body is required")
    assert refusal({"labels": None}) == (422, 602, "0.labels in body is required")


def test_a_link_that_is_none_refuses_the_whole_request_and_is_not_echoed() -> None:
    for link in ("not a url", "foo", "http://x/%zz", "http://x/\n"):
        told = refusal({"labels": {"a": "b"}, "generatorURL": link})
        assert told == (422, 601, "0.generatorURL in body must be of type uri")
    for link in ("", "/graph?a b", "http://prometheus:9090/graph?g0.expr=up%zz", "*"):
        assert posted({"labels": {"a": "b"}, "generatorURL": link}).webhook.alerts[0].generator_url == link


def test_an_empty_list_and_null_say_nothing() -> None:
    assert posted(body=b"[]") == posted(body=b"null")
    assert posted(body=b"[]").webhook.alerts == ()


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_no_body_is_a_missing_one(body: bytes) -> None:
    assert refusal(body=body) == (422, 602, "alerts in body is required")


@pytest.mark.parametrize("body", [b"{}", b"nonsense", b"[", b'"x"', b"[{}", b'[{"labels":{"a":"\xff"}}]'])
def test_what_is_no_list_is_unreadable(body: bytes) -> None:
    status, code, message = refusal(body=body)
    assert (status, code) == (400, 400)
    assert message.startswith('parsing alerts body from "" failed, because ')


def test_a_body_that_is_nested_without_end_is_an_error_and_no_crash() -> None:
    assert refusal(body=b"[" * 100_000)[:2] == (400, 400)
    inner = b'[{"labels":{"a":"b"},"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}]"
    assert refusal(body=inner) == (400, 400, 'parsing alerts body from "" failed, because it is nested too deeply')


def test_too_many_alerts_and_too_large_ones_are_not_taken() -> None:
    with pytest.raises(IngestError) as raised:
        posted(body=b"[" + b",".join([b'{"labels":{"a":"b"}}'] * 20_001) + b"]")
    assert raised.value.reason is IngestReason.TOO_LARGE
    found = posted({"labels": {"a": "b"}, "annotations": {"x": "y" * 1_048_576}})
    assert (found.webhook.alerts, len(found.problems)) == ((), 1)


@pytest.mark.parametrize("name", [name for name, found in PROMETHEUS.items() if found.path.endswith("/api/v2/alerts")])
def test_what_prometheus_sends_is_taken_as_it_is(name: str) -> None:
    recorded = PROMETHEUS[name]
    assert isinstance(recorded.parsed, list)
    found = posted(body=recorded.body)
    assert (found.problems, found.unreadable, found.webhook.quarantined) == ((), "", ())
    for alert, sent in zip(found.webhook.alerts, recorded.parsed, strict=True):
        assert alert.labels == {name: value for name, value in dict(sent["labels"]).items() if value}  # type: ignore[call-overload]
        assert alert.annotations == sent.get("annotations", {})
        assert alert.starts_text == sent["startsAt"]
        assert alert.status is Status.FIRING  # the recordings are of a later day
        assert alert.expires_at == datetime.fromisoformat(str(sent["endsAt"]))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("0001-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
keys = st.sampled_from(["labels", "annotations", "startsAt", "endsAt", "generatorURL", "x"])
entries = st.dictionaries(keys, values, max_size=4) | st.fixed_dictionaries(
    {"labels": st.dictionaries(st.text(), st.text(), max_size=4)}
)


@given(st.lists(entries | values, max_size=4) | values)
def test_whatever_json_arrives_it_is_alerts_or_a_refusal(document: object) -> None:
    body = json.dumps(document).encode()
    try:
        found = parse_alerts(body, NOW, TIMEOUT)
    except SwaggerError as error:
        assert error.status in {400, 422}  # noqa: PT017 - either outcome is right; what matters is that there is no third
        return
    sent = document or []
    assert isinstance(sent, list)
    assert len(found.webhook.alerts) + len(found.webhook.quarantined) == len(sent)
    assert bool(found.webhook.quarantined) is bool(found.problems or found.unreadable)


@given(st.binary(max_size=60))
def test_whatever_bytes_arrive_nothing_crashes(body: bytes) -> None:
    try:
        parse_alerts(body, NOW, TIMEOUT)
    except SwaggerError as error:
        assert error.status in {400, 422}  # noqa: PT017 - as above
