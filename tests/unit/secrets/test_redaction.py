from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.secret import MASK, Secret
from bridge.secrets.redaction import Redactor

SECRET = 'p@ss/w+rd "ü" 7'
credentials = st.text(st.characters(exclude_categories=("Cs",)), min_size=4, max_size=40)


def _cleaner(*secrets: str | Secret) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.register(secret)
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1], repr(SECRET)[1:-1],
        urlencode({"token": SECRET}).removeprefix("token="),
    ],
)  # fmt: skip
def test_every_spelling_of_a_credential_is_masked(form: str) -> None:
    assert _cleaner(Secret(SECRET)).clean(f"before {form} after") == f"before {MASK} after"


@settings(deadline=None)
@given(credentials, st.text(max_size=20), st.text(max_size=20))
def test_a_credential_never_survives_in_plain(secret: str, before: str, after: str) -> None:
    cleaned = _cleaner(secret).clean(f"{before}{secret}{after}")
    assert secret not in cleaned.replace(MASK, "\0")


@settings(deadline=None)
@given(st.text("abcdefgh0123", min_size=9, max_size=40), st.text("xyz:", max_size=9), st.text("xyz", max_size=9))
def test_a_credential_inside_base64_is_masked_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    encoded = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    cleaned = _cleaner(secret).clean(f"Authorization: Basic {encoded}")
    assert MASK in cleaned
    left = cleaned.removeprefix("Authorization: Basic ").replace(MASK, "")
    assert len(left) <= len(encoded) - (len(secret) - 4) * 4 // 3 + 2


def test_of_a_url_the_part_after_the_host_is_masked_alone() -> None:
    redactor = _cleaner("https://hooks.chat.example/services/T00/B00/abcdef123456?key=0123456789")
    assert redactor.clean("POST /services/T00/B00/abcdef123456?key=0123456789 failed") == f"POST {MASK} failed"
    assert redactor.clean("cannot connect to hooks.chat.example") == "cannot connect to hooks.chat.example"


def test_a_longer_credential_is_masked_whole_when_it_contains_another() -> None:
    assert _cleaner("abcd", "abcdefgh").clean("x abcdefgh y") == f"x {MASK} y"


def test_a_very_short_credential_is_masked_as_a_word_only() -> None:
    assert _cleaner("a1").clean("a1 banana1 (a1)") == f"{MASK} banana1 ({MASK})"


def test_nothing_is_masked_that_was_not_registered() -> None:
    redactor = _cleaner("", Secret(""))
    assert redactor.clean("nothing secret here") == "nothing secret here"


def test_the_redactor_does_not_show_what_it_knows() -> None:
    assert SECRET not in repr(_cleaner(SECRET))
