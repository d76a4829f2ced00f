"""A link is opened only as it was made: every other text is refused, and an old one when its time is over."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.deed import Deed
from bridge.engine.links import BadLink, ExpiredLink, Links
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring
from bridge.secrets.seal import HYBRID

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(days=7)
INCIDENT = "0006460f2a1b4c1234567890ab"
KEYS = InstanceKeys.generate()
LINKS = Links(KEYS)
TOKEN = LINKS.token(Deed.ACKNOWLEDGE, INCIDENT, "alice", UNTIL)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize("deed", list(Deed))
def test_a_link_says_what_it_was_made_for(deed: Deed) -> None:
    token = LINKS.token(deed, INCIDENT, "alice", UNTIL)
    opened = LINKS.open(token, NOW)
    assert (opened.deed, opened.incident, opened.expires_at) == (deed, INCIDENT, UNTIL)
    assert LINKS.named(opened.recipient, ["bob", "alice", "carol"]) == "alice"
    assert LINKS.named(opened.recipient, ["bob", "carol"]) == ""
    assert len(token.encode()) <= 64, "Telegram's buttons hold no more"


def test_no_bit_of_a_link_can_be_changed() -> None:
    raw = base64.urlsafe_b64decode(TOKEN + "==")
    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(BadLink):
            LINKS.open(base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), NOW)


def test_a_link_has_one_spelling() -> None:
    others = [TOKEN[:at] + letter + TOKEN[at + 1 :] for at in range(len(TOKEN)) for letter in LETTERS]
    for other in others:
        if other != TOKEN:
            with pytest.raises(BadLink):
                LINKS.open(other, NOW)


@pytest.mark.parametrize("length", range(54))
def test_a_link_that_was_cut_off_is_none(length: int) -> None:
    with pytest.raises(BadLink):
        LINKS.open(TOKEN[:length], NOW)


@pytest.mark.parametrize(
    "text", [TOKEN + "=", TOKEN + "==", TOKEN + "A", f" {TOKEN}", f"{TOKEN}\n", "é" * 54, "\ud800" * 54]
)
def test_what_only_looks_like_a_link_is_none(text: str) -> None:
    with pytest.raises(BadLink):
        LINKS.open(text, NOW)


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(BadLink):
        LINKS.open(text, NOW)


def test_a_link_ends_at_its_time() -> None:
    assert LINKS.open(TOKEN, UNTIL - timedelta(seconds=1)).incident == INCIDENT
    with pytest.raises(ExpiredLink):
        LINKS.open(TOKEN, UNTIL)


def test_links_of_another_bridge_and_a_forged_one_are_refused_whatever_they_say() -> None:
    with pytest.raises(BadLink):
        Links(InstanceKeys.generate()).open(TOKEN, NOW)
    with pytest.raises(BadLink):
        LINKS.open(base64.urlsafe_b64encode(bytes(40)).rstrip(b"=").decode(), NOW)


def test_an_expired_link_that_was_changed_is_not_called_expired() -> None:
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=="))
    raw[1:5] = bytes(4)
    with pytest.raises(BadLink) as refused:
        LINKS.open(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), NOW)
    assert not isinstance(refused.value, ExpiredLink)


def test_an_incident_of_a_foreign_id_has_no_links() -> None:
    assert LINKS.token(Deed.RESOLVE, "storm-1", "alice", UNTIL) == ""


@pytest.mark.parametrize("until", [datetime(1960, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)])
def test_times_beyond_the_format_are_its_ends(until: datetime) -> None:
    token = LINKS.token(Deed.RESOLVE, INCIDENT, "alice", until)
    if until < NOW:
        with pytest.raises(ExpiredLink):
            LINKS.open(token, NOW)
    else:
        assert LINKS.open(token, NOW).expires_at.year == 2106


def test_links_outlive_a_new_key_of_the_keyring() -> None:
    ring = Keyring.generate()
    token = Links(ring.instance_keys()).token(Deed.RESOLVE, INCIDENT, "alice", UNTIL)
    rotated = ring.with_new_key(HYBRID)
    assert rotated.public().kid != ring.public().kid
    assert Links(rotated.instance_keys()).open(token, NOW).incident == INCIDENT
