"""A person who can be on call, and how they want to hear of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct


class Rule(Struct, frozen=True):
    """How long after somebody is to be told which of their channels are used, by kind (`slack`, `sms`)."""

    after: timedelta
    kinds: tuple[str, ...]


class Person(Struct, frozen=True):
    """`name` is the key under `people:`, `shown` what others read. `channels` are names of channels by kind; without
    channels nothing but an acknowledgement by hand reaches back. `emails` are in lower case. `accounts` are what services
    know the person by, by kind (`slack`, `telegram`, `phone`, `pagerduty`).
    """

    name: str
    shown: str
    zone: str
    channels: Mapping[str, str]
    rules: tuple[Rule, ...]
    emails: tuple[str, ...] = ()
    accounts: Mapping[str, tuple[str, ...]] = {}

    def told(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """The channels of these kinds, each once."""
        return tuple(dict.fromkeys(self.channels[kind] for kind in kinds))
