"""What SQLite makes of a statement: what a batch costs must not grow with what waits beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.storage.statements import migrations, statements


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        for _number, script in migrations("sqlite"):
            made.executescript(script)
        yield made


@pytest.mark.parametrize("name", ["deliveries_claim", "deliveries_sent", "members_of_deliveries", "told_of_deliveries"])
def test_a_batch_is_found_by_its_ids(database: sqlite3.Connection, name: str) -> None:
    statement = statements("sqlite")[name]
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", ["[]"] * statement.count("?"))]
    assert any("USING INTEGER PRIMARY KEY" in step for step in plan)
    assert [step for step in plan if "deliveries USING INDEX" in step or step.startswith("SCAN deliveries")] == []
