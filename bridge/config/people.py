"""`people:` as it is written."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from bridge.config.problems import did_you_mean
from bridge.config.values import Section, one_or_many
from bridge.config.wall_times import Zone
from bridge.domain.options import Duration
from bridge.domain.person import Person, Rule

Texts = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(one_or_many, json_schema_input_type=str | list[str])
]


class RuleSettings(Section):
    """Kinds of channels to use, and how long after the person is to be told."""

    after: Duration = timedelta()
    notify: Texts


Accounts = Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])]


class AccountSettings(Section):
    """What services know a person by, as they say it when somebody acts there."""

    slack: Accounts = Field(default=(), description="member ids (U…)")
    telegram: Accounts = Field(default=(), description="user ids, which are numbers")
    phone: Accounts = Field(default=(), description="numbers that text messages come from (+…)")
    pagerduty: Accounts = Field(default=(), description="user ids (P…)")


class PersonSettings(Section):
    """Who can be on call. `channels` are names of channels by a kind of one's own choice; `rules` use the kinds.

    Without rules all channels are used at once. `email` is what calendars may name the person by.
    """

    name: str | None = Field(default=None, min_length=1)
    time_zone: Zone = "UTC"
    email: Texts | None = None
    channels: dict[str, str] = Field(default={})
    rules: tuple[RuleSettings, ...] = ()
    accounts: AccountSettings = AccountSettings()

    @model_validator(mode="after")
    def _judged(self) -> Self:
        for rule in self.rules:
            for kind in rule.notify:
                if kind not in self.channels:
                    raise ValueError(f"rules: there is no kind of channel {kind!r}{did_you_mean(kind, self.channels)}")
        times = [rule.after for rule in self.rules]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError("the rules are in the order of their times: `after` must grow")
        return self

    def to_domain(self, key: str) -> Person:
        rules = tuple(Rule(rule.after, rule.notify) for rule in self.rules)
        if not rules and self.channels:
            rules = (Rule(timedelta(), tuple(self.channels)),)
        emails = tuple(text.strip().lower() for text in self.email or ())
        accounts = {kind: known for kind, known in self.accounts if known}
        return Person(key, self.name or key, self.time_zone, self.channels, rules, emails, accounts)
