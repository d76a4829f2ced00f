"""A recurring silence hides alerts each time its interval holds, has an owner, and is announced before it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.engine import occurrence, recurring
from bridge.engine.reconfigured import adopt
from bridge.routing.silences import Silence
from tests.bridge_bench import MINIMAL, START, Bench, Dial, engine, firing, resolved

NOON = "{name: noon, time_intervals: [{times: [{start_time: '12:30', end_time: '13:00'}]}]}"
LATER = "{name: noon, time_intervals: [{times: [{start_time: '12:30', end_time: '13:30'}]}]}"
ALWAYS = "{name: noon, time_intervals: [{years: ['2026:2099']}]}"
BERLIN = "{name: noon, time_intervals: [{times: [{start_time: '01:30', end_time: '02:30'}], location: Europe/Berlin}]}"
FLEET = "receivers: {team: [pager, people]}\nfallback: pager\n"
HEAD = """
channels:
  people: {type: console}
  pager: {type: console}
route:
  receiver: people
"""


def text(interval: str = NOON, matchers: str = "[alertname=Down]", **changed: str) -> str:
    keys = {"name": "patching", "matchers": matchers, "time_intervals": "[noon]", "owner": "alice", **changed}
    entry = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return f"{HEAD}{FLEET}time_intervals: [{interval}]\nsilences: [{{{entry}}}]\n"


WITHOUT = f"{HEAD}{FLEET}time_intervals: [{NOON}]\n"
WITH_NOTICE = text(notice="{before: 10m, to: people}", comment="patching the databases")
TIMED = text().replace("receiver: people\n", "receiver: people\n  group_by: [alertname]\n  group_wait: 30s\n")
ESCALATING = WITHOUT.replace("receiver: people\n", "receiver: people\n  hooks: [dedupe, {escalate: night}]\n") + (
    "escalations: {night: [{after: 45m, notify: [pager]}]}\n"
)


async def begin(bench: Bench) -> None:
    await adopt(bench.transactions, bench.clock.now())
    await bench.settle()


async def reload(bench: Bench, folder: Path, configuration: str) -> None:
    bench.transactions.swap(bench.configure(configuration, folder))
    await begin(bench)


async def at(bench: Bench, **span: float) -> list[str]:
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds(), step=30)
    return bench.told()


async def silences(bench: Bench) -> list[Silence]:
    """All there are, in the order in which they were made."""
    assert bench.silences is not None
    return sorted(await bench.silences.every(), key=lambda silence: (silence.starts_at, silence.ends_at))


async def records(bench: Bench) -> list[tuple[str, str]]:
    return [(kind, reason) for kind, reason, _channel in await bench.audit() if "silence" in kind]


async def actors(bench: Bench, kind: str) -> list[str]:
    rows = await bench.database.read(lambda tx: tx.all("audit_since", 0, kind, kind, "", "", 100))
    return [row[4] for row in rows]


def word(bench: Bench, number: int = 0) -> str:
    """What a message of the bridge itself says."""
    return bench.sent[number].alerts[0].annotations["summary"]


async def expire(bench: Bench, silence: Silence) -> None:
    assert bench.silences is not None
    await bench.silences.expire(silence.id, "bob", bench.clock.now())
    await bench.settle()


@pytest.mark.parametrize("configuration", [text(), TIMED], ids=["at once", "timed"])
async def test_each_time_its_interval_holds_a_silence_is_made_that_ends_with_it(
    tmp_path: Path, configuration: str
) -> None:
    async with engine(tmp_path, configuration) as bench:
        await begin(bench)
        await at(bench, minutes=29)
        assert await silences(bench) == []
        await at(bench, minutes=31)
        (made,) = await silences(bench)
        assert (made.starts_at, made.ends_at) == (START + timedelta(minutes=30), START + timedelta(hours=1))
        assert (made.created_by, made.annotations) == ("alice", {"recurring": "patching"})
        await bench.post(firing(at=bench.clock.now()))
        assert await at(bench, minutes=59) == []
        assert await at(bench, minutes=62) == ["people opened"]
        await bench.post(resolved(at=START + timedelta(minutes=31), end=bench.clock.now()))

        bench.clock.turn(hours=23, minutes=25)
        await bench.settle()
        bench.clock.turn(minutes=10)
        await bench.settle()
        first, second = await silences(bench)
        assert second.starts_at == bench.clock.now()
        assert second.ends_at == START + timedelta(hours=25)
        assert first.id != second.id
        assert await records(bench) == [("silence_created", ""), ("silence_expired", "ended"), ("silence_created", "")]
        assert await actors(bench, "silence_created") == ["alice", "alice"]


async def test_a_start_or_a_restart_inside_the_interval_hides_at_once_and_makes_one_silence(tmp_path: Path) -> None:
    clock = Dial(START + timedelta(minutes=40))
    async with engine(tmp_path, text(), clock) as bench:
        await begin(bench)
        await bench.post(firing())
    clock.turn(minutes=5)
    async with engine(tmp_path, text(), clock) as bench:
        await begin(bench)
        await bench.post(firing())
        (made,) = await silences(bench)
        assert (made.starts_at, made.ends_at) == (START + timedelta(minutes=40), START + timedelta(hours=1))
        assert await records(bench) == [("silence_created", "")]
        assert await at(bench, minutes=59) == []
        assert await at(bench, minutes=61) == ["people opened"]


async def test_an_end_that_an_outage_made_late_is_told_and_the_next_one_comes(tmp_path: Path) -> None:
    clock = Dial(START + timedelta(minutes=40))
    async with engine(tmp_path, text(), clock) as bench:
        await begin(bench)
        await bench.post(firing())
    clock.turn(hours=24)
    async with engine(tmp_path, text(matchers="[alertname=Other]"), clock) as bench:
        await begin(bench)
        assert bench.told() == ["people opened"]
        assert [silence.state(clock.now()) for silence in await silences(bench)] == ["expired", "active"]


@pytest.mark.parametrize(
    "after", [WITHOUT, text(NOON.replace("12:30", "12:50")), text(matchers="[alertname=Other]")], ids=str
)
async def test_an_entry_that_is_gone_or_changed_ends_its_silence_and_what_it_hid_is_told(
    tmp_path: Path, after: str
) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        await bench.post(firing())
        await reload(bench, tmp_path, after)
        assert bench.told() == ["people opened"]
        assert ("silence_expired", "configuration") in await records(bench)


@pytest.mark.parametrize(
    "after", [text(LATER), text(owner="bob"), text(comment="new")], ids=["end", "owner", "comment"]
)
async def test_an_entry_that_still_hides_what_it_hid_is_replaced_and_nothing_is_told(
    tmp_path: Path, after: str
) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        await bench.post(firing())
        await reload(bench, tmp_path, after)
        assert await at(bench, minutes=59) == []
        old, new = await silences(bench)
        assert old.ends_at == new.starts_at == START + timedelta(minutes=35)
        assert await at(bench, minutes=91) == ["people opened"]


async def test_a_reload_that_changes_nothing_of_it_leaves_the_silence_alone(tmp_path: Path) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        for _time in range(3):
            await reload(bench, tmp_path, text(notice="{before: 1m}"))
        assert await records(bench) == [("silence_created", "")]


async def test_an_entry_that_a_reload_took_away_and_another_brought_back_hides_again(tmp_path: Path) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        await reload(bench, tmp_path, WITHOUT)
        await at(bench, minutes=36)
        await reload(bench, tmp_path, text())
        await bench.post(firing())
        assert await at(bench, minutes=59) == []
        assert [silence.state(bench.clock.now()) for silence in await silences(bench)] == ["expired", "active"]


@pytest.mark.parametrize("back", [text(), text(comment="new")], ids=["as it was", "changed"])
async def test_what_a_person_ended_early_is_not_made_again_before_the_next_interval(tmp_path: Path, back: str) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        await bench.post(firing())
        await expire(bench, (await silences(bench))[0])
        assert bench.told() == ["people opened"]
        await at(bench, minutes=36)
        await reload(bench, tmp_path, WITHOUT)
        await reload(bench, tmp_path, back)
        assert len(await silences(bench)) == 1
        bench.clock.turn(hours=24)
        await bench.settle()
        assert len(await silences(bench)) == 2


async def test_what_a_person_changed_is_that_persons_and_no_reload_ends_it(tmp_path: Path) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        (made,) = await silences(bench)
        await bench.silence("alertname=Down", start=made.starts_at, end=START + timedelta(hours=2), name=made.id)
        await bench.post(firing())
        await reload(bench, tmp_path, WITHOUT)
        assert await at(bench, minutes=119) == []
        assert await at(bench, minutes=121) == ["people opened"]


async def test_its_people_hear_once_and_before_the_end_what_it_hides(tmp_path: Path) -> None:
    async with engine(tmp_path, WITH_NOTICE) as bench:
        await begin(bench)
        await at(bench, minutes=31)
        await bench.post(*(firing(instance=name) for name in "abc"))
        await bench.post(firing("Other"))
        assert await at(bench, minutes=49) == ["people opened"]
        assert (await at(bench, minutes=59))[1:] == ["people notice"]
        assert word(bench, 1) == (
            "The silence patching of alice ends in 10m, at 2026-03-01 13:00:00 UTC. It hides 3 firing alerts (Down); "
            "what still fires then is told. Comment: patching the databases"
        )


async def test_the_notice_names_the_first_few_of_what_is_hidden(tmp_path: Path) -> None:
    everything = text(matchers="['alertname=~\".+\"']", notice="{before: 10m, to: people}")
    async with engine(tmp_path, everything) as bench:
        await begin(bench)
        await at(bench, minutes=31)
        for name in "ABCDEFG":
            await bench.post(firing(name))
        await at(bench, minutes=51)
        assert word(bench).endswith("7 firing alerts (A, B, C, D, E, …); what still fires then is told.")


@pytest.mark.parametrize(
    ("notice", "channels"),
    [("{before: 10m}", ["pager"]), ("{before: 10m, to: team}", ["pager", "people"]), ("{before: 30m}", ["pager"])],
)
async def test_a_notice_goes_to_every_channel_of_a_receiver_else_to_the_fallback(
    tmp_path: Path, notice: str, channels: list[str]
) -> None:
    async with engine(tmp_path, text(notice=notice)) as bench:
        await begin(bench)
        assert sorted(await at(bench, hours=2)) == [f"{channel} notice" for channel in channels]
        assert word(bench).endswith("It hides nothing that fires.")


@pytest.mark.parametrize("before", ["31m", "2h"])
async def test_one_that_is_shorter_than_its_notice_is_not_announced(tmp_path: Path, before: str) -> None:
    async with engine(tmp_path, text(notice=f"{{before: {before}}}")) as bench:
        await begin(bench)
        assert await at(bench, hours=2) == []


async def test_one_that_was_ended_early_is_not_announced(tmp_path: Path) -> None:
    async with engine(tmp_path, WITH_NOTICE) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        await expire(bench, (await silences(bench))[0])
        assert await at(bench, hours=2) == []


@pytest.mark.parametrize("stopped", [48, 52], ids=["before the notice", "after it"])
async def test_a_notice_is_told_once_across_restarts_and_reloads(tmp_path: Path, stopped: int) -> None:
    async with engine(tmp_path, WITH_NOTICE) as bench:
        await begin(bench)
        before = len(await at(bench, minutes=stopped))
        clock = bench.clock
    clock.time = START + timedelta(minutes=55, seconds=30)
    async with engine(tmp_path, WITH_NOTICE, clock) as bench:
        await begin(bench)
        await reload(bench, tmp_path, WITH_NOTICE)
        await reload(bench, tmp_path, WITH_NOTICE.replace("alice", "bob").replace("10m", "15m"))
        assert before + len(await at(bench, minutes=59)) == 1
        assert all("ends in 4m30s" in word(bench, number) for number in range(len(bench.sent)))


async def test_an_escalation_pauses_while_it_hides_everything(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING + text()[text().index("silences:") :]) as bench:
        await begin(bench)
        await bench.post(firing())
        assert await at(bench, minutes=59) == ["people opened"]
        kinds = [kind for kind, _reason, _channel in await bench.audit() if kind in {"paused", "resumed"}]
        assert kinds == ["paused"]
        assert (await at(bench, minutes=74))[1:] == ["people reminder"]
        assert (await at(bench, minutes=76))[2:] == ["pager escalated"]


@pytest.mark.parametrize(
    ("around", "spans"),
    [
        (datetime(2026, 3, 29, tzinfo=UTC), [("00:30", "01:00")]),
        (datetime(2026, 10, 25, 12, tzinfo=UTC), [("00:30", "01:30")]),
        (datetime(2026, 10, 24, 23, tzinfo=UTC), [("23:30", "00:30"), ("01:00", "01:30")]),
    ],
    ids=["an hour that is skipped", "the day after", "an hour that comes twice"],
)
async def test_a_window_over_a_change_of_the_clock_follows_the_wall(
    tmp_path: Path, around: datetime, spans: list[tuple[str, str]]
) -> None:
    async with engine(tmp_path, text(BERLIN, notice="{before: 30m}"), Dial(around)) as bench:
        await begin(bench)
        await bench.pass_time(hours=18, step=300)
        made = await silences(bench)
        assert [(f"{silence.starts_at:%H:%M}", f"{silence.ends_at:%H:%M}") for silence in made] == spans
        assert bench.told() == ["pager notice"] * len(spans)


async def test_one_without_end_lasts_and_is_made_once(tmp_path: Path) -> None:
    async with engine(tmp_path, text(ALWAYS)) as bench:
        await begin(bench)
        bench.clock.turn(days=300)
        await reload(bench, tmp_path, text(ALWAYS))
        (made,) = await silences(bench)
        assert made.ends_at > START + timedelta(days=3650)


async def test_one_that_loses_its_end_goes_on_without_a_gap(tmp_path: Path) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)
        await at(bench, minutes=35)
        await bench.post(firing())
        await reload(bench, tmp_path, text(ALWAYS))
        assert await at(bench, hours=2) == []


async def test_many_that_begin_at_once_all_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurring, "_AT_ONCE", 3)
    entries = ", ".join(
        f"{{name: s{number}, matchers: [a=b], time_intervals: [noon], owner: alice}}" for number in range(10)
    )
    async with engine(tmp_path, f"{WITHOUT}silences: [{entries}]\n") as bench:
        await begin(bench)
        await at(bench, minutes=31)
        assert len(await silences(bench)) == 10
        assert {silence.starts_at for silence in await silences(bench)} == {START + timedelta(minutes=30)}
        await reload(bench, tmp_path, WITHOUT)
        assert {silence.state(bench.clock.now()) for silence in await silences(bench)} == {"expired"}


async def test_a_timer_that_cannot_be_taken_is_put_aside_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path, text()) as bench:
        await begin(bench)

        def broken(entry: object) -> str:
            raise RuntimeError(str(entry))

        monkeypatch.setattr(occurrence, "_digest", broken)
        assert await at(bench, minutes=31) == ["pager notice"]
        assert ("skipped", "poisoned", "") in await bench.audit()


async def test_nothing_is_written_where_nothing_recurs(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL) as bench:
        before = await bench.database.read(lambda tx: tx.all("timers_due", 2**62, 10))
        await begin(bench)
        assert await bench.database.read(lambda tx: tx.all("timers_due", 2**62, 10)) == before == []
        assert await bench.database.read(lambda tx: tx.one("meta_get", "recurring_silences")) is None
