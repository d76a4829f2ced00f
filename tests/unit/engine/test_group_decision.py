"""What a look at a group finds."""

from __future__ import annotations

import pytest

from bridge.engine.group_decision import Found, Occasion, Standing, decide
from bridge.hooks.api import Transition

TICK = Occasion(opens=False)
AT_ONCE = Occasion(opens=False, ticks=False)
OPENING = Occasion(opens=True)
NO_ENDS = Occasion(opens=False, ends=False)


def firing(number: int = 1, planned: str = "", was: str = "", now: str = "", *, news: bool = False) -> Standing:
    return Standing(number, True, planned, was, now, news)


def ended(number: int = 1, planned: str = "", *, news: bool = False) -> Standing:
    return Standing(number, False, planned, "", "", news)


@pytest.mark.parametrize(
    ("alerts", "occasion", "transition"),
    [
        ([firing()], OPENING, Transition.OPENED),
        ([firing(now="silenced")], OPENING, None),
        ([ended()], OPENING, None),
        ([ended(planned="firing")], TICK, Transition.RESOLVED),
        ([ended(planned="withdrawn")], TICK, Transition.RESOLVED),
        ([firing(planned="firing")], TICK, None),
        ([firing(1, "firing"), firing(2)], TICK, Transition.CHANGED),
        ([firing(1, "firing"), firing(2, now="inhibited")], TICK, None),
        ([firing(1, "firing"), ended(2, "firing")], TICK, Transition.CHANGED),
        ([firing(1, "firing"), ended(2, "resolved")], TICK, None),
        ([firing(1, "firing"), ended(2)], TICK, Transition.CHANGED),
        ([firing(1, "firing"), ended(2, "again")], TICK, None),
        ([firing(1, "firing"), ended(2, "past")], TICK, None),
        ([firing(1, "firing"), Standing(2, False, "", "ended")], TICK, None),
        ([firing(1, "firing", "silenced", "silenced"), ended(2, "firing")], TICK, Transition.CHANGED),
        ([firing(1, "withdrawn", "inhibited")], TICK, Transition.CHANGED),
        ([firing(1, "firing", "inhibited")], TICK, None),
        ([firing(1, "firing", "silenced")], TICK, Transition.REPEAT),
        ([firing(1, "firing", "muted")], TICK, Transition.REPEAT),
        ([firing(1, "firing", "silenced", "muted")], TICK, None),
        ([firing(1, "firing")], Occasion(opens=False, remind=True), Transition.REPEAT),
        ([firing(1, "firing", now="muted")], Occasion(opens=False, remind=True), None),
        ([firing(1, "firing"), ended(2, "firing")], NO_ENDS, None),
        ([firing(1, "firing"), ended(2, "firing")], Occasion(opens=False, remind=True, ends=False), Transition.REPEAT),
        ([ended(2, "firing")], NO_ENDS, Transition.RESOLVED),
        ([firing(1)], AT_ONCE, None),
        ([firing(1, news=True)], AT_ONCE, Transition.CHANGED),
        ([firing(1, was="inhibited")], AT_ONCE, Transition.CHANGED),
        ([firing(1), ended(2, news=True)], AT_ONCE, Transition.CHANGED),
        ([firing(1), ended(2, "firing")], AT_ONCE, None),
        ([firing(1, "firing")], Occasion(opens=False, ticks=False, repeated=True), Transition.REPEAT),
        ([firing(1, "firing", now="muted")], Occasion(opens=False, ticks=False, repeated=True), None),
    ],
)
def test_who_is_told(alerts: list[Standing], occasion: Occasion, transition: Transition | None) -> None:
    assert decide(alerts, occasion).transition is transition


def test_what_is_told_is_planned_and_what_is_left_out_is_withdrawn() -> None:
    alerts = [firing(1), firing(2, "firing", now="silenced"), firing(3, now="muted"), ended(4, "firing")]

    assert decide(alerts, TICK) == Found(
        Transition.CHANGED, about=(1, 4), planned={1: "firing", 2: "withdrawn", 4: "resolved"}
    )


def test_an_end_that_the_next_notification_leaves_out_is_past() -> None:
    alerts = [
        firing(1),
        ended(2, "resolved"),
        ended(3),
        Standing(4, False, "", "ended"),
        firing(5, "again", now="muted"),
    ]

    assert decide(alerts, TICK).planned == {1: "firing", 2: "past", 3: "resolved", 4: "past", 5: ""}
    assert decide([firing(1, news=True), ended(2, "resolved")], AT_ONCE).planned == {1: "firing"}


def test_a_flap_after_a_told_end_is_listed_where_there_is_other_news() -> None:
    assert decide([firing(1), ended(2, "again"), ended(3, "resolved")], TICK).about == (1, 2)


def test_nothing_told_plans_nothing() -> None:
    assert decide([firing(1, "firing", now="silenced")], TICK).planned == {}


def test_what_was_left_out_is_told_anew_and_what_waited_for_its_first_tick_is_not() -> None:
    alerts = [firing(1, "withdrawn", "inhibited"), firing(2, "", "silenced"), firing(3, "", "waits")]

    assert decide(alerts, TICK).again == (1, 2)


@pytest.mark.parametrize("occasion", [Occasion(opens=False, remind=True), TICK])
def test_a_reminder_of_our_own_is_no_duplicate(occasion: Occasion) -> None:
    assert decide([firing(1, "firing", "silenced")], occasion).due
    assert not decide([firing(1, "firing")], Occasion(opens=False, ticks=False, repeated=True)).due
