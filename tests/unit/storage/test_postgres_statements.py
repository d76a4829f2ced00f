"""What is read off statements for PostgreSQL, and what the server makes of those that take a batch."""

from __future__ import annotations

import pytest

from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_link import Link
from bridge.storage.postgres_statements import known_statements
from bridge.storage.transaction import Tx
from tests.postgres import Cluster
from tests.unit.storage.losing import opened


def test_a_statement_changes_what_it_writes_and_not_what_it_looks_at() -> None:
    known = known_statements()
    enrich = known["incident_alert_enrich"]
    assert enrich.changes == {"incident_alerts"}
    assert enrich.tables == {"incident_alerts", "alerts"}
    assert known["timer_delete"].changes == {"timers"}
    assert known["delivery_lease"].changes == {"deliveries"}
    assert known["partitions_take"].changes == {"partitions"}
    assert not known["turn_take"].writes


async def test_rows_of_several_tables_go_in_one_round_trip_and_all_arrive(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    run = Link.run

    async def spied(link: Link, statement: str, *values: object) -> int:
        asked.append(statement)
        return await run(link, statement, *values)

    monkeypatch.setattr(Link, "run", spied)
    async with opened(postgres_url) as database:

        async def unit(tx: Tx) -> None:
            for number in range(5):
                await tx.insert("timer_add", "flush", f"i{number}", 0, number, "{}")
                await tx.run("receipt_put", f"i{number}", "c", "{}", number)
                await tx.run("meta_set", f"m{number}", str(number))
            await tx.run("meta_set", "m0", "again")  # a key put twice cannot go with the others of its table

        await database.write(unit)
        (together,) = (text for text in asked if "INSERT INTO timers" in text)
        assert "INSERT INTO receipts" in together

        async def look(tx: Tx) -> list[object]:
            return [
                len(await tx.all("timers_due", 100, 100)),
                await tx.one("receipt_get", "i4", "c"),
                *[(await tx.one("meta_get", f"m{number}") or ("",))[0] for number in (0, 4)],
            ]

        found = await database.read(look)
        assert found[0] == 5
        assert found[1:] == [("{}",), "again", "4"]


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
