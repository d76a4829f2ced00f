from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.audit.export import export
from bridge.domain.audit import Kind
from bridge.domain.moment import micros
from bridge.secrets.instance import InstanceKeys
from bridge.storage.audit_log import Filter
from tests.unit.audit.history import START, History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "bridge.db", InstanceKeys.generate())
    made.start()
    made.deliver(Kind.RETRY, Kind.SENT)
    made.deliver(Kind.DEAD)
    made.stop()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [1, 2, 3, 4, 5]),
        (Filter(limit=2), [4, 5]),
        (Filter(kinds=("sent", "dead")), [3, 4]),
        (Filter(delivery="1"), [2, 3]),
        (Filter(incident="i1", limit=1), [5]),
        (Filter(incident="another"), []),
        (Filter(since=micros(START) + 2_000_000), [3, 4, 5]),
        (Filter(kinds=("' OR 1=1 --",)), []),
    ],
)
def test_filters_let_through_what_they_name_oldest_first(history: History, wanted: Filter, expected: list[int]) -> None:
    assert [record.seq for record in export(history.path, wanted)] == expected


def test_a_line_has_every_column(history: History) -> None:
    [record] = export(history.path, Filter(kinds=("sent",)))
    assert (record.at, record.attempt, record.delivery) == ("2026-03-01T08:00:02.000000Z", 2, "1")
    assert (record.chain, record.channel, record.reason, record.digest) == ("chain-1", "chat", "reason", "d" * 64)
    assert bytes.fromhex(record.hash) == history.execute("SELECT hash FROM audit WHERE seq = 3")[0][0]


def test_a_time_beyond_the_calendar_is_shown_as_its_number(history: History) -> None:
    history.execute("UPDATE audit SET at = ? WHERE seq = 2", 1 << 62)
    assert [record.at for record in export(history.path, Filter())][1] == str(1 << 62)
