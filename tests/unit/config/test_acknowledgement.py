"""The section `acknowledgement`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.config.test_load import SMALLEST
from tests.unit.config.written import load_text, said, valid


def test_acknowledgements_do_not_expire_unless_it_is_said(tmp_path: Path) -> None:
    settings = valid(load_text(tmp_path, SMALLEST)).acknowledgement
    assert settings.expires_after is None
    settings = valid(load_text(tmp_path, SMALLEST + "acknowledgement: {expires_after: 4h}\n")).acknowledgement
    assert (settings.expires_after, settings.remind_before) == (timedelta(hours=4), timedelta(minutes=15))


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("{expires_after: 15m}", "remind_before must be shorter than expires_after"),
        ("{expires_after: 1h, remind_before: 2h}", "remind_before must be shorter than expires_after"),
        ("{expires_after: 30s, remind_before: 0}", "greater than or equal to"),
        ("{expires: 4h}", "expires_after"),
    ],
)
def test_what_makes_no_sense_is_an_error(tmp_path: Path, section: str, what: str) -> None:
    (problem,) = said(load_text(tmp_path, f"{SMALLEST}acknowledgement: {section}\n"))
    assert what in problem
