"""What an audit record says. The chain over the records is made in `bridge.audit`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """The closed vocabulary. `verify` accepts kinds it does not know: a newer bridge may have written them."""

    RECEIVED = "received"
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    STALE = "stale"
    SUPPRESSED = "suppressed"
    HELD = "held"
    SENT = "sent"
    RETRY = "retry"
    UNKNOWN = "unknown"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PARKED = "parked"
    UNPARKED = "unparked"
    LATE = "late"
    REROUTED = "rerouted"
    SKIPPED = "skipped"
    REPLAYED = "replayed"
    OPENED = "opened"
    CHANGED = "changed"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SNOOZED = "snoozed"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    SILENCE_CREATED = "silence_created"
    SILENCE_EXPIRED = "silence_expired"
    SILENCE_UPDATED = "silence_updated"
    CONFIG_LOADED = "config_loaded"
    CONFIG_REFUSED = "config_refused"
    KEY_ROTATED = "key_rotated"
    BACKUP = "backup"
    PRUNED = "pruned"
    STARTED = "started"
    STOPPED = "stopped"
    PAUSED = "paused"
    RESUMED = "resumed"
    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    DRILLED = "drilled"
    MISSED = "missed"
    HANDED_OVER = "handed_over"
    RESTORED = "restored"
    MIGRATED = "migrated"
    CLOCK_JUMPED = "clock_jumped"
    TRUNCATED = "truncated"


class Record(Struct, frozen=True, gc=False):
    """One fact. `digest` is the SHA-256 (hex) of what was received or sent; `detail` is the exact text of the body.

    Neither ever holds a secret. Empty text and 0 stand for "does not apply".
    """

    at: datetime
    kind: Kind
    actor: str = "bridge"
    source: str = ""
    incident: str = ""
    delivery: str = ""
    channel: str = ""
    attempt: int = 0
    reason: str = ""
    digest: str = ""
    detail: str = ""
