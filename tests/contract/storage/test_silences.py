"""Silences, and what fires, as those read it who ask."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from bridge.domain.alert import Status
from bridge.domain.moment import micros
from bridge.storage import alert_views, silences
from bridge.storage.database import Database
from bridge.storage.silences import StoredSilence
from tests.contract.storage.making import MINUTE, alert, do, incident, known, look, opened
from tests.contract.storage.units import NOW

ODD = 'quoted "text", \\ and 🔕'


def silence(name: str, start: int = 0, end: int = 60, **fields: str) -> StoredSilence:
    """Its times are in minutes from now."""
    found = StoredSilence(
        name, (("alertname", "=~", "A|B"), ("team", "!=", ODD)), NOW + start * MINUTE, NOW + end * MINUTE, NOW,
        "alice", ODD, {"ticket": "7"},
    )  # fmt: skip
    return replace(found, **fields)


async def test_a_silence_is_read_as_it_was_put(database: Database) -> None:
    first = silence("a")
    await do(database, silences.put, first)
    assert await look(database, silences.get, "a") == first
    assert await look(database, silences.get, "b") is None
    assert await look(database, silences.every) == [first]


async def test_putting_it_again_replaces_everything_but_its_id(database: Database) -> None:
    await do(database, silences.put, silence("a"))
    other = replace(
        silence("a", 1, 2), matchers=(("x", "=", ""),), updated_at=NOW + MINUTE, created_by="bob", comment="",
        annotations={},
    )  # fmt: skip
    await do(database, silences.put, other)
    assert await look(database, silences.every) == [other]
    assert await look(database, silences.count) == 1


async def test_those_that_ended_are_told_from_those_that_did_not(database: Database) -> None:
    for found in (silence("over", -9, -1), silence("ends", -9, 0), silence("on", -9, 1), silence("later", 5, 9)):
        await do(database, silences.put, found)
    assert [found.id for found in await look(database, silences.unended, NOW)] == ["later", "on"]
    assert [found.id for found in await look(database, silences.every)] == ["ends", "later", "on", "over"]


async def test_those_that_ended_long_ago_go_a_page_at_a_time(database: Database) -> None:
    for number in range(3):
        await do(database, silences.put, silence(f"old{number}", -90, -60 - number))
    await do(database, silences.put, silence("young", -90, -59))
    assert await do(database, silences.drop_ended, NOW - 59 * MINUTE, 2) == 2
    assert [found.id for found in await look(database, silences.every)] == ["old0", "young"]
    assert await do(database, silences.drop_ended, NOW - 59 * MINUTE, 2) == 1
    assert await do(database, silences.drop_ended, NOW - 59 * MINUTE, 2) == 0


async def test_the_version_grows_with_each_change(database: Database) -> None:
    assert await look(database, silences.version) == 0
    assert await do(database, silences.changed) == 1
    assert await do(database, silences.changed) == 2
    assert await look(database, silences.version) == 2


async def test_what_fires_is_listed_by_id_with_what_hooks_added(database: Database) -> None:
    until = NOW + timedelta(hours=1)
    first = await do(database, known, alert("a", expires_at=until, generator_url="http://p/"), added={"region": "eu"})
    await do(database, known, alert("b", status=Status.RESOLVED, ends_at=NOW))
    third = await do(database, known, alert("c"))
    heads = await look(database, alert_views.heads, 0, 10)
    assert [(head.id, head.fingerprint, head.last_seen) for head in heads] == [
        (first.id, "a", micros(NOW)),
        (third.id, "c", micros(NOW)),
    ]
    assert [head.id for head in await look(database, alert_views.heads, first.id, 10)] == [third.id]
    ids = [first.id, first.id + 1, third.id]
    found = await look(database, alert_views.firing, ids)
    assert sorted(found) == [first.id, third.id]
    assert found[first.id].labels == {"alertname": "a", "region": "eu"}
    assert (found[first.id].expires_at, found[first.id].generator_url) == (micros(until), "http://p/")
    assert (found[third.id].expires_at, found[third.id].starts_at) == (None, micros(NOW))
    some = await look(database, alert_views.firing, ids, lambda labels: labels.get("region") == "eu")
    assert sorted(some) == [first.id]
    assert await look(database, alert_views.fingerprints, [first.id, 99]) == {first.id: "a"}


async def test_incidents_that_go_on_are_listed_with_what_fires_in_them(database: Database) -> None:
    members = await do(database, opened, "i1", alert("a"), alert("b"), alert("c", status=Status.RESOLVED, ends_at=NOW))
    await do(database, opened, "i2", alert("d"))
    await do(database, _ended)
    groups = await look(database, alert_views.groups, "", 10)
    assert [(group.id, group.route, group.receiver, dict(group.labels)) for group in groups] == [
        ("i1", "route", "team", {"alertname": "a"}),
        ("i2", "route", "team", {"alertname": "a"}),
    ]
    assert [group.id for group in await look(database, alert_views.groups, "i1", 10)] == ["i2"]
    firing = [members[0].id, members[1].id]
    assert await look(database, alert_views.members, "i1", 0, 10) == firing
    assert await look(database, alert_views.members, "i1", firing[0], 10) == firing[1:]
    assert await look(database, alert_views.members, "i1", 0, 1) == firing[:1]


async def _ended(tx: object) -> None:
    from bridge.storage import incidents

    await incidents.add(tx, incident("i3", state="resolved"))  # type: ignore[arg-type]
