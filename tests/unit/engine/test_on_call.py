"""What a calendar says stands where its `use` puts it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from bridge.domain.schedules import Days, Layer, Override, Rotation, Schedule, on_call
from bridge.engine.on_call import with_calendar

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAYER = Layer("daily", Rotation(Days(), date(2026, 3, 2)), (("anna",),))
WRITTEN = Override(NOON, NOON + HOUR, ("olga",))
IMPORTED = (Override(NOON - HOUR, NOON + 2 * HOUR, ("ivan",), "calendar", rank=7),)
SCHEDULE = Schedule("s", layers=(LAYER,), overrides=(WRITTEN,))


def test_as_overrides_they_are_over_the_layers_and_under_what_is_written_down() -> None:
    found = with_calendar(SCHEDULE, IMPORTED, as_overrides=True)
    moments = (NOON - 2 * HOUR, NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR)
    assert [on_call(found, at) for at in moments] == [("anna",), ("ivan",), ("olga",), ("ivan",), ("anna",)]


def test_as_shifts_they_are_under_every_layer() -> None:
    found = with_calendar(SCHEDULE, IMPORTED, as_overrides=False)
    assert on_call(found, NOON - HOUR) == ("anna",)
    assert on_call(Schedule("s", imported=IMPORTED), NOON - HOUR) == ("ivan",)
