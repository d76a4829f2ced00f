"""Logs that cannot be forged or leak; metrics by the names that were promised."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from bridge.observe.logs import INCIDENT_ID, REQUEST_ID, configure, escape, get_logger
from bridge.observe.metrics import ALERTMANAGER_VERSION, Metrics

SECRET = "xoxb-hunter2"


def redact(text: str) -> str:
    return text.replace(SECRET, "<secret>")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure(format="json", level="debug", redact=redact, stream=stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def events(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_line_with_time_level_and_ids(out: io.StringIO) -> None:
    tokens = REQUEST_ID.set("r-1"), INCIDENT_ID.set("i-1")
    get_logger("x").info("sent", channel="team-slack", attempt=2)
    REQUEST_ID.reset(tokens[0])
    INCIDENT_ID.reset(tokens[1])
    get_logger("x").info("later")
    first, second = events(out)
    assert str(first.pop("at")).endswith("Z")
    assert first == {
        "event": "sent",
        "level": "info",
        "channel": "team-slack",
        "attempt": 2,
        "request_id": "r-1",
        "incident_id": "i-1",
    }
    assert "request_id" not in second


@pytest.mark.parametrize(
    "hostile", ["a\nlevel=critical", "\x1b[2J", "a\rb", "\x9b31m", "\u202egpj", "\u2028x", "\x00", "\ud800"]
)
@pytest.mark.parametrize("kind", ["json", "console"])
def test_label_text_cannot_move_the_cursor_or_forge_a_line(out: io.StringIO, hostile: str, kind: str) -> None:
    configure(format=kind, redact=redact, stream=out)  # type: ignore[arg-type]  # both are kinds
    get_logger("x").warning("odd", label=hostile, nested={"key" + hostile: [hostile]})
    logging.getLogger("aiohttp.server").error("odd %s", hostile)
    text = out.getvalue()
    assert len(text.splitlines()) == 2
    assert not [character for character in text if not character.isprintable() and character != "\n"]


def test_known_credentials_are_struck_out_wherever_they_are(out: io.StringIO) -> None:
    get_logger("x").info(f"key {SECRET}", value=SECRET, nested={SECRET: [(SECRET,)]}, odd=ValueError(SECRET))
    logging.getLogger("other").warning("sent %s", SECRET)
    failure = RuntimeError(SECRET)
    failure.__cause__ = ValueError(f"inner {SECRET}")
    get_logger("x").error("failed", exc_info=failure)
    assert SECRET not in out.getvalue()
    assert out.getvalue().count("<secret>") >= 7


@pytest.mark.parametrize("kind", ["json", "console"])
def test_a_traceback_shows_no_locals(out: io.StringIO, kind: str) -> None:
    configure(format=kind, stream=out)  # type: ignore[arg-type]  # both are kinds

    def fail() -> None:
        password = "correct horse"  # noqa: F841
        raise RuntimeError("it broke")

    for log in (get_logger("x").exception, logging.getLogger("std").exception):
        try:
            fail()
        except RuntimeError:
            log("failed")
    assert out.getvalue().count("it broke") >= 2
    assert "correct horse" not in out.getvalue().replace('password = "correct horse"', "")


def test_long_values_are_cut(out: io.StringIO) -> None:
    get_logger("x").info("long", value="a" * 1_000_000, many=["b"] * 10_000, deep=[[[[[["c"]]]]]])
    assert len(out.getvalue()) < 6000
    assert "995904 more" in out.getvalue()


def test_events_below_the_level_are_left_out(out: io.StringIO) -> None:
    configure(level="warning", stream=out)
    get_logger("x").info("no")
    logging.getLogger("y").info("no")
    get_logger("x").warning("yes")
    assert [event["event"] for event in events(out)] == ["yes"]


def test_what_can_be_read_stays_as_it_is() -> None:
    assert escape("Überlast an „Étage 2“ – 😀 日本語") == "Überlast an „Étage 2“ – 😀 日本語"
    assert escape("a\tb\nc\x7f") == r"a\tb\nc\x7f"


def samples(metrics: Metrics) -> dict[str, float]:
    body, content_type = metrics.exposition()
    assert content_type.startswith("text/plain")
    return {
        f"{sample.name}{json.dumps(sample.labels, sort_keys=True)}": sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_every_promised_metric_is_there_from_the_beginning_or_after_its_first_event() -> None:
    metrics = Metrics("1.2.3")
    metrics.webhook("am", "accepted")
    metrics.alerts("am", "firing", 3)
    metrics.notification("payments", "opened")
    metrics.suppressed("dedupe", "duplicate")
    metrics.attempt("pager", "retry", "timeout", 0.2)
    metrics.set_deliveries({("pager", "pending"): 2})
    metrics.set_incidents({"open": 4})
    metrics.set_config({"a.yml": "x"})
    metrics.journal_pending.set(1)
    metrics.end_to_end(0.1)
    metrics.time_to_acknowledge("payments", 60)
    metrics.time_to_resolve("payments", 90)
    metrics.page("pager", ["anna", "ben"], "escalated")
    metrics.escalation_lag_seconds.observe(0.5)
    metrics.config_last_reload_successful.set(1)
    metrics.audit_records.inc(7)
    found = samples(metrics)
    for name, value in {
        'webhooks_received_total{"outcome": "accepted", "source": "am"}': 1,
        'alerts_total{"source": "am", "status": "firing"}': 3,
        "journal_pending{}": 1,
        'notifications_total{"reason": "opened", "route": "payments"}': 1,
        'suppressed_total{"hook": "dedupe", "reason": "duplicate"}': 1,
        'delivery_attempts_total{"channel": "pager", "outcome": "retry", "reason": "timeout"}': 1,
        'delivery_seconds_count{"channel": "pager"}': 1,
        'deliveries{"channel": "pager", "state": "pending"}': 2,
        "end_to_end_seconds_count{}": 1,
        'incidents{"state": "open"}': 4,
        'incidents{"state": "acknowledged"}': 0,
        'time_to_acknowledge_seconds_count{"route": "payments"}': 1,
        'time_to_resolve_seconds_sum{"route": "payments"}': 90,
        'pages_total{"channel": "pager", "person": "ben", "reason": "escalated"}': 1,
        "escalation_lag_seconds_count{}": 1,
        "config_last_reload_successful{}": 1,
        "audit_records_total{}": 7,
    }.items():
        assert found[f"alertbridge_{name}"] == value, name
    assert found["alertbridge_config_hash{}"] > 0
    (ours,) = [name for name in found if name.startswith("alertbridge_build_info")]
    assert '"version": "1.2.3"' in ours
    (theirs,) = [name for name in found if name.startswith("alertmanager_build_info")]
    assert f'"version": "{ALERTMANAGER_VERSION}"' in theirs
    assert not [name for name in found if "_created" in name]


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_the_hot_histograms_show_what_those_of_the_library_would(accept: str) -> None:
    metrics, registry = Metrics("1"), CollectorRegistry()
    bounds = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
    attempts = Histogram(
        "alertbridge_delivery_seconds", "Length of an attempt.", ("channel",), buckets=bounds, registry=registry
    )
    ages = Histogram("alertbridge_end_to_end_seconds", "From accepted to sent.", buckets=bounds, registry=registry)
    for seconds in (-0.5, 0.0, 0.005, 0.0051, 0.3, 1.0, 1.5, 300.0, 301.0):
        metrics.attempt("pager", "sent", "", seconds)
        attempts.labels("pager").observe(seconds)
    assert _hot(metrics.registry, accept) == _hot(registry, accept)
    for seconds in (0.02, 1000.0):
        metrics.end_to_end(seconds)
        ages.observe(seconds)
    assert _hot(metrics.registry, accept) == _hot(registry, accept)
    assert len(_hot(registry, accept)) > 2 * len(bounds)


def _hot(registry: CollectorRegistry, accept: str) -> list[str]:
    encoder, _content_type = choose_encoder(accept)
    names = ("alertbridge_delivery_seconds", "alertbridge_end_to_end_seconds")
    return [line for line in encoder(registry).decode().splitlines() if any(name in line for name in names)]


def test_gauges_forget_what_has_gone() -> None:
    metrics = Metrics("1")
    metrics.set_deliveries({("pager", "pending"): 2, ("mail", "dead"): 1})
    metrics.set_deliveries({("pager", "pending"): 1})
    deliveries = {name: value for name, value in samples(metrics).items() if name.startswith("alertbridge_deliveries{")}
    assert list(deliveries.values()) == [1]


def test_the_hash_follows_names_and_texts_alone() -> None:
    def hash_of(texts: dict[str, str]) -> float:
        metrics = Metrics("1")
        metrics.set_config(texts)
        return samples(metrics)["alertbridge_config_hash{}"]

    assert hash_of({"a": "1", "b": "2"}) == hash_of({"b": "2", "a": "1"})
    assert len({hash_of({"a": "1", "b": "2"}), hash_of({"a": "12", "b": ""}), hash_of({"a1": "", "b": "2"})}) == 3


def test_label_values_are_escaped_and_openmetrics_is_spoken_when_asked_for() -> None:
    metrics = Metrics("1")
    metrics.webhook('a"b\\c\nd', "accepted")
    assert 'webhooks_received_total{"outcome": "accepted", "source": "a\\"b\\\\c\\nd"}' in str(
        list(samples(metrics))
    ).replace("\\\\", "\\")
    body, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
