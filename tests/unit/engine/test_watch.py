"""What the bridge judges of itself, without any of it running."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from bridge.engine.watch import (
    Bounds,
    Concern,
    Finding,
    News,
    Seen,
    Stage,
    Standing,
    Stuck,
    follow,
    is_lost,
    is_well,
    judge,
)
from tests.bridge_bench import START

BOUNDS = Bounds()
STALLED = Finding(Concern.STAGE_STALLED, "sender", "no turn of it comes to an end", 31.0)
LAGS = Finding(Concern.LOOP_LAGS, "", "the event loop was late by up to 0.40 s")

SEEN = {
    Concern.STAGE_STALLED: (Seen(stages=(Stage("sender", 30.1),)), Seen(stages=(Stage("sender", 30.0, "KeyError"),))),
    Concern.DELIVERIES_STUCK: (Seen(stuck=(Stuck("pager", 60.1),)), Seen(stuck=(Stuck("pager", 60.0),))),
    Concern.REQUESTS_STUCK: (Seen(request=60.1), Seen(request=60.0)),
    Concern.ESCALATION_OVERDUE: (Seen(timers={"step": 60.1}), Seen(timers={"step": 60.0, "flush": 1.0})),
    Concern.JUDGEMENT_OVERDUE: (Seen(timers={"flush": 60.1}), Seen(timers={"alert": 60.0})),
    Concern.CHECKPOINT_OVERDUE: (Seen(unsigned=True), Seen()),
    Concern.DATABASE_FAILS: (Seen(database="it does not commit: full", commit=3.0), Seen(commit=20.0)),
    Concern.WRITER_DEAD: (Seen(writer_alive=False), Seen()),
    Concern.LOOP_LAGS: (Seen(lag=0.3), Seen(lag=0.25)),
    Concern.CLOCK_JUMPED: (Seen(jumped="forward by 1:00:00"), Seen()),
    Concern.CLOCK_DIFFERS: (Seen(clock="forward by 1:00:00 off"), Seen()),
    Concern.HEARTBEAT_FAILS: (Seen(heartbeat="HTTP 500"), Seen()),
}
QUIET_HEART = {Concern.CLOCK_JUMPED, Concern.CLOCK_DIFFERS, Concern.HEARTBEAT_FAILS, Concern.LOOP_LAGS}


@pytest.mark.parametrize("concern", list(Concern))
def test_each_concern_is_found_beyond_its_bound_and_not_within(concern: Concern) -> None:
    beyond, within = SEEN[concern]
    assert [finding.concern for finding in judge(beyond, BOUNDS)] == [concern]
    assert judge(within, BOUNDS) == []


@pytest.mark.parametrize("concern", list(Concern))
def test_the_heartbeat_stops_for_what_keeps_alerts_from_people(concern: Concern) -> None:
    well = is_well(judge(SEEN[concern][0], BOUNDS))
    assert well is (concern in QUIET_HEART | {Concern.CHECKPOINT_OVERDUE})


@pytest.mark.parametrize("kind", ["heartbeat", "drill"])
def test_what_watches_for_others_is_watched(kind: str) -> None:
    [finding] = judge(Seen(timers={kind: 60.1}), BOUNDS)
    assert (finding.concern, finding.name) == (Concern.JUDGEMENT_OVERDUE, kind)


def test_a_finding_says_what_is_wrong() -> None:
    failing = Seen(stages=(Stage("sweeper", 40.0, "KeyError"),), stuck=(Stuck("pager", 70.0, 3),))
    assert [(finding.name, finding.detail) for finding in judge(failing, BOUNDS)] == [
        ("sweeper", "its turns fail: KeyError"),
        ("pager", "3 deliveries were not known to the sender; it was told of them"),
    ]


def through(*rounds: tuple[float, Iterable[Finding]]) -> tuple[tuple[Standing, ...], list[News]]:
    """Look at these seconds, finding that."""
    standing: tuple[Standing, ...] = ()
    told: list[News] = []
    for at, findings in rounds:
        standing, news = follow(standing, findings, at, START + timedelta(seconds=at), BOUNDS)
        told += news
    return standing, told


def test_what_has_lasted_already_is_news_at_once_and_only_once() -> None:
    standing, news = through((100, [STALLED]), (101, [STALLED]), (102, [STALLED]))
    assert [(item.over, item.standing.finding) for item in news] == [(False, STALLED)]
    assert [found.since for found in standing] == [START + timedelta(seconds=69)]


def test_a_loop_that_was_late_once_is_no_news_and_one_that_is_late_for_long_is() -> None:
    rounds = [(float(at), [LAGS]) for at in range(29)]
    assert through(*rounds)[1] == []
    assert through(*rounds, (29.0, []), (30.0, [LAGS]))[1] == []
    assert [item.over for item in through(*rounds, (29.0, [LAGS]), (30.0, [LAGS]))[1]] == [False]


def test_it_is_over_after_ten_seconds_of_calm_and_that_is_news_once() -> None:
    rounds = [(1.0, [STALLED]), (5.0, []), (10.9, [])]
    standing, news = through(*rounds)
    assert [found.finding for found in standing] == [STALLED]
    assert [item.over for item in news] == [False]

    standing, news = through(*rounds, (11.0, []), (12.0, []))
    assert standing == ()
    assert [item.over for item in news] == [False, True]


def test_what_comes_and_goes_is_told_as_one_trouble() -> None:
    rounds = [(at * 5.0, [STALLED] if at % 2 == 0 else []) for at in range(20)]
    assert [item.over for item in through(*rounds)[1]] == [False]


def test_two_channels_are_two_troubles_and_their_words_may_change() -> None:
    pager, mail = (Finding(Concern.DELIVERIES_STUCK, name, "x", 61.0) for name in ("pager", "mail"))
    later = Finding(Concern.DELIVERIES_STUCK, "pager", "y", 99.0)
    standing, news = through((0.0, [pager, mail]), (1.0, [later, mail]))
    assert len(news) == 2
    assert {found.finding.detail for found in standing} == {"x", "y"}


def test_a_bridge_is_lost_without_a_writer_and_with_one_that_hangs_for_a_minute() -> None:
    assert is_lost(Seen(writer_alive=False), BOUNDS)
    assert is_lost(Seen(hangs=True, commit=61.0), BOUNDS)
    assert not is_lost(Seen(hangs=True, commit=59.0), BOUNDS)
    assert not is_lost(Seen(database="it does not commit: full", commit=600.0), BOUNDS)
