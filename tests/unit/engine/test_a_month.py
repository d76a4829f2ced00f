"""A month of a team's life holds together: who is paged, when, and when nobody is.

`ALERTBRIDGE_MONTH=FILE` writes the timeline, to be read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.secrets.instance import InstanceKeys
from tests.unit.engine.month import BERLIN, SILENCED, Heard, Month, on_call

OF_PEOPLE = frozenset({"anna-chat", "anna-sms", "ben-chat", "ben-sms", "cara-chat"})


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    lived = Month(tmp_path_factory.mktemp("month"))
    asyncio.run(lived.live())
    if name := os.environ.get("ALERTBRIDGE_MONTH"):
        Path(name).write_text("\n".join(lived.timeline()) + "\n")
    return lived


def pages(month: Month) -> Iterator[Heard]:
    return (one for one in month.heard if one.reason == "escalated")


def during(month: Month, what: str, name: str) -> list[Heard]:
    return [one for one in month.done if one.reason == what and one.what.startswith(name)]


def test_it_was_a_month_with_something_in_it(month: Month) -> None:
    assert len(list(pages(month))) > 100
    assert len(during(month, "ACKNOWLEDGES", "")) > 30
    assert {one.reason for one in month.heard} == {"opened", "resolved", "escalated", "reminder", "notice"}


def test_whoever_was_on_call_was_paged_and_nobody_else_of_the_team(month: Month) -> None:
    """A rule of five minutes may outlast a hand-off: it is whose rule it is."""
    for page in pages(month):
        if page.channel in OF_PEOPLE:
            began = page.at - timedelta(minutes=5) if page.channel.endswith("-sms") else page.at
            assert page.channel.startswith(on_call(began)), str(page)


def test_what_is_acknowledged_pages_nobody_until_it_fires_anew(month: Month) -> None:
    for taken in during(month, "ACKNOWLEDGES", ""):
        ends = [one.at for one in during(month, "ENDS", taken.what) if one.at > taken.at]
        after = [
            one for one in pages(month) if one.what == taken.what and taken.at < one.at < min(ends, default=taken.at)
        ]
        assert after == [], f"{taken} and then {after[0]}"


def test_what_is_silenced_is_told_to_nobody_but_its_end_to_those_who_knew(month: Month) -> None:
    silences = during(month, "SILENCED", "")
    assert len(silences) > 5
    for silence in silences:
        name = silence.what.split()[0]
        for one in month.heard:
            if one.what == name and silence.at < one.at < silence.at + SILENCED:
                assert one.reason == "resolved", f"{silence} and then {one}"


def test_what_is_not_urgent_is_told_in_the_office_alone(month: Month) -> None:
    firing = {one.at for one in month.done if one.reason == "FIRES" and one.what.endswith("warning")}
    assert firing
    for one in month.heard:
        if one.reason == "opened" and one.channel == "room" and is_warning(month, one):
            assert one.at.weekday() < 5, str(one)
            assert 9 <= one.at.hour < 17, str(one)


def is_warning(month: Month, heard: Heard) -> bool:
    fired = [
        one for one in month.done if one.reason == "FIRES" and one.what.startswith(heard.what) and one.at <= heard.at
    ]
    return fired[-1].what.endswith("warning")


def test_hand_offs_are_on_monday_at_ten_in_winter_and_in_summer(month: Month) -> None:
    notices = [one for one in month.heard if one.reason == "notice" and one.channel in OF_PEOPLE]
    weekly = [one for one in notices if (one.at.weekday(), one.at.hour, one.at.minute) == (0, 10, 0)]
    assert [one.channel.partition("-")[0] for one in weekly] == ["ben", "cara", "anna", "ben", "cara"]
    assert {one.at.utcoffset() for one in weekly} == {timedelta(hours=1), timedelta(hours=2)}
    others = [(f"{one.at.astimezone(BERLIN):%d %H:%M}", one.channel) for one in notices if one not in weekly]
    assert others == [("14 08:00", "anna-chat"), ("15 20:00", "ben-chat")]


def test_everything_that_was_told_to_the_room_was_told_to_its_end(month: Month) -> None:
    told: dict[str, int] = {}
    for one in month.heard:
        if one.channel == "room" and one.reason in {"opened", "resolved"}:
            told[one.what] = told.get(one.what, 0) + (1 if one.reason == "opened" else -1)
    assert set(told.values()) == {0}


def test_the_audit_of_the_month_holds(month: Month) -> None:
    keys = InstanceKeys.load_or_create(month.folder / "bridge.db.keys")
    assert [str(one) for one in verify(month.folder / "bridge.db", Trust(keys.verifiers)).findings] == []
