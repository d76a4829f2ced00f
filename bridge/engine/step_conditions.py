"""Whether a due step is taken, is not, or waits until a time interval begins. Decides alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.alert import Alert, Status
from bridge.domain.duration import format_duration
from bridge.domain.escalation import Condition, DueStep
from bridge.routing.intervals import TimeInterval, opens
from bridge.routing.matchers import parse_matchers

LABELS = "labels"
FEW = "few_alerts"
TOO_LATE = "too_late"
NEVER = "never_open"
MISSED = frozenset({TOO_LATE, NEVER})
"""Why a step is not taken though nobody said that it should not be: the fallback hears of it."""


class Verdict(Struct, frozen=True):
    """`why` it is not taken now, empty if it is; `until` when it is looked at again, None for never."""

    why: str = ""
    until: datetime | None = None


TAKEN = Verdict()


def judge(
    step: DueStep, due_at: datetime, now: datetime, alerts: Sequence[Alert], intervals: Mapping[str, TimeInterval]
) -> Verdict:
    """`alerts` are the incident's, those that ended included. An interval that the configuration has no more holds nobody off."""
    if step.max_late_seconds and now - due_at > timedelta(seconds=step.max_late_seconds):
        return Verdict(TOO_LATE)
    condition = step.condition
    if condition.matchers and not _matches(condition, alerts):
        return Verdict(LABELS)
    if condition.within_seconds and _began(condition, alerts, now) <= condition.more_than:
        return Verdict(FEW)
    if not condition.intervals:
        return TAKEN
    opened = opens(intervals, condition.intervals, now)
    if opened is None:
        return Verdict(NEVER)
    return Verdict("time_interval", opened) if opened > now else TAKEN


def unmet(condition: Condition, why: str) -> str:
    """What of a condition did not hold, in words; empty where it is something else that a step was not taken for."""
    if why == LABELS:
        return f"no alert that fires has {', '.join(condition.matchers)}"
    if why == FEW:
        within = format_duration(timedelta(seconds=condition.within_seconds))
        return f"no more than {condition.more_than} alerts began within {within}"
    return ""


def asks_for_alerts(condition: Condition) -> bool:
    """Whether what alerts there are matters."""
    return bool(condition.matchers or condition.within_seconds)


def _matches(condition: Condition, alerts: Sequence[Alert]) -> bool:
    matchers = [matcher for text in condition.matchers for matcher in parse_matchers(text)]
    firing = (alert for alert in alerts if alert.status is Status.FIRING)
    return any(all(matcher.matches(alert.labels) for matcher in matchers) for alert in firing)


def _began(condition: Condition, alerts: Sequence[Alert], now: datetime) -> int:
    since = now - timedelta(seconds=condition.within_seconds)
    return sum(alert.starts_at >= since for alert in alerts)
