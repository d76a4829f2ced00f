from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.channels.sizes import body, clean, one_line, shorten, whole_lines
from bridge.channels.sms_text import bits
from tests.contract.channels.messages import many, message

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=30), max_size=20)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("abcd", 2, "ab"),
        ("abcd", 0, ""),
        ("abcde", 4, "abc…"),
        ("äöüäöü", 4, "äöü…"),
        ("a😀b😀c", 4, "a😀b…"),
    ],
)
def test_characters_are_cut_as_alertmanager_does(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


@given(st.text(), st.integers(0, 50))
def test_what_is_shortened_fits_and_what_fits_is_whole(text: str, limit: int) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert len(shorten(text, limit)) <= limit
    assert shorten(text, len(text)) == text


def test_lines_that_do_not_fit_are_counted() -> None:
    lines = [f"alert {number}" for number in range(5000)]
    text = whole_lines(lines, 1000)
    shown = text.split("\n")
    assert len(text) <= 1000
    assert shown[:-1] == lines[: len(shown) - 1]
    assert shown[-1] == f"… and {5000 - len(shown) + 1:,} more"
    assert len(text) > 980


@pytest.mark.parametrize(
    "measure",
    [len, lambda text: len(text.encode()), lambda text: len(html.escape(text)), bits],
    ids=["characters", "bytes", "escaped", "bits"],
)
@given(lines=LINES, limit=st.integers(0, 800))
def test_lines_never_grow_over_the_limit_and_none_is_lost_uncounted(measure, lines: list[str], limit: int) -> None:
    text = whole_lines(lines, limit, measure)
    assert measure(text) <= limit
    counted = re.search(r"\n… and ([\d,]+) more$", text)
    whole = "\n".join(lines)
    if counted:
        assert text.count("\n") + int(counted[1]) == len(lines)
    elif limit > 400:
        assert text == whole or text.endswith("…")


def test_a_single_endless_line_is_cut_not_left_out() -> None:
    assert whole_lines(["title", "x" * 500], 20) == "title\nxxxxxxxxxxxxx…"


def test_a_short_line_is_left_out_whole_when_there_are_others() -> None:
    assert whole_lines(["a" * 20] * 10, 100) == "\n".join([*["a" * 20] * 4, "… and 6 more"])


def test_notes_survive_a_text_that_must_be_cut() -> None:
    news = replace(
        message(*many(5000)),
        note="the template failed",
        acknowledged_by="alice",
        standing="Acknowledged by alice",
        truncated=1234,
    )
    text = body(news, 500)
    assert len(text) <= 500
    assert text.endswith("the template failed\nAcknowledged by alice\n1,234 alerts were left out by the sender")
    assert "more\n" in text


@given(st.text(max_size=300), st.text(max_size=300), st.integers(40, 400), st.booleans())
def test_a_body_never_grows_over_its_limit(text: str, note: str, limit: int, title: bool) -> None:
    news = replace(message(text=text), note=note)
    assert len(body(news, limit, title=title)) <= limit


def test_titles_are_one_clean_line() -> None:
    assert one_line(" a\r\nBcc: b\x00\u202ec\t d\u2028e\ud800 ") == "a Bcc: b c d e"


def test_texts_keep_their_lines_and_lose_what_hides() -> None:
    assert clean("a\r\nb\rc\td\x1b[31m\u2066e\ufeff\ud800") == "a\nb\nc\td[31me"


def test_notes_take_a_quarter_at_most() -> None:
    text = body(replace(message(text="first\nsecond\nthird"), note="n" * 10_000), 100)
    assert text.startswith("first\nsecond\nthird\n")
    assert len(text) <= 100
