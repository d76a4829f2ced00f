"""A report as a picture."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from bridge.cli.report_chart import draw
from bridge.domain.errors import BridgeError
from bridge.engine.numbers_views import Hour, Line, Paged, Report, Times

START = datetime(2026, 3, 1, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"


def line(name: str, seconds: float | None) -> Line:
    times = Times(1, seconds, seconds, seconds)
    return Line(name, 1, 0, 1, 0, 0, 0, 1, times, times)


def paged(name: str, kind: str, *hours: int) -> Paged:
    counts = tuple(hours.count(hour) for hour in range(24))
    return Paged(name, kind, len(hours), 1, counts)


REPORT = Report(
    START, START + timedelta(days=30), "Europe/Berlin", "team", START, line("", 312), (),
    (line("", None), line("payments", 190)), (paged("alice", "person", 3, 3, 14), paged("pager", "channel", 3)), (),
    tuple(Hour(hour, 0, 0) for hour in range(24)),
)  # fmt: skip


def words(file: Path) -> set[str]:
    return {part.strip() for part in ET.parse(file).getroot().itertext()}


def test_an_svg_says_who_was_paged_and_how_long_teams_take(tmp_path: Path) -> None:
    file = tmp_path / "report.svg"
    draw(REPORT, file)
    title = "Pages by hour of day (Europe/Berlin), 2026-03-01 to 2026-03-31"
    assert words(file) >= {title, "alice", "channel pager", "03", "payments", "(none)", "to acknowledge", "5.2"}


def test_an_svg_runs_nothing_and_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.svg"
    hostile = "</text><script>alert(1)</script>\x1b[2J\x00"
    draw(replace(REPORT, people=(paged(hostile, "person", 1),), teams=(line(hostile, 5),), team=hostile), file)
    tags = {one.tag.rpartition("}")[2] for one in ET.parse(file).getroot().iter()}
    assert not tags & {"script", "image", "foreignObject", "use", "a", "iframe"}
    assert "url(http" not in file.read_text()
    assert "\x1b" not in file.read_text()


def test_those_paged_least_are_drawn_together(tmp_path: Path) -> None:
    file = tmp_path / "report.svg"
    draw(
        replace(REPORT, people=tuple(paged(f"p{number:02}", "person", *[4] * (20 - number)) for number in range(11))),
        file,
    )
    found = words(file)
    assert {"p00", "p07", "3 others"} <= found
    assert "p08" not in found


def test_a_report_of_nothing_is_drawn_too(tmp_path: Path) -> None:
    nothing = replace(REPORT, total=line("", None), teams=(), people=())
    draw(nothing, tmp_path / "report.svg")
    draw(nothing, tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(PNG)


def test_a_png_without_what_makes_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(BridgeError, match=r"alertbridge\[png\]"):
        draw(REPORT, tmp_path / "report.png")
    assert not (tmp_path / "report.png").exists()


def test_the_plotting_library_is_loaded_for_a_picture_alone() -> None:
    script = "import bridge.cli.report, sys; sys.exit('pygal' in sys.modules or 'resvg_py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_plotting_library_leaves_no_import_hook_behind(tmp_path: Path) -> None:
    draw(REPORT, tmp_path / "report.svg")
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
