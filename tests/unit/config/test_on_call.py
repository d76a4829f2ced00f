"""`people:` and `schedules:`: what they mean, and what is said of mistakes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.channels.registry import ChannelRegistry
from bridge.config.schema import json_schema
from bridge.domain.person import Person, Rule
from bridge.domain.schedules import (
    Days,
    Every,
    Hours,
    Layer,
    Override,
    Rotation,
    Schedule,
    Weekdays,
    Weeks,
    Window,
    on_call,
)
from bridge.hooks.registry import HookRegistry
from tests.unit.config.test_schema import faults
from tests.unit.config.written import SMALLEST, load_files, load_text, said, valid

PEOPLE = """
people:
  anna:
    name: Anna Alba
    time_zone: Europe/Berlin
    email: Anna@Example.com
    channels: {slack: out, sms: out}
    rules:
      - {notify: slack}
      - {after: 5m, notify: [sms]}
  ben: {channels: {slack: out}}
  cem:
"""
FULL = (
    SMALLEST
    + PEOPLE
    + """
schedules:
  payments:
    time_zone: Europe/Berlin
    fallback: out
    layers:
      - people: [anna, [ben, cem]]
        every: weekly
        weekday: wednesday
        start: 2026-03-02
        at: "10:30"
      - name: nights
        people: [cem]
        every: {hours: 12}
        start: 2026-03-02
        until: 2026-06-01
        time_zone: America/New_York
        restrictions:
          - {start_time: "22:00", end_time: "06:00", weekdays: [monday:thursday, saturday]}
          - {weekdays: "saturday:sunday"}
    overrides:
      - {start: 2026-03-29T02:30, end: "2026-03-29T12:00:00+02:00", people: ben}
"""
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(ChannelRegistry.load(), HookRegistry.load())


def as_yaml_1_2(text: str) -> str:
    """Dates as texts, which they are to an editor and to the bridge, if not to PyYAML."""
    return re.sub(r"(start|until): (\d{4}-\d\d-\d\d)(?!T)", r'\1: "\2"', text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_people_have_channels_by_kind_and_rules_in_the_order_of_time(tmp_path: Path) -> None:
    people = valid(load_text(tmp_path, FULL)).people

    assert people["anna"] == Person(
        name="anna",
        shown="Anna Alba",
        zone="Europe/Berlin",
        channels={"slack": "out", "sms": "out"},
        rules=(Rule(timedelta(), ("slack",)), Rule(timedelta(minutes=5), ("sms",))),
        emails=("anna@example.com",),
    )
    assert people["ben"].rules == (Rule(timedelta(), ("slack",)),), "without rules every channel at once"
    assert people["cem"] == Person("cem", "cem", "UTC", {}, ())


def test_a_schedule_means_what_it_says(tmp_path: Path) -> None:
    assert valid(load_text(tmp_path, FULL)).schedules["payments"] == Schedule(
        name="payments",
        zone="Europe/Berlin",
        fallback="out",
        layers=(
            Layer(
                name="layer 1",
                rotation=Rotation(Weeks(1, 2), date(2026, 3, 2), 630),
                people=(("anna",), ("ben", "cem")),
                zone="Europe/Berlin",
            ),
            Layer(
                name="nights",
                rotation=Rotation(Hours(12), date(2026, 3, 2), 540),
                people=(("cem",),),
                zone="America/New_York",
                windows=(
                    Window(22 * 60, 6 * 60, frozenset({0, 1, 2, 3, 5})),
                    Window(0, 1440, frozenset({5, 6})),
                ),
                until=utc("2026-06-01T04:00"),
            ),
        ),
        overrides=(Override(utc("2026-03-29T01:00"), utc("2026-03-29T10:00"), ("ben",)),),
    )


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("every: daily", Days()),
        ("every: {days: 3}", Days(3)),
        ("every: {weeks: 2}", Weeks(2, 0)),
        ("every: {hours: 8}", Hours(8)),
        ("every: weekdays", Weekdays(keeps_weekend=True)),
        ("{every: weekdays, weekend: nobody}", Weekdays(keeps_weekend=False)),
        ("weekday: sunday", Weeks(1, 6)),
    ],
)
def test_the_ways_to_rotate(tmp_path: Path, schema: dict[str, Any], text: str, every: Every) -> None:
    options = text.strip("{}") if text.startswith("{") else text
    written = SMALLEST + PEOPLE + f"schedules: {{s: {{layers: [{{people: [anna], start: 2026-03-02, {options}}}]}}}}"

    assert valid(load_text(tmp_path, written)).schedules["s"].layers[0].rotation.every == every
    assert faults(schema, as_yaml_1_2(written)) == []


def test_a_calendar_belongs_to_a_schedule_and_its_address_may_be_a_secret(tmp_path: Path) -> None:
    text = SMALLEST + "schedules: {s: {ical: {url: env:CALENDAR, match: name}}}"
    loaded = load_text(tmp_path, text, {"CALENDAR": "https://calendar.example/x.ics"})

    calendar = valid(loaded).calendars["s"]
    assert (calendar.every, calendar.match, calendar.use) == (timedelta(minutes=15), "name", "overrides")
    assert [use.path for use in loaded.secrets] == [("schedules", "s", "ical", "url")]


def test_a_teams_file_may_hold_people_and_schedules(tmp_path: Path) -> None:
    team = "schedules: {s: {layers: [{people: [dora], start: 2026-03-02}]}}\npeople: {dora: {channels: {any: out}}}"
    config = valid(load_files(tmp_path, {"main.yml": SMALLEST, "team.yml": team}))

    assert on_call(config.schedules["s"], utc("2026-03-20")) == ("dora",)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("people: {x: {chanels: {}}}", ["1:14: people.x.chanels: unknown key; did you mean 'channels'?"]),
        ("people: {x: {channels: {sms: outt}}}", ["1:30: there is no channel 'outt'; did you mean 'out'?"]),
        (
            "people: {x: {channels: {sms: out}, rules: [{notify: sns}]}}",
            ["1:13: people.x: rules: there is no kind of channel 'sns'; did you mean 'sms'?"],
        ),
        (
            "people: {x: {channels: {sms: out}, rules: [{notify: sms, after: 5m}, {notify: sms}]}}",
            ["1:13: people.x: the rules are in the order of their times: `after` must grow"],
        ),
        ("people: {x: {email: A@b.de}, y: {email: a@B.de}}", ["1:30: people: 'x' has the address 'a@b.de' too"]),
        (
            "people: {x: {accounts: {slack: U1}}, y: {accounts: {telegram: U1, slack: [U2, U1]}}}",
            ["1:38: people: 'x' has the slack account 'U1' too"],
        ),
        (
            "people: {x: {time_zone: Europe/Berln}}",
            ["1:25: people.x.time_zone: 'Europe/Berln' is not a time zone; write it like Europe/Berlin"],
        ),
        ("people: {x: 1}", ["1:13: people.x is a mapping of keys to values"]),
        ("people: [x]", ["1:9: people is a mapping of keys to values"]),
        ("schedules: {s: {}}", ["1:16: schedules.s: it needs `layers:` or `ical:`"]),
        (
            "schedules: {a b: {ical: {url: 'https://x.example/'}}}",
            ["1:13: 'a b': a schedule's name is part of its path: letters, digits, '.', '_', '-'"],
        ),
        (
            "schedules: {s: {layers: [{people: [x, [y]], start: 2026-03-02}]}}\npeople: {x: }",
            ["1:40: there is no person 'y'; known: x"],
        ),
        (
            "schedules: {s: {fallback: nobody, layers: [{people: [x], start: 2026-03-02}]}}\npeople: {x: }",
            ["1:27: there is no receiver 'nobody'; known: out"],
        ),
        (
            "schedules: {s: {layers: [{people: [], start: soon, every: hourly, at: 9}]}}",
            [
                "1:35: schedules.s.layers.1.people: has too few entries",
                "1:46: schedules.s.layers.1.start: input should be a valid date or datetime, input is too short",
                "1:59: schedules.s.layers.1.every: input should be 'daily', 'weekly' or 'weekdays'",
                "1:71: schedules.s.layers.1.at: '9' is not a time of day; write it like '09:30', at most '24:00'",
            ],
        ),
        (
            "schedules: {s: {layers: [{people: [x], start: 2026-03-02, every: {days: 1, hours: 1}}]}}\npeople: {x: }",
            ["1:66: schedules.s.layers.1.every: give one of days, weeks, hours"],
        ),
        (
            "schedules: {s: {layers: [{people: [x], start: 2026-03-02, every: daily, weekday: monday}]}}\npeople: {x: }",
            ["1:26: schedules.s.layers.1: weekday belongs to `every: weekly` or `every: {weeks: …}`"],
        ),
        (
            "schedules: {s: {layers: [{people: [x], start: 2026-03-02, weekend: nobody}]}}\npeople: {x: }",
            ["1:26: schedules.s.layers.1: weekend belongs to `every: weekdays`"],
        ),
        (
            "schedules: {s: {ical: {url: x}, overrides: [{start: 2026-03-02, end: 2026-03-01, people: x}]}}\npeople: {x: }",
            ["1:16: schedules.s: overrides: the end of number 1 is not after its start"],
        ),
        (
            "schedules: {s: {layers: [{people: [x], start: 2026-03-02, restrictions: [{weekdays: mondey}]}]}}\npeople: {x: }",
            [
                "1:85: schedules.s.layers.1.restrictions.1.weekdays: 'mondey' is not a day of the week; did you mean 'monday'?"
            ],
        ),
    ],
)
def test_mistakes_are_named_at_their_place(tmp_path: Path, text: str, messages: list[str]) -> None:
    assert said(load_text(tmp_path, text + SMALLEST)) == [f"main.yml:{message}" for message in messages]


def test_the_schema_knows_people_and_schedules(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert faults(schema, as_yaml_1_2(FULL)) == []
    assert "people/x" in faults(schema, "people: {x: {chanels: {}}}")
    assert any(fault.startswith("schedules/s") for fault in faults(schema, "schedules: {s: {layers: [{}]}}"))


def test_accounts_are_texts_by_kind(tmp_path: Path) -> None:
    accounts = "{telegram: 123456789012, phone: [+49301, '+49302'], slack: U1}"
    config = valid(load_text(tmp_path, f"{SMALLEST}people: {{x: {{accounts: {accounts}}}}}\n"))
    assert config.people["x"].accounts == {
        "slack": ("U1",), "telegram": ("123456789012",), "phone": ("+49301", "+49302"),
    }  # fmt: skip
