"""Audit records as JSON objects, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import msgspec

from bridge.domain.moment import moment
from bridge.storage.audit_log import AuditRow, Filter, open_audit_log
from bridge.storage.postgres_address import Address


class Exported(msgspec.Struct, frozen=True):
    """One line. `at` is RFC 3339 in UTC with microseconds; `hash` is hex; `detail` is the exact text under the hash."""

    seq: int
    at: str
    kind: str
    actor: str
    source: str
    incident: str
    delivery: str
    channel: str
    attempt: int
    reason: str
    digest: str
    detail: str
    chain: str
    hash: str


def exported(row: AuditRow) -> Exported:
    """A stored row as a line has it."""
    seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hashed = row
    return Exported(
        seq,
        _time(at),
        kind,
        actor,
        source,
        incident,
        delivery,
        channel,
        attempt,
        reason,
        digest,
        detail,
        chain,
        hashed.hex(),
    )


def export(database: Path | Address, wanted: Filter) -> Iterator[Exported]:
    """The records a filter lets through, oldest first, from one snapshot.

    Raises:
        StorageError: the database cannot be read.
    """
    with open_audit_log(database) as log:
        for row in log.select(wanted):
            yield exported(row)


def _time(at: int) -> str:
    try:
        return moment(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:  # a number nobody but a tamperer wrote; verify tells of it
        return str(at)
