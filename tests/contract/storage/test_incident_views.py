"""What an incident waits for and who was told what, read for those who ask."""

from __future__ import annotations

from datetime import timedelta

from bridge.domain.alert import Status
from bridge.storage import incident_views, incidents, timers
from bridge.storage.database import Database
from bridge.storage.incident_views import ToldOf, Waiting
from tests.contract.storage.making import MINUTE, do, look
from tests.contract.storage.units import NOW


async def test_what_an_incident_waits_for_is_read_the_next_first_paused_steps_with_what_is_left(
    database: Database,
) -> None:
    await do(database, timers.add, "step", NOW + 5 * MINUTE, "step", incident="i1")
    await do(database, timers.add, "step", NOW, "other", incident="i2")
    await do(database, timers.pause_steps, "i1", NOW + MINUTE)
    await do(database, timers.add, "group", NOW + 2 * MINUTE, "group", incident="i1")
    assert await look(database, incident_views.waiting, "i1") == [
        Waiting("group", NOW + 2 * MINUTE, None, "group"),
        Waiting("step", NOW + 5 * MINUTE, timedelta(minutes=4), "step"),
    ]
    assert await look(database, incident_views.waiting, "nothing") == []


async def test_what_channels_were_told_is_read_by_channel(database: Database) -> None:
    told = [("i1", "b", 2, 1, Status.FIRING), ("i1", "a", 3, 2, Status.RESOLVED), ("i2", "a", 2, 1, Status.FIRING)]
    await do(database, incidents.tell, told)
    assert await look(database, incident_views.told, "i1") == [
        ToldOf("a", 3, 2, "resolved"),
        ToldOf("b", 2, 1, "firing"),
    ]
