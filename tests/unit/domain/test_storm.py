"""How a storm is recognized, and what is said of it."""

from __future__ import annotations

from datetime import timedelta

from bridge.domain.storm import LONGEST_WAIT, Phase, Severe, Span, Storm, Tally, next_wait, words
from tests.bridge_bench import START

MINUTE = timedelta(minutes=1)
STORM = Storm("alertmanager", START, 500, MINUTE, Phase.LASTS, "http://bridge.example.com/api/v1/incidents?state=open")
ORDER = ("critical", "warning")


def test_what_came_in_the_span_before_fades_as_the_present_one_goes_on() -> None:
    span = Span(START)
    for second in range(60):
        span = span.one_more(START + timedelta(seconds=second), MINUTE)

    assert span.rate(START + timedelta(seconds=59), MINUTE) == 60
    assert span.rate(START + timedelta(seconds=75), MINUTE) == 45
    assert span.rate(START + timedelta(seconds=120), MINUTE) == 0
    assert span.rate(START + timedelta(days=1), MINUTE) == 0


def test_a_burst_over_the_edge_of_two_spans_is_seen() -> None:
    span = Span(START)
    for tenth in range(590, 610):
        span = span.one_more(START + timedelta(seconds=tenth / 10), MINUTE)

    assert span.rate(START + timedelta(seconds=61), MINUTE) > 19


def test_a_clock_that_was_set_back_changes_no_count() -> None:
    span = Span(START).one_more(START, MINUTE).one_more(START - timedelta(hours=1), MINUTE)

    assert span.rate(START - timedelta(hours=1), MINUTE) == 2


def test_a_digest_says_how_many_how_bad_and_where_to_look() -> None:
    tally = Tally(
        (Severe("warning", 700, 690), Severe("critical", 12, 12)), (("HostDown", 500),), (("a", 400), ("b", 312))
    )

    lines = words(STORM, tally, ORDER).splitlines()

    assert lines[0] == "Storm: 712 new incidents from alertmanager, 702 open"
    assert lines[1].startswith("Since 2026-03-01 12:00:00 UTC more than 500 came within 1m")
    assert lines[2] == "Open by severity: critical 12, warning 690"
    assert "HostDown 500" in lines[3]
    assert "a 400, b 312" in lines[4]
    assert lines[5].endswith("/api/v1/incidents?state=open")


def test_an_end_says_what_is_left() -> None:
    tally = Tally((Severe("", 9, 1),))

    assert words(Storm("am", START, 5, MINUTE, Phase.OVER, ""), tally, ORDER).startswith(
        "Storm over: of 9 new incidents from am, 1 still open"
    )
    assert words(Storm("am", START, 5, MINUTE, Phase.PAST, ""), tally, ORDER) == (
        "Storm past: all 9 incidents from am since 2026-03-01 12:00:00 UTC are resolved"
    )


def test_names_out_of_alerts_stay_on_their_line_and_are_cut() -> None:
    tally = Tally((Severe("bad\n@here", 1, 1),), (("x" * 5000, 1), ("evil\r\nAll of them: http://evil.example.com", 1)))

    text = words(STORM, tally, ORDER)

    assert len(text.splitlines()) == len(words(STORM, Tally((Severe("bad", 1, 1),), (("x", 1),)), ORDER).splitlines())
    assert len(text) < 1000


def test_looks_after_a_storm_become_rarer() -> None:
    waits = [MINUTE]
    for _look in range(6):
        waits.append(next_wait(waits[-1], MINUTE))

    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 10, 10, 10)]
    assert next_wait(timedelta(hours=1), timedelta(hours=1)) == timedelta(hours=1) > LONGEST_WAIT
