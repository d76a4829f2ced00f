"""Alerts as senders report them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK_64 = 0xFFFFFFFFFFFFFFFF


class Status(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Struct, frozen=True, gc=False):
    """One alert of one request. Identity is (source, org, fingerprint); everything else is an attribute.

    `starts_text` and `ends_text` keep the sender's own writing (nanoseconds, offsets) beside the parsed value.
    `ends_at` is None while open. `org` is Grafana's orgId as text, empty elsewhere. `receiver` is the sender's,
    unescaped. `extra` holds every field we do not know, as JSON text of an object (`{}` if none). `expires_at` is when a
    firing alert ends by itself, None if only its sender ends it; `timeout` says that the sender named no such time.
    """

    source: str
    org: str
    fingerprint: str
    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    starts_text: str = ""
    ends_text: str = ""
    generator_url: str = ""
    receiver: str = ""
    extra: str = "{}"
    expires_at: datetime | None = None
    timeout: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.source, self.org, self.fingerprint)


API = "api"
"""The source of alerts that came over API v2; no sender of a configuration can have this name."""

MANUAL = "manual"
"""The source of pages by hand; no sender of a configuration can have this name. What hides alerts does not hide these."""

HEARTBEAT = "heartbeat"
"""The source of alerts that tell of a heartbeat that stays away; no sender of a configuration can have this name."""

DRILL = "drill"
"""The source of fire drills; no sender of a configuration can have this name."""


class Quarantined(Struct, frozen=True):
    """An entry of a request that could not be understood. `index` is its place; `problem` never echoes its values."""

    index: int
    problem: str
    digest: str


class Webhook(Struct, frozen=True):
    """One request, parsed. `group_labels` is the sender's grouping; `group_key` is kept as an attribute only."""

    source: str
    format: str
    alerts: tuple[Alert, ...]
    quarantined: tuple[Quarantined, ...] = ()
    receiver: str = ""
    org: str = ""
    group_labels: Mapping[str, str] = {}
    group_key: str = ""
    external_url: str = ""
    truncated: int = 0


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's fingerprint: 64-bit FNV-1a over name, 0xFF, value, 0xFF of the labels by name; 16 hex digits.

    Source: prometheus/common model/fingerprinting.go; names sort by their UTF-8 bytes.
    """
    state = _FNV_OFFSET
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items()):
        for byte in b"%b\xff%b\xff" % (name, value):
            state = ((state ^ byte) * _FNV_PRIME) & _MASK_64
    return f"{state:016x}"
