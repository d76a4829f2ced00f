"""`schedules:` as it is written."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from bridge.config.values import Section, one_or_many
from bridge.config.wall_times import WEEKDAYS, Day, MinuteOfDay, WallTime, Weekday, Weekdays, Zone, moment_at
from bridge.domain import schedules
from bridge.domain.options import Duration
from bridge.domain.schedules import DAY, EVERY_DAY, Days, Hours, Layer, Override, Rotation, Schedule, Weeks, Window
from bridge.domain.secret import PlainAllowed, Secret

Together = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(one_or_many, json_schema_input_type=str | list[str])
]
"""One turn: a person, or a list of people who are on call together."""


class Often(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    WEEKDAYS = "weekdays"


class Custom(Section):
    """One of the three. Days and weeks are those of the calendar, hours are elapsed time."""

    days: int | None = Field(default=None, ge=1, le=366)
    weeks: int | None = Field(default=None, ge=1, le=52)
    hours: int | None = Field(default=None, ge=1, le=24 * 366)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.days, self.weeks, self.hours)) != 1:
            raise ValueError("give one of days, weeks, hours")
        return self


def _form(value: object) -> str:
    return "custom" if isinstance(value, dict | Custom) else "word"


EveryText = Annotated[Annotated[Often, Tag("word")] | Annotated[Custom, Tag("custom")], Discriminator(_form)]


class Restriction(Section):
    """Hours and weekdays in which a layer counts. An end that is not after the start is on the next day."""

    start_time: MinuteOfDay = 0
    end_time: MinuteOfDay = DAY
    weekdays: Annotated[tuple[Weekdays, ...], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])] = ()

    def to_domain(self) -> Window:
        named = frozenset(day for days in self.weekdays for day in days)
        return Window(self.start_time % DAY, self.end_time or DAY, named or EVERY_DAY)


class LayerSettings(Section):
    """A rotation. The first of `people` has the turn that begins on `start`."""

    name: str = Field(default="", max_length=100)
    people: Annotated[tuple[Together, ...], Field(min_length=1)]
    every: EveryText = Often.WEEKLY
    start: Day
    at: MinuteOfDay = 9 * 60
    weekday: Weekday | None = None
    weekend: Literal["friday", "nobody"] | None = None
    until: WallTime | None = None
    time_zone: Zone | None = None
    restrictions: tuple[Restriction, ...] = ()

    @model_validator(mode="after")
    def _judged(self) -> Self:
        if self.at == DAY:
            raise ValueError("at: write midnight as '00:00'")
        if self.weekday is not None and not isinstance(self._every(), Weeks):
            raise ValueError("weekday belongs to `every: weekly` or `every: {weeks: …}`")
        if self.weekend is not None and self.every != Often.WEEKDAYS:
            raise ValueError("weekend belongs to `every: weekdays`")
        return self

    def to_domain(self, index: int, zone: str) -> Layer:
        own = self.time_zone or zone
        return Layer(
            name=self.name or f"layer {index}",
            rotation=Rotation(self._every(), self.start, self.at),
            people=self.people,
            zone=own,
            windows=tuple(each.to_domain() for each in self.restrictions),
            until=None if self.until is None else moment_at(self.until, own),
        )

    def _every(self) -> schedules.Every:
        match self.every:
            case Often.DAILY:
                return Days()
            case Often.WEEKDAYS:
                return schedules.Weekdays(keeps_weekend=self.weekend != "nobody")
            case Custom(days=int(count)):
                return Days(count)
            case Custom(hours=int(count)):
                return Hours(count)
            case Custom(weeks=int(count)):
                return Weeks(count, self._weekday())
            case _:
                return Weeks(1, self._weekday())

    def _weekday(self) -> int:
        return self.start.weekday() if self.weekday is None else WEEKDAYS.index(self.weekday)


class OverrideSettings(Section):
    """People in place of whoever it would be; times are those of the schedule's zone unless they have an offset."""

    start: WallTime
    end: WallTime
    people: Together

    def to_domain(self, zone: str) -> Override:
        return Override(moment_at(self.start, zone), moment_at(self.end, zone), self.people)


class CalendarSettings(Section):
    """A calendar to fetch. Its events name people by e-mail address or by name, and are overrides or the shifts themselves."""

    url: Annotated[Secret, PlainAllowed()]
    every: Duration = Field(default=timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(days=1))
    match: Literal["email", "name"] = "email"
    use: Literal["overrides", "shifts"] = "overrides"
    stale_after: Duration = Field(default=timedelta(hours=6), ge=timedelta(minutes=5))


class ScheduleSettings(Section):
    """Who is on call when. Later layers win over earlier ones where they have somebody, overrides over all."""

    time_zone: Zone = "UTC"
    layers: tuple[LayerSettings, ...] = ()
    overrides: tuple[OverrideSettings, ...] = ()
    ical: CalendarSettings | None = None
    fallback: str | None = Field(default=None, min_length=1)
    notices: bool = True

    @field_validator("layers")
    @classmethod
    def _names(cls, layers: tuple[LayerSettings, ...]) -> tuple[LayerSettings, ...]:
        names = [layer.name for layer in layers if layer.name]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two layers have the name {twice!r}")
        return layers

    @model_validator(mode="after")
    def _judged(self) -> Self:
        if not self.layers and self.ical is None:
            raise ValueError("it needs `layers:` or `ical:`")
        for index, override in enumerate(self.overrides, start=1):
            if moment_at(override.start, self.time_zone) >= moment_at(override.end, self.time_zone):
                raise ValueError(f"overrides: the end of number {index} is not after its start")
        return self

    def to_domain(self, name: str) -> Schedule:
        return Schedule(
            name=name,
            zone=self.time_zone,
            layers=tuple(layer.to_domain(index, self.time_zone) for index, layer in enumerate(self.layers, start=1)),
            overrides=tuple(each.to_domain(self.time_zone) for each in self.overrides),
            fallback=self.fallback,
            notices=self.notices,
        )
