"""Names of sources that the bridge keeps for itself."""

from __future__ import annotations

from pathlib import Path

from tests.unit.config.written import SMALLEST, load_text, said


def test_no_source_can_have_the_name_of_what_comes_over_api_v2(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "sources: {api: {}}\n" + SMALLEST)

    assert said(loaded) == [
        "main.yml:1:11: 'api' is reserved for alerts that come over /api/v2/alerts; give the source another name"
    ]


def test_no_source_can_have_the_name_of_pages_by_hand(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "sources: {manual: {}}\n" + SMALLEST)

    assert said(loaded) == ["main.yml:1:11: 'manual' is reserved for pages by hand; give the source another name"]
