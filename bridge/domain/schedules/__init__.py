"""Who is on call when: pure arithmetic on local dates and wall-clock times."""

from bridge.domain.schedules.rotation import Days, Every, Hours, Rotation, Weekdays, Weeks
from bridge.domain.schedules.schedule import (
    OVERRIDE,
    Layer,
    Overlap,
    Override,
    Schedule,
    Shift,
    gaps,
    next_change,
    odd_handoffs,
    on_call,
    overlaps,
    shift_at,
    shifts,
)
from bridge.domain.schedules.wall import DAY, Oddity, moment_of, zone_of
from bridge.domain.schedules.windows import EVERY_DAY, Stretch, Window

__all__ = [
    "DAY",
    "EVERY_DAY",
    "OVERRIDE",
    "Days",
    "Every",
    "Hours",
    "Layer",
    "Oddity",
    "Overlap",
    "Override",
    "Rotation",
    "Schedule",
    "Shift",
    "Stretch",
    "Weekdays",
    "Weeks",
    "Window",
    "gaps",
    "moment_of",
    "next_change",
    "odd_handoffs",
    "on_call",
    "overlaps",
    "shift_at",
    "shifts",
    "zone_of",
]
