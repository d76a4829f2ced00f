"""Small values: durations, fingerprints, severities, moments, secrets, escalations."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bridge.domain.alert import fingerprint
from bridge.domain.delivery import merged_reason
from bridge.domain.duration import format_duration, parse_duration
from bridge.domain.escalation import Repeat, Step, again, schedule
from bridge.domain.message import Reason, common
from bridge.domain.moment import micros, moment, new_id
from bridge.domain.secret import Secret
from bridge.domain.severity import Severities
from tests.bridge_bench import START


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("1w", 604_800),
        ("500ms", 0.5),
        ("0", 0),
        ("1d12h", 129_600),
    ],
)
def test_durations_read_as_prometheus_writes_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "1.5h", "-5m", "5 m", "m5", "1m1h", "5min"])
def test_what_is_no_duration_says_how_one_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(0, 10**10))
def test_a_duration_survives_writing_and_reading(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)

    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "cbf29ce484222325"),
        ({"a": "b"}, "d2b371819297f98a"),
        ({"alertname": "alert1", "lbl1": "val1"}, "fac0861a85de433a"),
        ({"fear": "love is not enough", "name": "garland, briggs"}, "507a62d79ee76c9a"),
        ({"alertname": "TestAlert", "instance": "Grafana"}, "57c6d9296de2ad39"),
        ({"alertname": "Überlast", "Étage": "2"}, "97da5219aea90ef1"),
    ],
)
def test_fingerprints_are_alertmanagers(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(labels) == expected


def test_severities_are_ordered_by_configuration() -> None:
    severities = Severities()

    assert severities.worst(["info", "critical", "warning"]) == "critical"
    assert severities.worst([]) == ""
    assert severities.rises("warning", "critical")
    assert not severities.rises("critical", "critical")
    assert severities.rises("", "page")  # unknown is still worse than none


def test_a_moment_survives_the_database_to_the_microsecond() -> None:
    for value in (START, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)):
        assert moment(micros(value)) == value


def test_ids_sort_by_time() -> None:
    ids = [new_id(START + timedelta(milliseconds=n)) for n in range(100)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 100


def test_a_secret_is_printed_nowhere() -> None:
    class Options(BaseModel):
        token: Secret

    secret = Secret("s3cr3t-value")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", repr(Options(token=secret)), repr([secret])]
    shown.append(Options(token=secret).model_dump_json())
    shown.append(json.dumps(Options.model_json_schema()))

    assert not any("s3cr3t" in text for text in shown)
    assert secret.reveal() == "s3cr3t-value"
    for copying in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(secret)


def test_common_pairs_are_those_equal_everywhere() -> None:
    assert common([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}]) == {"a": "1"}
    assert common([{"a": "1"}, {}]) == {}
    assert common([]) == {}


def test_an_opening_stays_an_opening_until_it_was_told() -> None:
    assert merged_reason(Reason.OPENED, Reason.CHANGED) is Reason.OPENED
    assert merged_reason(Reason.OPENED, Reason.RESOLVED) is Reason.RESOLVED
    assert merged_reason(Reason.ESCALATED, Reason.CHANGED) is Reason.ESCALATED
    assert merged_reason(Reason.CHANGED, Reason.ESCALATED) is Reason.ESCALATED


def test_steps_are_due_after_the_start_and_repeat_as_often_as_they_say() -> None:
    step = Step(timedelta(minutes=5), ("pager",), Repeat(timedelta(minutes=30), 2))
    ((due, first),) = schedule("night", (step,), START)
    second = again(first, due, due)
    third = again(second[1], second[0], second[0]) if second else None

    assert due == START + timedelta(minutes=5)
    assert second is not None
    assert second[0] == due + timedelta(minutes=30)
    assert third is not None
    assert again(third[1], third[0], third[0]) is None


def test_repetitions_missed_in_an_outage_do_not_come_in_a_burst() -> None:
    step = Step(timedelta(), ("pager",), Repeat(timedelta(minutes=1), 100))
    ((due, first),) = schedule("night", (step,), START)
    now = due + timedelta(hours=1)

    following = again(first, due, now)

    assert following is not None
    assert following[0] == now + timedelta(minutes=1)
