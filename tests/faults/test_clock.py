"""The machine's clock is set while the bridge runs, and while it does not: nothing comes early, late, twice or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.planting import MAIN, Beats, PlantedBridge, listening, planted, together
from tests.faults.receiver import Receiver
from tests.faults.serving import alert, ask, audit, post, troubles, until, verified

HOUR, YEAR = 3600, 365 * 86400
SLOW = MAIN.replace("after: 2s", "after: 8s")


@pytest.fixture
def beats() -> Iterator[Beats]:
    with listening() as beats:
        yield beats


class Clock:
    """The bridge's machine's clock, set again and again."""

    def __init__(self, bridge: PlantedBridge) -> None:
        self._bridge = bridge
        self._off = 0
        self.jumps = 0

    def jump(self, seconds: int, *, running: bool = True) -> None:
        """Set the clock, and wait until a running bridge has followed it."""
        self._off += seconds
        self._bridge.plant("clock", str(self._off))
        if running:
            self.jumps += 1
            until(lambda: len(audit(self._bridge, "clock_jumped")) == self.jumps, 30)


def resolve(bridge: PlantedBridge, name: str) -> None:
    assert ask(bridge, "POST", "/webhook", alert(name, status="resolved")).status == 200


def count(receiver: Receiver, name: str, path: str = "/") -> int:
    return receiver.told.get(path, []).count(name)


def jumps(folder: Path, spans: tuple[int, ...], receiver: Receiver, beats: Beats) -> None:
    """For each jump: a retry that waits, a step that waits, and what comes in meanwhile; then the end of it."""
    with planted(folder / f"jumps{spans[0]}", receiver, beats, SLOW) as bridge:
        clock = Clock(bridge)
        for number, seconds in enumerate(spans):
            waits, fresh = f"waits{number}", f"fresh{number}"
            receiver.closed = True
            assert post(bridge, waits).status == 200
            clock.jump(seconds)
            assert count(receiver, waits, "/pager") == 0
            receiver.closed = False
            assert post(bridge, fresh).status == 200
            until(lambda told=fresh: count(receiver, told) == 1, 30)
            until(lambda told=waits: count(receiver, told) == 1, 30)
            assert "clock_jumped" in troubles(bridge)
            until(lambda told=waits: count(receiver, told, "/pager") == 1, 40)
            resolve(bridge, waits)
            resolve(bridge, fresh)
            until(lambda told=waits: count(receiver, told) == 2, 30)
        until(lambda: sum("machine jumped" in summary for summary in receiver.summaries) == clock.jumps, 40)
        assert audit(bridge, "dead") == []
        assert max(receiver.told["/pager"].count(name) for name in receiver.names("/pager")) <= 2  # its end, too
        beats.more()
        assert bridge.stop() == 0
        verified(bridge)


def test_whatever_the_clock_is_set_to_while_the_bridge_runs_every_wait_keeps_what_is_left_of_it(tmp_path: Path) -> None:
    together(*(partial(jumps, tmp_path, spans) for spans in ((HOUR, -HOUR), (YEAR, -YEAR), (-YEAR, YEAR))))


def test_a_clock_that_is_set_back_while_the_bridge_is_stopped_delays_nothing(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats, SLOW) as bridge:
        clock = Clock(bridge)
        receiver.closed = True
        assert post(bridge, "A").status == 200
        bridge.kill()
        clock.jump(-YEAR, running=False)
        receiver.closed = False
        bridge.start()
        until(lambda: count(receiver, "A") == 1, 30)
        until(lambda: count(receiver, "A", "/pager") == 1, 40)
        assert [record["reason"] for record in audit(bridge, "clock_jumped")] == ["while_stopped"]
        assert bridge.stop() == 0
        verified(bridge)


def killed_at(folder: Path, seconds: int, receiver: Receiver, beats: Beats) -> None:
    with planted(folder / f"killed{seconds}", receiver, beats, SLOW) as bridge:
        clock = Clock(bridge)
        receiver.closed = True
        for number in range(5):
            assert post(bridge, f"A{number}").status == 200
        clock.jump(seconds, running=False)
        until(lambda: "clock_jumped" in bridge.log.read_text(), 20)
        bridge.kill()
        receiver.closed = False
        bridge.start()
        until(lambda: receiver.names() >= {f"A{number}" for number in range(5)}, 30)
        until(lambda: receiver.names("/pager") >= {f"A{number}" for number in range(5)}, 40)
        assert audit(bridge, "dead") == []
        assert bridge.stop() == 0
        verified(bridge)


def test_killed_right_at_the_jump_it_still_sends_in_time_after_the_restart(tmp_path: Path) -> None:
    together(*(partial(killed_at, tmp_path, seconds) for seconds in (YEAR, -YEAR)))
