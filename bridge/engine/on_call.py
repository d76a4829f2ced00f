"""Who is on call, by the configuration in force and the calendars that were read last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace

from bridge.config.model import Config
from bridge.domain.schedules import Override, Schedule, on_call

Shifts = Mapping[str, tuple[Override, ...]]
"""What calendars say, by the schedule's name."""


class OnCallBook:
    """Schedules as they are in force. What a calendar says stays until it says otherwise."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self.shifts: Shifts = {}

    def names(self) -> tuple[str, ...]:
        return tuple(self._config().schedules)

    def schedule(self, name: str) -> Schedule | None:
        """The schedule of that name, with what its calendar says; None if there is none."""
        return schedule_of(self._config(), self.shifts, name)

    def on_call(self, name: str, at: datetime) -> tuple[str, ...]:
        """Who is on call for a schedule; empty if nobody is, or if there is no such schedule."""
        found = self.schedule(name)
        return () if found is None else on_call(found, at)

    def shown(self) -> Mapping[str, str]:
        """What to call people, by name."""
        return {name: person.shown for name, person in self._config().people.items()}

    def imported(self, name: str, shifts: tuple[Override, ...]) -> None:
        """Take what a calendar says."""
        self.shifts = {**self.shifts, name: shifts}


def schedule_of(config: Config, imported: Shifts, name: str) -> Schedule | None:
    """The schedule of that name, with what its calendar says; None if there is none."""
    found, shifts, calendar = config.schedules.get(name), imported.get(name), config.calendars.get(name)
    if found is None or calendar is None or not shifts:
        return found
    return with_calendar(found, shifts, as_overrides=calendar.use == "overrides")


def with_calendar(schedule: Schedule, shifts: tuple[Override, ...], *, as_overrides: bool) -> Schedule:
    """The schedule and what its calendar says: as overrides below those that are written down, or under every layer."""
    if not as_overrides:
        return replace(schedule, imported=shifts)
    above = max((each.rank for each in shifts), default=0) + 1
    written = tuple(replace(each, rank=each.rank + above) for each in schedule.overrides)
    return replace(schedule, overrides=(*shifts, *written))
