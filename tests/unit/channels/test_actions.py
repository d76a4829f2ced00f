"""Links to act by are in what every channel sends, each whole or not at all."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.channels.console import block
from bridge.channels.email_html import page
from bridge.channels.email_message import text_of
from bridge.channels.exec import document
from bridge.channels.sizes import body
from bridge.channels.sms_text import bits, room
from bridge.channels.webhook_v4 import encode, variables
from bridge.domain.deed import Deed
from bridge.domain.message import Action, Message
from bridge.workflows.context import Attempted, context_of
from tests.contract.channels.messages import NOW, many, message

URLS = [f"https://alerts.example.com/a/{letter * 54}" for letter in "ASR"]
ACTIONS = (
    Action(Deed.ACKNOWLEDGE, "Acknowledge", "A" * 54, URLS[0]),
    Action(Deed.SNOOZE, "Snooze 1h", "S" * 54, URLS[1]),
    Action(Deed.RESOLVE, "Resolve", "R" * 54, URLS[2]),
)


def acting(of: Message | None = None) -> Message:
    return replace(of or message(), actions=ACTIONS)


def test_a_body_ends_in_its_links() -> None:
    lines = body(acting(), 10_000).split("\n")
    assert lines[-3:] == [f"{action.label}: {action.url}" for action in ACTIONS]


def test_of_many_alerts_the_list_gives_way_and_the_links_stay() -> None:
    text = body(acting(message(*many(500))), 2_000)
    assert all(url in text for url in URLS)
    assert "more\n" in text


def test_a_text_message_of_four_parts_holds_what_fits_into_half_of_it() -> None:
    text = body(acting(message(*many(50))), room(4), bits, title=True)
    assert [url in text for url in URLS] == [True, True, True]
    assert [url in body(acting(), room(2), bits) for url in URLS] == [True, False, False]


def test_a_text_message_of_one_part_tells_what_it_is_about_and_holds_no_link() -> None:
    text = body(acting(), room(1), bits, title=True)
    assert "https" not in text
    assert text.startswith(acting().title)


@given(st.integers(20, 2_000), st.booleans())
def test_a_link_is_whole_or_not_there(limit: int, title: bool) -> None:
    text = body(acting(message(*many(5))), limit, title=title)
    assert len(text) <= limit
    assert all(line.endswith(tuple(URLS)) for line in text.split("\n") if "/a/" in line)


def test_buttons_without_an_address_are_no_links() -> None:
    silent = replace(message(), actions=tuple(replace(action, url="") for action in ACTIONS))
    assert body(silent, 10_000) == body(message(), 10_000)
    assert page(silent) == page(message())


def test_mails_have_them_as_links_and_in_words() -> None:
    assert all(f'<a href="{url}"' in page(acting()) for url in URLS)
    assert all(url in text_of(acting()) for url in URLS)


def test_the_console_and_programs_have_them() -> None:
    assert all(url in block(acting(), "out") for url in URLS)
    given_ = json.loads(document(acting(), NOW))["actions"]
    assert given_[0] == {"action": "acknowledge", "label": "Acknowledge", "url": URLS[0]}


def test_alertmanagers_payload_is_left_as_it_is_and_templates_may_name_them() -> None:
    assert encode(acting(), NOW) == encode(message(), NOW)
    assert variables(acting(), NOW)["actions"] == ACTIONS


def test_workflows_have_them_by_name() -> None:
    attempted = Attempted("w", 1, "key", NOW)
    given_ = context_of(acting(), attempted)["incident"]["actions"]
    assert given_ == {"acknowledge": URLS[0], "snooze": URLS[1], "resolve": URLS[2]}
