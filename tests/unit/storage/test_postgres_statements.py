"""What is read off statements for PostgreSQL, and what the server makes of those that take a batch."""

from __future__ import annotations

import pytest

from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_statements import known_statements
from tests.postgres import Cluster


def test_a_statement_changes_what_it_writes_and_not_what_it_looks_at() -> None:
    known = known_statements()
    enrich = known["incident_alert_enrich"]
    assert enrich.changes == {"incident_alerts"}
    assert enrich.tables == {"incident_alerts", "alerts"}
    assert known["timer_delete"].changes == {"timers"}
    assert known["delivery_lease"].changes == {"deliveries"}
    assert known["partitions_take"].changes == {"partitions"}
    assert not known["turn_take"].writes


@pytest.mark.parametrize(("name", "values"), [("deliveries_sent", "0, '[]'"), ("deliveries_claim", "'[]'")])
async def test_a_batch_is_found_by_its_ids_whenever_it_was_planned(
    postgres: Cluster, postgres_url: str, name: str, values: str
) -> None:
    database = await PostgresDatabase.open(postgres_url)
    await database.close()
    plan = postgres.query(
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
        "SET plan_cache_mode = force_generic_plan; "
        f"PREPARE batch AS {known_statements()[name].text}; EXPLAIN (COSTS OFF) EXECUTE batch({values})",
        postgres_url.rpartition("/")[2],
    )
    text = "\n".join(row[0] for row in plan)
    assert "deliveries_pkey" in text
    assert "Nested Loop" not in text
