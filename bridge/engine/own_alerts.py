"""Alerts of our own making: kept like a sender's request, in the transaction that found the reason for them.

They are planned by the backlog, with every hook and route, so that whatever is wrong there loses none of them.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from bridge.domain.alert import DRILL, HEARTBEAT, Webhook
from bridge.engine.keeping import keep
from bridge.engine.work import Work
from bridge.routing.route import Route
from bridge.storage.journal import Request

FORMAT = "own"
_SOURCES = frozenset({HEARTBEAT, DRILL})
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Webhook)


async def report(work: Work, webhook: Webhook) -> None:
    """Have the alerts of a request planned that nobody sent."""
    body = _ENCODER.encode(webhook)
    await keep(work, webhook, body, hashlib.sha256(body).hexdigest(), planned=False)
    work.effects.kept += 1


def route_of(work: Work, webhook: Webhook) -> Route | None:
    """The root route with the receiver that a report of our own is for; None where its labels are to be routed."""
    if webhook.source != DRILL or not webhook.receiver:
        return None
    return replace(work.generation.root, receiver=webhook.receiver, routes=())


def of_our_own(request: Request) -> Webhook | None:
    """What was reported; None for a request that a sender made.

    Raises:
        msgspec.DecodeError: another version of the bridge wrote it, in a way that this one does not know.
    """
    return _DECODER.decode(request.body) if request.source in _SOURCES else None
