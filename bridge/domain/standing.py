"""Who has an incident, or ended it, in words."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.domain.act import Via

_WAYS = {
    Via.API: "over the API",
    Via.CLI: "on the command line",
    Via.LINK: "by a link",
    Via.SLACK: "in Slack",
    Via.TELEGRAM: "in Telegram",
    Via.SMS: "by SMS",
    Via.PAGERDUTY: "in PagerDuty",
}


def held(by: str, via: str = "", until: datetime | None = None) -> str:
    """`Acknowledged by alice in Slack`, `Snoozed by alice by SMS until 2026-03-01 10:00 UTC`. `via` as in `Via`, or empty."""
    words = f"{'Snoozed' if until else 'Acknowledged'} by {by}{_way(via)}"
    return f"{words} until {hour(until)}" if until else words


def ended(by: str, via: str = "") -> str:
    """`Resolved by alice over the API`."""
    return f"Resolved by {by}{_way(via)}"


def given_back(by: str, via: str = "") -> str:
    """`Given back by alice over the API`."""
    return f"Given back by {by}{_way(via)}"


def hour(at: datetime) -> str:
    """To the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _way(via: str) -> str:
    return f" {_WAYS[Via(via)]}" if via else ""
