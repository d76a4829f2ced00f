"""What a link or a button does to an incident."""

from __future__ import annotations

from enum import StrEnum


class Deed(StrEnum):
    """A link holds a deed's place in this list: new ones go to its end."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    SNOOZE = "snooze"
    UNACKNOWLEDGE = "unacknowledge"
    ESCALATE = "escalate"
