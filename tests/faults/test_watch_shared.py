"""Two bridges on one PostgreSQL watch themselves: what both see one of them says, and a wrong clock is one bridge's own trouble."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname

import pytest

from tests.faults.planting import MAIN, Beats, PlantedBridge, listening, planted
from tests.faults.receiver import Receiver
from tests.faults.serving import audit, post, troubles, until, verified

pytestmark = pytest.mark.postgres
HOUR = 3600


@pytest.fixture
def beats() -> Iterator[Beats]:
    with listening() as beats:
        yield beats


@contextmanager
def two(folder: Path, url: str, receiver: Receiver, beats: Beats) -> Iterator[list[PlantedBridge]]:
    """Two bridges with one keyring and one database."""
    keyring = folder / "keyring.json"
    words = ["secrets", "keygen", "--keyring", str(keyring)]
    subprocess.run([sys.executable, "-m", "bridge", *words], cwd=folder, check=True, capture_output=True)
    text = f'secrets: {{keyring: "{keyring}"}}' + MAIN.replace("sqlite:bridge.db", url)
    folders = [folder / "one", folder / "other"]
    for place in folders:
        place.mkdir()
    with (
        planted(folders[0], receiver, beats, text, stage=10.0) as one,
        planted(folders[1], receiver, beats, text, stage=10.0) as other,
    ):
        yield [one, other]


def test_of_two_bridges_that_see_the_same_one_speaks(
    tmp_path: Path, postgres_url: str, receiver: Receiver, beats: Beats
) -> None:
    with two(tmp_path, postgres_url, receiver, beats) as bridges:
        beats.more()
        for bridge in bridges:
            bridge.plant("timekeeper-skips")
        assert post(bridges[0], "A").status == 200
        for bridge in bridges:
            until(lambda seeing=bridge: seeing.names("escalation_overdue step"), 40)
        assert beats.silent()
        for bridge in bridges:
            bridge.unplant("timekeeper-skips")
        until(lambda: sum("over: escalations" in summary for summary in receiver.summaries) == 1, 40)
        beats.more()
        until(lambda: receiver.told.get("/pager") == ["A"], 30)
        for bridge in bridges:
            assert bridge.stop() == 0
        assert sum("escalations do not move" in summary for summary in receiver.summaries) == 2
        verified(bridges[0])


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_bridge_whose_clock_is_wrong_says_so_and_changes_nothing_for_the_other(
    tmp_path: Path, postgres_url: str, receiver: Receiver, beats: Beats, seconds: int
) -> None:
    with two(tmp_path, postgres_url, receiver, beats) as bridges:
        wrong, right = bridges
        wrong.plant("clock", str(seconds))
        until(lambda: wrong.names("clock_differs"), 30)
        assert post(wrong, "A").status == 200
        assert post(right, "B").status == 200
        until(lambda: receiver.names() == {"A", "B"}, 30)
        until(lambda: receiver.names("/pager") == {"A", "B"}, 30)
        assert "clock_differs" not in troubles(right)
        wrong.unplant("clock")
        until(lambda: not wrong.names("clock_differs"), 30)
        assert audit(right, "clock_jumped") == []
        for bridge in bridges:
            assert bridge.stop() == 0
        assert {path: sorted(receiver.told[path]) for path in ("/", "/pager")} == {
            "/": ["A", "B"],
            "/pager": ["A", "B"],
        }
        assert sum(f"{gethostname()}: the clock is wrong" in summary for summary in receiver.summaries) == 2
