"""What is news to people, and what is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bridge.domain.message import Message
from tests.bridge_bench import MINIMAL, START, engine, firing, resolved

HOOKLESS = MINIMAL + "  hooks: []\n"
BY_SEVERITY = MINIMAL + "  group_by: [team]\n"


def names(message: Message) -> list[str]:
    return [f"{alert.labels['instance']} {alert.status.value}" for alert in message.alerts]


async def test_an_alert_that_joins_its_group_changes_the_incident(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing(instance="a"))
        await bench.post(firing(instance="a"), firing(instance="b"))

        assert bench.told() == ["people opened", "people changed"]
        assert names(bench.sent[1]) == ["a firing", "b firing"]


async def test_one_alert_ending_is_told_once_with_those_that_still_fire(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        end = bench.clock.turn(minutes=1)
        await bench.post(firing(instance="a"), resolved(instance="b", end=end))
        await bench.post(firing(instance="a"), resolved(instance="b", end=end))
        await bench.post(resolved(instance="a", end=bench.clock.turn(minutes=1)))

        assert bench.told() == ["people opened", "people changed", "people resolved"]
        assert names(bench.sent[1]) == ["a firing", "b resolved"]
        assert names(bench.sent[2]) == ["a resolved"]


async def test_annotations_alone_are_no_news(tmp_path: Path) -> None:
    from msgspec.structs import replace

    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(replace(firing(), annotations={"summary": "other"}))

        assert bench.told() == ["people opened"]


async def test_a_repeat_within_the_window_is_a_duplicate_and_after_it_a_reminder(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        bench.clock.turn(minutes=4, seconds=59)
        await bench.post(firing())
        assert bench.told() == ["people opened"]

        bench.clock.turn(seconds=1)
        await bench.post(firing())
        await bench.post(firing())  # the pair's second replica

        assert bench.told() == ["people opened", "people reminder"]


async def test_without_dedupe_every_repeat_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path, HOOKLESS) as bench:
        await bench.post(firing())
        await bench.post(firing())

        assert bench.told() == ["people opened", "people reminder"]


async def test_a_new_episode_after_the_end_opens_a_new_incident(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        await bench.post(firing(at=bench.clock.turn(minutes=1)))

        assert bench.told() == ["people opened", "people resolved", "people opened"]
        assert len({message.incident for message in bench.sent}) == 2


async def test_an_end_whose_beginning_never_came_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(resolved(end=START))

        assert bench.told() == ["people resolved"]


async def test_a_late_firing_followed_by_its_end_is_stale_and_told_to_nobody(tmp_path: Path) -> None:
    """The slower replica of a pair: firing, resolved, late firing, resolved."""
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        end = bench.clock.turn(minutes=1)
        await bench.post(resolved(end=end))
        bench.clock.turn(seconds=15)
        await bench.post(firing())
        await bench.post(resolved(end=end))
        await bench.pass_time(minutes=2, step=10)

        assert bench.told() == ["people opened", "people resolved"]
        assert [reason for _kind, reason, _channel in await bench.audit("stale")] == ["late"]


async def test_a_late_firing_that_stays_reopens_its_incident(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        bench.clock.turn(seconds=15)
        await bench.post(firing())
        await bench.pass_time(seconds=61, step=10)

        assert bench.told() == ["people opened", "people resolved", "people opened"]
        assert len({message.incident for message in bench.sent}) == 1
        assert len(await bench.audit("reopened")) == 1


async def test_a_stale_end_does_not_end_a_newer_firing(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(firing(at=START + timedelta(minutes=10)))
        await bench.post(resolved(end=START + timedelta(minutes=5)))

        assert bench.told() == ["people opened"]
        assert len(await bench.audit("stale")) == 1


async def test_the_senders_grouping_is_kept_unless_the_route_groups(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing("One", team="x"))
        await bench.post(firing("Two", team="x"))
        assert len({message.incident for message in bench.sent}) == 2
    async with engine(tmp_path / "grouped", BY_SEVERITY) as bench:
        await bench.post(firing("One", team="x"))
        await bench.post(firing("Two", team="x"))
        assert len({message.incident for message in bench.sent}) == 1


async def test_sources_and_organisations_do_not_share_incidents_or_ends(tmp_path: Path) -> None:
    from msgspec.structs import replace

    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(firing(source="other"))
        await bench.post(replace(firing(), org="7"))
        await bench.post(resolved(source="other", end=bench.clock.turn(minutes=1)))

        assert len({message.incident for message in bench.sent}) == 3
        assert [message.source for message in bench.sent if message.reason == "resolved"] == ["other"]


async def test_with_continue_an_alert_is_in_several_incidents(tmp_path: Path) -> None:
    text = MINIMAL + (
        "  routes:\n"
        "    - {name: first, matchers: ['severity=\"page\"'], receiver: people, continue: true}\n"
        "    - {name: second, matchers: ['severity=\"page\"'], receiver: pager}\n"
    )
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(severity="page"))
        await bench.post(resolved(severity="page", end=bench.clock.turn(minutes=1)))

        assert sorted(bench.told()) == ["pager opened", "pager resolved", "people opened", "people resolved"]


async def test_a_rising_severity_is_seen_on_the_incident(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing(instance="a", severity="warning"))
        await bench.post(firing(instance="b", severity="critical"))
        await bench.post(resolved(instance="b", severity="critical", end=bench.clock.turn(minutes=1)))

        assert [message.severity for message in bench.sent] == ["warning", "critical", "warning"]


async def test_two_hundred_alerts_of_one_request_are_one_message(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(*(firing(instance=f"i{n}") for n in range(200)))

        assert bench.told() == ["people opened"]
        assert len(bench.sent[0].alerts) == 200


async def test_a_resolve_is_told_to_whoever_was_told_and_to_nobody_else(tmp_path: Path) -> None:
    """The route was edited in between: who heard of the firing hears of the end."""
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        bench.transactions.swap(bench.configure(MINIMAL.replace("receiver: people", "receiver: pager"), tmp_path))
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        await bench.post(firing(at=bench.clock.turn(minutes=1)))

        assert bench.told() == ["people opened", "people resolved", "pager opened"]
