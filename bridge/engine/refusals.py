"""Refused requests, gathered by the minute: a flood of them must not bury the audit."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.audit import Kind
from bridge.domain.errors import IngestReason
from bridge.engine import outbox
from bridge.engine.work import Work

_EVERY = timedelta(seconds=60)
_FIRST = timedelta(seconds=1)
_KINDS = 200
_UNTOLD = frozenset({IngestReason.UNAVAILABLE, IngestReason.FORGED, IngestReason.WRONG_TOKEN, IngestReason.FORBIDDEN})
"""The sender tries again, or is none: whoever finds the address must not make the fallback ring."""


class Refusal(Struct, frozen=True):
    source: str
    reason: IngestReason
    detail: str


class Refusals:
    """Counts in memory, writes at most once a minute (the first of a quiet time after a second)."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()
        self._digests: dict[Refusal, str] = {}
        self._since: datetime | None = None
        self._last: datetime | None = None

    def add(self, source: str, reason: IngestReason, detail: str, now: datetime, digest: str) -> None:
        refusal = Refusal(source, reason, detail)
        if refusal not in self._counts and len(self._counts) >= _KINDS:
            refusal = Refusal("", reason, "others")
        self._counts[refusal] += 1
        self._digests.setdefault(refusal, digest)
        self._since = self._since or now

    def due(self, now: datetime) -> bool:
        if self._since is None:
            return False
        quiet = self._last is None or _over(now - self._last, _EVERY)
        return _over(now - self._since, _FIRST if quiet else _EVERY)

    def take(self, now: datetime) -> dict[Refusal, tuple[int, str]]:
        """What was gathered: how many, and the digest of the first."""
        taken = {refusal: (count, self._digests[refusal]) for refusal, count in self._counts.items()}
        self._counts.clear()
        self._digests.clear()
        self._since = None
        self._last = now
        return taken


def _over(passed: timedelta, wait: timedelta) -> bool:
    """Whether a wait is over; one that lies in the future is, because the clock was set back."""
    return not timedelta() <= passed < wait


async def write(work: Work, gathered: dict[Refusal, tuple[int, str]]) -> None:
    """Audit what was gathered, and tell the fallback about what a sender will not try again."""
    lines = []
    for refusal, (count, digest) in gathered.items():
        detail = f"{count} × {refusal.detail}" if count > 1 else refusal.detail
        work.record(Kind.REFUSED, source=refusal.source, reason=refusal.reason.value, digest=digest, detail=detail)
        if refusal.reason not in _UNTOLD:
            lines.append(f"{refusal.source or 'an unnamed source'}: {refusal.reason.value}: {detail}")
    if lines:
        await outbox.notice(
            work, "requests were refused, and their senders do not try again:\n" + "\n".join(lines[:20])
        )
