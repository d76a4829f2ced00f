"""What `deliveries list` and `deliveries replay` are asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from bridge.cli.choices import chosen
from bridge.domain.instant import parse_instant
from bridge.engine.queries import DELIVERY_REASONS

_TIME = "TIME|DURATION"

Channel = Annotated[str, typer.Option("--channel", help="only this channel")]
Incident = Annotated[str, typer.Option("--incident", help="only this incident")]
Reason = Annotated[
    str,
    typer.Option("--reason", help="only these: why people were to be told (opened, …) or why it ended (gave_up, …)"),
]
Since = Annotated[
    str, typer.Option("--since", metavar=_TIME, help="planned since 2026-01-31T12:00:00Z, or 2h for the last two hours")
]
Until = Annotated[str, typer.Option("--until", metavar=_TIME, help="planned before then")]


def filters(channel: str, incident: str, reason: str, since: str, until: str) -> dict[str, str]:
    """As the API takes them; durations are counted from now, so that every page means the same.

    Raises:
        typer.BadParameter: a time or a reason is none.
    """
    now = datetime.now(UTC)
    if reason:
        chosen("--reason", (reason,), DELIVERY_REASONS)
    return {
        "channel": channel,
        "incident": incident,
        "reason": reason,
        "since": _instant("--since", since, now),
        "until": _instant("--until", until, now),
    }


def _instant(option: str, text: str, now: datetime) -> str:
    if not text:
        return ""
    try:
        return parse_instant(text, now).isoformat()
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint=option) from error
