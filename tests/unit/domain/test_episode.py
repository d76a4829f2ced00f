"""The reducer: only a transition is news, in whatever order the replicas of a sender deliver."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.alert import Alert
from bridge.domain.episode import Episode, News, reduce
from tests.bridge_bench import START, firing, resolved

LATER = START + timedelta(hours=1)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def story(*reports: Alert, now: datetime = LATER) -> list[News]:
    """What each report means, one after the other."""
    known: Episode | None = None
    news = []
    for report in reports:
        found, known = reduce(known, report, now)
        news.append(found)
    return news


def test_a_first_firing_opens_and_its_repeats_do_not() -> None:
    assert story(firing(), firing(), firing()) == [News.OPENED, News.REPEAT, News.REPEAT]


def test_an_end_resolves_once() -> None:
    assert story(firing(), resolved(end=at(5)), resolved(end=at(5))) == [News.OPENED, News.RESOLVED, News.DUPLICATE]


def test_a_firing_after_the_end_is_a_new_episode() -> None:
    reports = (firing(), resolved(end=at(5)), firing(at=at(7)), resolved(at=at(7), end=at(9)))

    assert story(*reports) == [News.OPENED, News.RESOLVED, News.OPENED, News.RESOLVED]


def test_a_firing_no_newer_than_a_known_end_is_late() -> None:
    assert story(firing(), resolved(end=at(5)), firing()) == [News.OPENED, News.RESOLVED, News.LATE]


def test_a_late_firing_that_waited_is_believed() -> None:
    ended = Episode(1, resolved(end=at(5)).status, START, at(5))

    news, after = reduce(ended, firing(), LATER, confirmed=True)

    assert news is News.OPENED
    assert after is not None
    assert (after.number, after.ends_at) == (2, None)


def test_replicas_that_disagree_on_the_start_are_one_episode() -> None:
    assert story(firing(at=at(0)), firing(at=at(1)), firing(at=at(0)), resolved(at=at(1), end=at(5))) == [
        News.OPENED, News.REPEAT, News.REPEAT, News.RESOLVED,
    ]  # fmt: skip


def test_the_late_end_of_an_earlier_episode_does_not_end_the_present_one() -> None:
    """Its resolve was lost meanwhile, so the second firing came as a repeat with a newer start."""
    assert story(firing(), firing(at=at(10)), resolved(end=at(5))) == [News.OPENED, News.REPEAT, News.STALE]


def test_the_end_of_a_firing_never_seen_is_unseen() -> None:
    assert story(resolved(end=at(5)), resolved(end=at(5))) == [News.UNSEEN, News.DUPLICATE]
    assert story(firing(), resolved(end=at(5)), resolved(at=at(7), end=at(9))) == [
        News.OPENED, News.RESOLVED, News.UNSEEN,
    ]  # fmt: skip


def test_an_end_in_the_future_counts_as_now() -> None:
    """A wrong clock must not make every firing after it look late."""
    _news, after = reduce(None, resolved(end=LATER + timedelta(days=1)), LATER)

    assert after is not None
    assert after.ends_at == LATER


reports = st.lists(
    st.integers(0, 5).flatmap(
        lambda number: st.sampled_from(
            [firing(at=at(10 * number)), resolved(at=at(10 * number), end=at(10 * number + 5))]
        )
    ),
    max_size=12,
)


@given(reports)
def test_the_same_report_twice_is_never_news_again(given_reports: list[Alert]) -> None:
    known: Episode | None = None
    for report in given_reports:
        _news, known = reduce(known, report, LATER)
        again, after = reduce(known, report, LATER)

        assert again in {News.REPEAT, News.DUPLICATE, News.STALE, News.LATE}
        assert after == known
        known = after


class Reference:
    """The rules once more, said as a list of episodes."""

    def __init__(self) -> None:
        self.episodes: list[list[datetime | None]] = []  # [latest start, end]

    def apply(self, alert: Alert) -> str:
        open_one = self.episodes[-1] if self.episodes and self.episodes[-1][1] is None else None
        last_end = self.episodes[-1][1] if self.episodes else None
        if alert.status.value == "firing":
            return self.fire(alert.starts_at, open_one, last_end)
        return self.end(alert.starts_at, alert.ends_at, open_one, last_end)

    def fire(self, start: datetime, open_one: list[datetime | None] | None, last_end: datetime | None) -> str:
        if open_one is not None:
            open_one[0] = max(open_one[0], start)
            return "repeat"
        if last_end is None or start > last_end:
            self.episodes.append([start, None])
            return "opened"
        return "late"

    def end(
        self, start: datetime, end: datetime, open_one: list[datetime | None] | None, last_end: datetime | None
    ) -> str:
        if open_one is not None:
            if end < open_one[0]:
                return "stale"
            open_one[1] = end
            return "resolved"
        if last_end is None or start > last_end:
            self.episodes.append([start, end])
            return "unseen"
        self.episodes[-1][1] = max(last_end, end)
        return "duplicate"


@given(reports)
def test_the_reducer_agrees_with_a_list_of_episodes(given_reports: list[Alert]) -> None:
    reference = Reference()
    known: Episode | None = None
    for report in given_reports:
        news, known = reduce(known, report, LATER)

        assert news.value == reference.apply(report)
        assert known is not None
        assert known.number == len(reference.episodes)
        assert [known.starts_at, known.ends_at] == reference.episodes[-1]


@given(st.lists(st.booleans(), min_size=1, max_size=4), st.randoms())
def test_two_replicas_in_any_interleaving_make_one_story(fires: list[bool], rng: object) -> None:
    """Each of an HA pair sends the same story in its own time; transitions are counted once."""
    one = [
        report
        for number in range(len(fires))
        for report in (firing(at=at(20 * number)), resolved(at=at(20 * number), end=at(20 * number + 5)))
    ]
    left, right = list(one), list(one)
    merged = []
    while left or right:
        side = left if not right or (left and rng.random() < 0.5) else right  # type: ignore[attr-defined]
        merged.append(side.pop(0))

    news = story(*merged)

    assert news.count(News.OPENED) <= len(fires)
    assert news.count(News.OPENED) + news.count(News.LATE) >= 1
    assert news.count(News.RESOLVED) == news.count(News.OPENED)
