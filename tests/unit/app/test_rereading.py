"""A request that waited is read as it was read when it came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.app.rereading import read_again
from bridge.domain.alert import API
from bridge.storage.journal import Request
from tests.unit.config.written import SMALLEST, load_text, valid

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSTED = b'[{"labels":{"alertname":"A"}},{"labels":{}}]'


def request(source: str, body: bytes) -> Request:
    return Request(1, source, NOON, "", body, 0)


def test_what_came_over_api_v2_ends_as_long_after_it_came_as_the_configuration_says(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, SMALLEST + "resolve_timeout: 7m"))
    found = read_again(config, request(API, POSTED))
    assert [alert.expires_at for alert in found.alerts] == [NOON + timedelta(minutes=7)]
    assert (found.source, [entry.index for entry in found.quarantined]) == (API, [1])


def test_what_came_from_a_source_that_is_gone_is_read_by_what_it_says(tmp_path: Path) -> None:
    body = (
        b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-03-01T11:00:00Z"}]}'
    )
    found = read_again(valid(load_text(tmp_path, SMALLEST)), request("gone", body))
    assert (found.source, found.format, len(found.alerts)) == ("gone", "alertmanager", 1)
