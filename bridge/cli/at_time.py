"""A moment as people write it on a command line: with its offset, or by the clocks of a place."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer


def zone_of(name: str) -> tzinfo | None:
    """The zone of this name, None for the one of whoever asks.

    Raises:
        BadParameter: there is none.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise typer.BadParameter(
            f"there is no time zone {name!r}; write it like Europe/Berlin", param_hint="--tz"
        ) from error


def moment_of(text: str, zone: tzinfo | None) -> datetime:
    """The moment in UTC. Without an offset it is what the clocks in the zone show; of two such moments the earlier.

    Raises:
        BadParameter: it is no time, or one that the clocks there skip.
    """
    try:
        found = datetime.fromisoformat(text)
        moment = found.replace(tzinfo=zone).astimezone(UTC) if found.tzinfo is None else found.astimezone(UTC)
        skipped = found.tzinfo is None and moment.astimezone(zone).replace(tzinfo=None) != found
    except (ValueError, OverflowError, OSError) as error:
        raise typer.BadParameter(
            "it is no time; write 2026-10-25T02:30:00+01:00, or 2026-10-25T02:30 with --tz", param_hint="--at"
        ) from error
    if skipped:
        raise typer.BadParameter("the clocks there skip this time", param_hint="--at")
    return moment
