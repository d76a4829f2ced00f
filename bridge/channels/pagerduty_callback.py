"""What people do in PagerDuty: webhooks of version 3. Acknowledged there means acknowledged here.

Source: PagerDuty's pages on webhooks and on verifying signatures. The signature covers no time, so what happened days ago is
not heard any more: PagerDuty repeats itself for 48 hours, and its events' ids are remembered for longer. Only what
people did counts: what our own events did comes back too.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from bridge.channels.callbacks import Ask, CallbackAnswer, CallbackRequest, Done, Forged, Heard, Unreadable, is_same
from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.domain.secret import Secret
from bridge.net import HttpClient

_DEEDS: Mapping[str, Deed] = {
    "incident.acknowledged": Deed.ACKNOWLEDGE,
    "incident.unacknowledged": Deed.UNACKNOWLEDGE,
    "incident.resolved": Deed.RESOLVE,
}
_OLD = timedelta(days=3)
_PERSON = "user"
_MOST_SIGNATURES = 20


class _Agent(Struct, frozen=True):
    id: str = ""
    type: str = ""
    summary: str | None = None


class _Incident(Struct, frozen=True):
    incident_key: str | None = None


class _Event(Struct, frozen=True):
    id: str
    event_type: str
    occurred_at: datetime
    agent: _Agent | None = None
    data: _Incident | None = None


class _Webhook(Struct, frozen=True):
    event: _Event


class PagerDutyEar:
    """Hears for one channel: of the incidents that this channel opened there."""

    via = Via.PAGERDUTY
    accounts = "pagerduty"

    def __init__(self, secret: Secret, *, strangers: bool) -> None:
        self.strangers = strangers
        self._secret = secret

    def hear(self, request: CallbackRequest) -> Heard:
        self._prove(request)
        try:
            event = msgspec.json.decode(request.body, type=_Webhook).event
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("no event of PagerDuty's webhooks, version 3") from error
        deed, agent = _DEEDS.get(event.event_type), event.agent
        dedup = event.data.incident_key if event.data is not None else None
        if deed is None or agent is None or not agent.type.startswith(_PERSON) or not dedup or not event.id:
            return Heard()
        if event.occurred_at.tzinfo is None or request.now - event.occurred_at > _OLD:
            return Heard()
        ask = Ask(event.id, agent.id, agent.summary or "", dedup=dedup, deed=deed)
        return Heard((ask,))

    def answer(self, _heard: Heard, _done: Sequence[Done]) -> CallbackAnswer:
        return CallbackAnswer()

    async def reply(self, _heard: Heard, _done: Sequence[Done], _http: HttpClient) -> None:
        """There is nobody to reply to."""

    def _prove(self, request: CallbackRequest) -> None:
        """One of the signatures is ours: there are several while PagerDuty changes its secret. All are tried."""
        expected = f"v1={hmac.digest(self._secret.reveal().encode(), request.body, 'sha256').hex()}"
        signatures = request.header("X-PagerDuty-Signature").split(",")[:_MOST_SIGNATURES]
        hits = [is_same(signature.strip(), expected) for signature in signatures]
        if not any(hits):
            raise Forged("not signed by PagerDuty")
