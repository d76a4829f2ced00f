"""What a person did to an incident, beside who and when: an act's record keeps it as its detail."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct


class Via(StrEnum):
    """The way an act came."""

    API = "api"
    CLI = "cli"
    LINK = "link"
    SLACK = "slack"
    TELEGRAM = "telegram"
    SMS = "sms"
    PAGERDUTY = "pagerduty"


class ActDetail(Struct, frozen=True, omit_defaults=True):
    """`until`: when what was done ends. `to`: to or for whom. `text`: in the person's own words."""

    via: Via
    until: datetime | None = None
    to: str = ""
    text: str = ""

    def __str__(self) -> str:
        return _ENCODER.encode(self).decode()


_ENCODER = msgspec.json.Encoder()
