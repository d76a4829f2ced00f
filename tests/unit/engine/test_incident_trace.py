"""An incident says why somebody was told, or was not: what hides its alerts, who heard what, what is still to come."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bridge.engine.views import IncidentDetail, Pending, ToldOf
from tests.bridge_bench import MINIMAL, START, Bench, Dial, engine, firing, resolved
from tests.unit.engine.test_muting import ESCALATING, NIGHTS, RULES, TIMED, at, silence


async def newest(bench: Bench) -> IncidentDetail:
    page = await bench.operator.incidents(limit=1)
    return await bench.operator.incident(page.incidents[0].id)


def looks(detail: IncidentDetail) -> list[tuple[str, float]]:
    """(why, in minutes) of the looks that are to come."""
    return [(one.why, (one.at - START) / timedelta(minutes=1)) for one in detail.pending if one.what == "look"]


async def test_an_inhibited_alert_names_the_other_by_its_fingerprint(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL + RULES) as bench:
        source = firing("Cluster", severity="critical")
        await bench.post(source)
        bench.clock.turn(seconds=1)
        await bench.post(firing("Pod", severity="warning"))
        detail = await newest(bench)
        (alert,) = detail.alerts
        assert (alert.hidden, alert.hidden_by) == ("inhibited", source.fingerprint)
        stopped = [(entry.reason, entry.detail) for entry in detail.timeline if entry.kind == "suppressed"]
        assert ("inhibited", f"1 by {source.fingerprint}") in stopped
        assert detail.told == ()


async def test_a_silenced_alert_names_the_silence_and_so_does_the_timeline(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        made = await silence(bench, end=START + timedelta(hours=1))
        await bench.post(firing())
        detail = await newest(bench)
        assert (detail.alerts[0].hidden, detail.alerts[0].hidden_by) == ("silenced", made)
        stopped = [entry for entry in detail.timeline if entry.kind == "suppressed"]
        assert stopped
        assert all(made in entry.detail for entry in stopped)


async def test_a_muted_alert_names_the_interval_and_when_its_end_is_looked_at(tmp_path: Path) -> None:
    async with engine(tmp_path, NIGHTS) as bench:
        await bench.post(firing())
        detail = await newest(bench)
        assert (detail.alerts[0].hidden, detail.alerts[0].hidden_by) == ("muted", "noon")
        assert looks(detail) == [("opened", 30)]


async def test_what_was_told_before_a_mute_is_looked_at_when_it_ends(tmp_path: Path) -> None:
    async with engine(tmp_path, NIGHTS, Dial(START - timedelta(minutes=1))) as bench:
        await bench.post(firing(at=bench.clock.now()))
        await at(bench, minutes=6)
        await bench.post(firing())
        assert looks(await newest(bench)) == [("end_of_mute", 30)]


async def test_what_the_next_look_is_for_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"))
        detail = await newest(bench)
        assert (detail.alerts[0].hidden, looks(detail)) == ("waits", [("opened", 0.5)])
        await at(bench, minutes=1)
        assert looks(await newest(bench)) == [("reminder", 125.5)]
        await bench.post(firing(instance="b"))
        assert looks(await newest(bench)) == [("news", 5.5)]
        await at(bench, minutes=6)
        await bench.post(resolved(instance="a", end=bench.clock.now()))
        assert looks(await newest(bench)) == [("news", 10.5)]


async def test_who_was_told_of_which_alert_is_shown(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        first, second = firing(instance="a"), firing(instance="b")
        await bench.post(first, second)
        await bench.post(resolved(instance="a", end=bench.clock.turn(minutes=1)))
        said = {one.fingerprint: one for one in (await newest(bench)).told}
        assert said == {
            first.fingerprint: ToldOf("people", first.fingerprint, "resolved"),
            second.fingerprint: ToldOf("people", second.fingerprint, "firing"),
        }
        await silence(bench, "instance=a", end=bench.clock.now() + timedelta(hours=1))
        await bench.post(firing(instance="a", at=bench.clock.turn(minutes=1)))
        said = {one.fingerprint: one for one in (await newest(bench)).told}
        assert said[first.fingerprint] == ToldOf("people", first.fingerprint, "resolved", before=True)


async def test_steps_are_shown_with_when_they_are_due_or_what_is_left_while_they_are_paused(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        due = START + timedelta(minutes=5)
        assert (await newest(bench)).pending == (Pending("step", due, "night", "step 1: pager"),)
        bench.clock.turn(minutes=2)
        await bench.operator.acknowledge((await newest(bench)).incident.id, "alice", bench.clock.now())
        assert (await newest(bench)).pending == (
            Pending("step", due, "night", "step 1: pager", paused=True, left=180.0),
        )


async def test_what_a_hook_held_is_shown_with_its_reason(tmp_path: Path) -> None:
    plugin = Path(__file__).parents[2] / "plugins_for_tests.py"
    async with engine(tmp_path, f"plugins: [{plugin}]\n{MINIMAL}  hooks: [hold_news]\n") as bench:
        await bench.post(firing())
        due = START + timedelta(minutes=10)
        assert (await newest(bench)).pending == (Pending("judgement", due, "not_yet", "opened"),)
