"""What is kept from people, and when alerts end by themselves."""

from __future__ import annotations

from msgspec.structs import replace

from bridge.domain.alert import Status
from bridge.domain.episode import Episode
from bridge.storage import alerts, incidents, muting, timers
from bridge.storage.alerts import KnownAlert
from bridge.storage.database import Database
from bridge.storage.muting import Hiding, Inhibitors
from tests.contract.storage.making import MINUTE, alert, do, incident, look
from tests.contract.storage.units import NOW

FIRING = Episode(1, Status.FIRING, NOW)
PAIR = ("rule", "equals")


async def put(database: Database, name: str, **fields: object) -> int:
    return await do(database, alerts.put, 0, replace(alert(name), **fields), FIRING, {}, {}, NOW)


async def test_a_source_is_found_by_rule_and_equal_labels_and_never_inhibits_itself(database: Database) -> None:
    async def found(*pairs: muting.Pair) -> dict[muting.Pair, Inhibitors]:
        return await look(database, muting.inhibitors, set(pairs))

    async def add(number: int, *, both: bool) -> None:
        await database.write(lambda tx: muting.add_inhibitor(tx, PAIR, number, "f", both=both))

    assert await found() == {}
    await add(3, both=True)
    await add(3, both=True)
    alone = (await found(PAIR, ("rule", "other"), ("other", "equals")))[PAIR]
    assert alone.other_than(3, plain=False) is None
    assert alone.other_than(4, plain=False) == 3
    assert alone.other_than(4, plain=True) is None
    await add(5, both=False)
    two = (await found(PAIR))[PAIR]
    assert [two.other_than(number, plain=True) for number in (3, 5)] == [5, None]
    assert two.other_than(5, plain=False) == 3


async def test_a_source_that_ended_is_dropped_and_is_said_to_have_been_one(database: Database) -> None:
    await database.write(lambda tx: muting.add_inhibitor(tx, PAIR, 3, "f", both=False))

    assert await do(database, muting.drop_inhibitor, 3)
    assert not await do(database, muting.drop_inhibitor, 3)
    assert await look(database, muting.inhibitors, {PAIR}) == {}


async def test_sources_that_do_not_fire_are_forgotten(database: Database) -> None:
    number = await put(database, "a")
    for source in (number, number + 1):
        await database.write(lambda tx, source=source: muting.add_inhibitor(tx, PAIR, source, "f", both=False))  # type: ignore[misc]

    await do(database, muting.forget_ended)

    assert (await look(database, muting.inhibitors, {PAIR}))[PAIR] == Inhibitors(number, number, number, number)


async def test_what_fires_is_read_in_pages_with_the_labels_of_hooks(database: Database) -> None:
    first = await do(database, alerts.put, 0, alert("a"), FIRING, {"region": "eu"}, {}, NOW)
    second = await put(database, "b")

    page = await look(database, muting.firing_page, 0, 1)
    assert [(number, labels["region"]) for number, _fingerprint, labels in page] == [(first, "eu")]
    assert [found[0] for found in await look(database, muting.firing_page, first, 9)] == [second]


async def test_what_hides_an_alert_is_kept_until_it_ends_or_joins_anew(database: Database) -> None:
    number = await put(database, "a")
    await do(database, incidents.add, incident("i"))
    await do(database, incidents.join, "i", KnownAlert(number, FIRING, {}, {}), alert("a"), "waits")

    async def member() -> tuple[str, str, str]:
        (one,) = await look(database, incidents.members, "i")
        return one.planned, one.hidden, one.hidden_by

    assert await member() == ("", "waits", "")
    await do(database, muting.hide, "i", [Hiding(number, "withdrawn", "silenced", "s")])
    assert await member() == ("withdrawn", "silenced", "s")
    assert await look(database, muting.hidden_by, "s") == ["i"]
    assert await look(database, muting.with_hidden, "", 9) == ["i"]
    assert await look(database, muting.with_hidden, "i", 9) == []
    await do(database, incidents.end, "i", number, NOW, "")
    assert await member() == ("withdrawn", "", "")
    assert await look(database, muting.hidden_by, "s") == []
    await do(database, muting.hide, "i", [Hiding(number, "firing", "muted", "m")])
    await do(database, incidents.join, "i", KnownAlert(number, FIRING, {}, {}), alert("a"))
    assert await member() == ("firing", "", "")


async def test_what_is_withdrawn_counts_as_untold_and_its_end_is_told_still(database: Database) -> None:
    number = await put(database, "a")
    await do(database, incidents.add, incident("i"))
    await do(database, incidents.join, "i", KnownAlert(number, FIRING, {}, {}), alert("a"))
    await do(database, incidents.tell, [("i", "people", number, 1, Status.FIRING)])
    assert [one.told for one in await look(database, incidents.news_for, "i", "people")] == [True]

    await do(database, muting.withdraw, "i", [number])

    assert [one.told for one in await look(database, incidents.news_for, "i", "people")] == [False]
    assert await look(database, incidents.channels_told_of_firing, "i") == ["people"]


async def test_alerts_that_end_by_themselves_are_found_in_the_order_of_their_ends(database: Database) -> None:
    assert await look(database, alerts.next_expiry, NOW) is None
    for name, minutes in (("a", 3), ("b", 1), ("c", 9)):
        await put(database, name, expires_at=NOW + minutes * MINUTE, timeout=name == "b")
    await put(database, "d")

    found = await look(database, alerts.expired, NOW + 3 * MINUTE, 9)

    assert [(one.expires_at, one.timeout) for one in found] == [(NOW + MINUTE, True), (NOW + 3 * MINUTE, False)]
    assert await look(database, alerts.next_expiry, NOW) == NOW + MINUTE
    assert await look(database, alerts.next_expiry, NOW + MINUTE) == NOW + 3 * MINUTE
    assert len(await look(database, alerts.expired, NOW + 9 * MINUTE, 1)) == 1


async def test_an_incident_has_one_tick_beside_its_steps(database: Database) -> None:
    for kind, name in (("step", "i"), ("group", "i"), ("step", "k"), ("step", "k")):
        await database.write(lambda tx, kind=kind, name=name: timers.add(tx, kind, NOW, "{}", incident=name))  # type: ignore[misc]

    tick = await look(database, timers.group_of, "i")
    assert tick is not None
    assert tick.kind == "group"
    assert await look(database, timers.group_of, "k") is None
