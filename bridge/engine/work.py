"""What one transaction of the engine has at hand, and what must follow its commit."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from bridge.domain.audit import Kind, Record
from bridge.engine.generation import Generation
from bridge.engine.on_call import Shifts
from bridge.routing.silences import Silences
from bridge.storage.deliveries import Live
from bridge.storage.transaction import Tx

NO_SILENCES = Silences()
NO_SHIFTS: Shifts = {}


class Effects(Struct):
    """Facts of a transaction that the loop acts upon once it is committed.

    `live`: deliveries to be sent. `timer_at`: the earliest timer made. `suppressed`: (hook, reason).
    `notified`: (route, reason). `acknowledged`, `resolved`: (route, seconds since the incident opened). `drilled`: (drill, outcome).
    `kept`: how many requests were kept that wait to be planned.
    """

    live: list[Live] = []
    timer_at: datetime | None = None
    suppressed: list[tuple[str, str]] = []
    notified: list[tuple[str, str]] = []
    acknowledged: list[tuple[str, float]] = []
    resolved: list[tuple[str, float]] = []
    drilled: list[tuple[str, str]] = []
    kept: int = 0

    def due(self, at: datetime) -> None:
        if self.timer_at is None or at < self.timer_at:
            self.timer_at = at


class Work:
    """One transaction: the configuration's generation, the time, and what it brings about.

    `in_flight` are the deliveries that this bridge sends at this moment. `owner` is its name in the leases of a shared
    database; it is empty on a database of our own, where a claim is memory only. There deliveries up to
    `in_doubt_through` may have been under way when a bridge died. `silences` and `shifts`, what calendars say, are those in
    force when the unit was queued.
    """

    __slots__ = ("_in_flight", "effects", "generation", "in_doubt_through", "now", "owner", "shifts", "silences", "tx")

    def __init__(
        self,
        tx: Tx,
        generation: Generation,
        now: datetime,
        in_flight: Collection[int],
        owner: str = "",
        in_doubt_through: int = 0,
        silences: Silences = NO_SILENCES,
        shifts: Shifts = NO_SHIFTS,
    ) -> None:
        self.tx = tx
        self.generation = generation
        self.now = now
        self.effects = Effects()
        self.owner = owner
        self.in_doubt_through = in_doubt_through
        self.silences = silences
        self.shifts = shifts
        self._in_flight = in_flight

    def is_in_flight(self, delivery: int) -> bool:
        return delivery in self._in_flight

    def record(
        self,
        kind: Kind,
        *,
        actor: str = "bridge",
        source: str = "",
        incident: str = "",
        delivery: int = 0,
        channel: str = "",
        attempt: int = 0,
        reason: str = "",
        digest: str = "",
        detail: str = "",
    ) -> None:
        about = str(delivery) if delivery else ""
        self.tx.record(Record(self.now, kind, actor, source, incident, about, channel, attempt, reason, digest, detail))
