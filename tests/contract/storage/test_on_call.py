"""Comments and responders, the same on both databases."""

from __future__ import annotations

from msgspec.structs import replace

from bridge.storage import incidents, on_call, timers
from bridge.storage.database import Database
from bridge.storage.on_call import Comment, OpenIncident, Responder
from tests.contract.storage.making import MINUTE, do, incident, look
from tests.contract.storage.units import NOW


async def test_comments_are_kept_in_order_for_each_incident(database: Database) -> None:
    first, second = Comment(NOW, "alice", "cli", "é\n\u2028'"), Comment(NOW, "bob", "api", "well")
    assert await look(database, on_call.last_comment, "i1") is None
    for said in (first, second):
        await do(database, on_call.comment, "i1", said)
    await do(database, on_call.comment, "i2", first)

    assert await look(database, on_call.comments, "i1") == [first, second]
    assert await look(database, on_call.comments, "i2") == [first]
    assert await look(database, on_call.last_comment, "i1") == second


async def test_a_responder_is_called_once_for_each_incident(database: Database) -> None:
    pager, later = Responder("pager", NOW, "alice"), Responder("pager", NOW + MINUTE, "bob")
    assert await do(database, on_call.call, "i1", pager)
    assert not await do(database, on_call.call, "i1", later)
    assert await do(database, on_call.call, "i2", later)

    assert await look(database, on_call.responders, "i1") == [pager]


async def test_what_is_open_is_found_by_receiver_and_by_escalation(database: Database) -> None:
    later = incident("i2", group="g2", opened_at=NOW + MINUTE)
    for one in (
        incident("i1"),
        replace(later, receiver="mail", escalation="night", state="acknowledged", acknowledged_by="anna"),
        replace(incident("i3", group="g3"), receiver="mail"),
        incident("i4", state="resolved", group="g4"),
    ):
        await do(database, incidents.add, one)
    first = OpenIncident("i1", {"severity": "page"}, "page", "open", "", NOW)
    second = OpenIncident("i2", {"severity": "page"}, "page", "acknowledged", "anna", NOW + MINUTE)
    assert await look(database, on_call.open_of, ["team"], ["night"], 10) == (2, [first, second])
    assert await look(database, on_call.open_of, ["team", "mail"], [], 2) == (3, [first, incident_of("i3")])
    assert await look(database, on_call.open_of, [], [], 10) == (0, [])


def incident_of(name: str) -> OpenIncident:
    return OpenIncident(name, {"severity": "page"}, "page", "open", "", NOW)


async def test_the_timers_of_a_kind_are_found_and_rules_pause_with_the_steps(database: Database) -> None:
    for kind, minutes in (("step", 3), ("rule", 2), ("rule", 1), ("group", 4)):
        await do(database, timers.add, kind, NOW + minutes * MINUTE, str(minutes), incident="i1")
    assert [one.data for one in await look(database, timers.of_incident, "i1", "rule")] == ["1", "2"]
    assert await do(database, timers.pause_steps, "i1", NOW) == 3
    assert [one.kind for one in await look(database, timers.due, NOW + 9 * MINUTE, 9)] == ["group"]
    assert await do(database, timers.resume_steps, "i1", NOW + MINUTE) == 3
    assert [one.due_at for one in await look(database, timers.of_incident, "i1", "rule")] == [
        NOW + 2 * MINUTE, NOW + 3 * MINUTE,
    ]  # fmt: skip
    await do(database, timers.stop_steps, "i1")
    assert [one.kind for one in await look(database, timers.due, NOW + 9 * MINUTE, 9)] == ["group"]
