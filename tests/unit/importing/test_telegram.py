"""What becomes of `telegram_configs`: whose token it is, where it writes, and which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.channels.registry import ChannelRegistry
from bridge.config import load
from bridge.hooks.registry import HookRegistry
from bridge.importing.output import write
from tests.unit.importing.test_alertmanager import channel, imported, outcomes

BOT = {"bot_token": "1:abc", "chat_id": 5}


def of_message(tmp_path: Path, **own: Any) -> dict[str, Any]:
    return channel(imported(tmp_path, {"telegram_configs": [{**BOT, **own}]}), "r-telegram-1")


@pytest.mark.parametrize(
    ("own", "general", "token"),
    [
        ({"bot_token": "1:a"}, {"telegram_bot_token": "2:b"}, "env:ALERTBRIDGE_R_TELEGRAM_1_TOKEN"),
        ({"bot_token_file": "own"}, {"telegram_bot_token": "2:b"}, "file:{}/own"),
        ({}, {"telegram_bot_token_file": "general"}, "file:{}/general"),
        ({}, {"telegram_bot_token": "2:b"}, "env:ALERTBRIDGE_R_TELEGRAM_1_TOKEN"),
    ],
)
def test_a_bot_of_ones_own_goes_before_the_general_one(
    tmp_path: Path, own: dict[str, Any], general: dict[str, Any], token: str
) -> None:
    found = imported(tmp_path, {"telegram_configs": [{"chat_id": 5, **own}]}, **{"global": general})
    assert channel(found, "r-telegram-1")["token"] == token.format(tmp_path)
    assert [entry.path for entry in found.left_out] == []


def test_ids_are_numbers_and_what_is_written_can_be_read(tmp_path: Path) -> None:
    own = {"bot_token": "1:abc", "chat_id": -1001234567890, "message_thread_id": 7}
    found = imported(tmp_path, {"telegram_configs": [own]})
    (tmp_path / "main.yml").write_text(write(found.sections, ""))
    loaded = load(tmp_path / "main.yml", ChannelRegistry.load(), HookRegistry.load(), environ={
        "ALERTBRIDGE_R_TELEGRAM_1_TOKEN": "1:abc"
    })  # fmt: skip
    assert loaded.problems == ()
    assert loaded.config is not None
    options = loaded.config.channels["r-telegram-1"].options
    assert (getattr(options, "chat_id", None), getattr(options, "message_thread_id", None)) == (-1001234567890, 7)


@pytest.mark.parametrize("own", [{"bot_token": "1:abc"}, {"bot_token": "1:abc", "chat_id": 0}, {"chat_id": 5}])
def test_without_a_bot_or_a_chat_there_is_a_placeholder(tmp_path: Path, own: dict[str, Any]) -> None:
    found = imported(tmp_path, {"telegram_configs": [own]})
    assert found.sections["receivers"] == {"r": ["r-placeholder-1"]}


@pytest.mark.parametrize(
    ("message", "mode", "text"),
    [
        ("<b>{{ .Status }}</b>: a &lt; b", None, "{{ status }}: a < b"),
        ("<a href='{{ .ExternalURL }}'>all of it</a>", "HTML", "all of it ({{ external_url }})"),
        ('<span class="tg-spoiler">x</span><pre>y</pre>', "HTML", "xy"),
        ("a <c> d", "HTML", "a <c> d"),
        ("<b>{{ .Status }}</b>", "", "<b>{{ status }}</b>"),
        (r"{{ .Status }}\! a\.b", "MarkdownV2", "{{ status }}! a.b"),
        ("_{{ .Status }}_", "Markdown", "_{{ status }}_"),
    ],
)
def test_a_message_becomes_a_text_without_its_marks(tmp_path: Path, message: str, mode: str | None, text: str) -> None:
    own = {"message": message} | ({} if mode is None else {"parse_mode": mode})
    assert of_message(tmp_path, **own)["text"] == text


def test_plain_words_lose_nothing_and_the_built_in_message_is_our_own(tmp_path: Path) -> None:
    for message in ("{{ .Status }} of {{ .CommonLabels.alertname }}", '{{ template "telegram.default.message" . }}'):
        found = imported(tmp_path, {"telegram_configs": [{**BOT, "message": message}]})
        assert "left_out" not in outcomes(found, "receivers[0].telegram_configs[0].message")
    assert "text" not in of_message(tmp_path, message='{{ template "telegram.default.message" . }}')


def test_what_cannot_be_sent_with_a_call_is_listed(tmp_path: Path) -> None:
    found = imported(tmp_path, {"telegram_configs": [{**BOT, "http_config": {"basic_auth": {"username": "u"}}}]})
    assert outcomes(found, "receivers[0].telegram_configs[0].http_config.basic_auth") == ["left_out"]
