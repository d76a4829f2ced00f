"""The section `heartbeats:`: signs of life that are expected."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config.timing import heartbeats_of
from bridge.routing.heartbeats import Expected
from bridge.routing.matchers import Matcher
from tests.unit.config.written import SMALLEST, load_text, said, valid

WHOLE = """
sources: {prom: {}}
severity: {label: level, order: [page, ticket]}
heartbeats:
  backup: {every: 1d, grace: 1h, first: awaited, severity: ticket, labels: {team: infra}, annotations: {a: b}}
  plain: {every: 5m}
  watchdog: {every: 5m, matchers: ['alertname="Watchdog"'], source: prom}
"""


def test_heartbeats_are_read_whole(tmp_path: Path) -> None:
    found = heartbeats_of(valid(load_text(tmp_path, SMALLEST + WHOLE)))

    labels = {"alertname": "HeartbeatMissing", "level": "ticket", "team": "infra", "heartbeat": "backup"}
    day, hour = timedelta(days=1), timedelta(hours=1)
    assert found.by_name["backup"] == Expected("backup", day, hour, labels, {"a": "b"}, awaited=True)
    assert found.by_name["plain"].labels["level"] == "page"
    assert found.by_name["watchdog"].matchers == (Matcher("alertname", "=", "Watchdog"),)
    watchdog = {"alertname": "Watchdog"}
    assert [each.name for each in found.carried_by("prom", watchdog)] == ["watchdog"]
    assert not found.carried_by("api", watchdog)
    assert not found.carried_by("prom", {"alertname": "Down"})


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("a: {}", "heartbeats.a.every"),
        ("a: ", "heartbeats.a is a mapping such as `{every: 5m}`"),
        ("a/b: {every: 5m}", "'a/b': a heartbeat's name is part of its path: letters, digits, '.', '_', '-'"),
        ("a: {every: 1s}", "heartbeats.a.every: input should be greater"),
        ("a: {every: 5m, often: 1}", "heartbeats.a.often: unknown key"),
        ("a: {every: 5m, source: default}", "source belongs to matchers, which are not given"),
        ("a: {every: 5m, matchers: [a=~.*]}", "at least one matcher must not match the empty text"),
        ("a: {every: 5m, matchers: [a=b], source: absent}", "there is no source 'absent'"),
        ("a: {every: 5m, matchers: [a=b], token: 'env:T'}", "token belongs to a heartbeat without matchers"),
        ("a: {every: 5m, labels: {heartbeat: b}}", "the label 'heartbeat' is always the heartbeat's name"),
        ("a: {every: 5m, token: in-plain-text}", "heartbeats.a.token is a secret in plain text"),
    ],
)
def test_what_cannot_be_a_heartbeat_is_refused(tmp_path: Path, entry: str, problem: str) -> None:
    loaded = load_text(tmp_path, f"{SMALLEST}heartbeats:\n  {entry}\n")
    assert any(problem in line for line in said(loaded)), said(loaded)
    assert loaded.config is None


def test_no_source_can_have_the_name_of_heartbeats(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "sources: {heartbeat: {}}\n" + SMALLEST)
    assert said(loaded) == [
        "main.yml:1:11: 'heartbeat' is reserved for heartbeats that stay away; give the source another name"
    ]
