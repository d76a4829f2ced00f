"""Whatever arrives, the answer is a webhook or a refusal."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.webhook import parse
from tests.payloads.recorded import ALERTMANAGER, GRAFANA, PROMETHEUS

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODIES = [
    request.body
    for request in [*ALERTMANAGER.values(), *GRAFANA.values(), *PROMETHEUS.values()]
    if 0 < len(request.body) < 10_000
]
REASONS = {IngestReason.MALFORMED, IngestReason.WRONG_FORMAT, IngestReason.TOO_LARGE}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("0001-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from(
    ["status", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL", "values", "orgId"]
)
alerts = st.fixed_dictionaries(
    {"status": st.sampled_from(["firing", "resolved"]), "labels": st.dictionaries(st.text(), st.text(), max_size=4)}
).flatmap(lambda alert: st.dictionaries(fields, values, max_size=3).map(lambda more: {**alert, **more}))
envelopes = st.fixed_dictionaries(
    {"version": st.sampled_from(["4", "1"]), "alerts": st.lists(alerts | values, max_size=4)}
).flatmap(
    lambda envelope: st.dictionaries(
        st.sampled_from(["receiver", "groupLabels", "groupKey", "externalURL", "truncatedAlerts", "orgId", "x"]),
        values,
        max_size=3,
    ).map(lambda more: {**envelope, **more})
)


def answer(body: bytes) -> None:
    for wanted in ("auto", "alertmanager", "grafana"):
        try:
            webhook = parse(wanted, body, "main", NOW)
        except IngestError as error:
            assert error.reason in REASONS  # noqa: PT017 - either outcome is right; what matters is that there is no third
            continue
        sent = msgspec.json.decode(body)["alerts"]
        assert len(webhook.alerts) + len(webhook.quarantined) == len(sent)
        for alert in webhook.alerts:
            assert alert.fingerprint
            assert alert.labels
            assert alert.starts_at.tzinfo is UTC
            assert isinstance(json.loads(alert.extra), dict)
            assert not any("\0" in text for pair in alert.labels.items() for text in pair)


@given(st.binary())
def test_any_bytes(body):
    answer(body)


@given(values.map(lambda value: json.dumps(value).encode()))
def test_any_json(body):
    answer(body)


@settings(max_examples=300)
@given(envelopes.map(lambda value: json.dumps(value).encode()))
def test_any_content_in_the_right_shape(body):
    answer(body)


@settings(max_examples=300)
@given(st.sampled_from(BODIES), st.integers(0, 10_000), st.integers(0, 30), st.binary(max_size=6))
def test_any_damage_to_a_real_body(body, place, length, replacement):
    place %= len(body)
    answer(body[:place] + replacement + body[place + length :])


@pytest.mark.parametrize("cut", range(0, 1153, 7))
def test_any_beginning_of_a_real_body_is_refused(cut):
    with pytest.raises(IngestError):
        parse("auto", ALERTMANAGER["firing-watchdog"].body[:cut], "main", NOW)
