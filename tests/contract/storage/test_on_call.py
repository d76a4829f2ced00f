"""Comments and responders, the same on both databases."""

from __future__ import annotations

from bridge.storage import on_call
from bridge.storage.database import Database
from bridge.storage.on_call import Comment, Responder
from tests.contract.storage.making import MINUTE, do, look
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
