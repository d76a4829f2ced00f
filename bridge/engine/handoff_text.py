"""What somebody reads who is on call from now on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.config.model import Config
from bridge.domain.person import Person
from bridge.domain.schedules import Schedule, zone_of
from bridge.storage.on_call import OpenIncident

_MAX_NAME = 100


def about(
    config: Config,
    schedule: Schedule,
    person: Person,
    before: Sequence[str],
    until: datetime | None,
    number: int,
    listed: Sequence[OpenIncident],
) -> str:
    """The notice for a person. Times are on his clocks. `number` incidents are open, the oldest of which are `listed`."""
    end = f" until {_hour(until, person.zone)}" if until else ""
    shown = ", ".join(config.people[name].shown if name in config.people else name for name in before)
    lines = [f"You are on call for {schedule.name} now{end}. Before you: {shown}."]
    if not number:
        return f"{lines[0]} Nothing is open."
    lines.append("One incident is open:" if number == 1 else f"{number} incidents are open:")
    lines += [_line(one, person.zone) for one in listed]
    if number > len(listed):
        lines.append(f"and {number - len(listed)} more")
    return "\n".join(lines)


def _line(one: OpenIncident, zone: str) -> str:
    name = one.labels.get("alertname") or "an incident"
    severity = f" ({one.severity})" if one.severity else ""
    who = f", {one.state} by {one.owner}" if one.owner else ""
    return f"- {' '.join(name.split())[:_MAX_NAME]}{severity}, since {_hour(one.opened_at, zone)}{who}: {one.id}"


def _hour(at: datetime, zone: str) -> str:
    return f"{at.astimezone(zone_of(zone)):%Y-%m-%d %H:%M} {zone}"
