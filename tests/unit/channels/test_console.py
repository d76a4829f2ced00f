from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.channels.api import Context, FailureReason, Retryable
from bridge.channels.console import ConsoleChannel, ConsoleOptions, block, visible
from bridge.net import Egress, HttpClient
from tests.contract.channels.messages import NOW, message, resolved


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()


def console() -> ConsoleChannel:
    return ConsoleChannel("screen", ConsoleOptions(type="console"))


def context(http: HttpClient) -> Context:
    return Context(http=http, now=NOW, idempotency_key="key-1")


class SlowScreen(io.StringIO):
    """Lets others in between two lines."""

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            super().write(line)
            time.sleep(0.001)
        return len(text)


class TestTheBlock:
    def test_it_says_what_would_be_sent_to_whom(self) -> None:
        news = replace(
            message(),
            note="a note",
            acknowledged_by="alice",
            standing="Acknowledged by alice",
            truncated=2,
            fired_and_resolved=True,
        )
        lines = block(news, "screen").splitlines()
        assert lines[0].startswith("── opened · firing · screen ──")
        assert lines[1:] == [
            "  [FIRING:1] Alert0001",
            "  FIRING Alert0001: CPU above 90% on web-1",
            "  incident incident-1 since 2026-03-01 10:00:00 UTC",
            "  receiver team.web, route payments-critical, source alertmanager",
            "  Acknowledged by alice",
            "  fired and resolved before it was told",
            "  2 more alerts were left out by the sender",
            "  note: a note",
        ]

    def test_a_notice_of_the_bridge_itself_names_no_incident_and_no_route(self) -> None:
        news = replace(message(), incident="", route="", note="a note")
        assert block(news, "screen").splitlines()[1:] == [
            "  [FIRING:1] Alert0001",
            "  FIRING Alert0001: CPU above 90% on web-1",
            "  note: a note",
        ]

    def test_every_note_has_a_line_of_its_own(self) -> None:
        news = replace(message(), note="the title failed\nthe text failed")
        assert block(news, "screen").splitlines()[-2:] == ["  note: the title failed", "  note: the text failed"]

    def test_the_plain_form_leaves_the_facts_out(self) -> None:
        assert "receiver" not in block(message(), "screen", plain=True)

    @given(st.text())
    def test_alert_text_cannot_begin_a_block_or_reach_the_terminal(self, text: str) -> None:
        news = replace(message(title=text, text=text), note=text, receiver=text, acknowledged_by=text)
        head, *rest = block(news, text).splitlines()
        assert head.startswith("── ")
        assert all(line.startswith("  ") or not line for line in rest)
        assert all(char.isprintable() or char in "\n\t \u200c\u200d" or ord(char) >= 0xA0 for char in block(news, text))

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("a\rb\r\nc", "a\nb\nc"),
            ("\x9b2J\x07\x00", "\\x9b2J\\x07\\x00"),
            ("\u202eabc\u202c\u2066\ufeff", "\\u202eabc\\u202c\\u2066\\ufeff"),
            ("tab\tüber 数 👩\u200d🚒", "tab\tüber 数 👩\u200d🚒"),
        ],
    )
    def test_what_a_terminal_would_obey_is_written_out(self, text: str, shown: str) -> None:
        assert visible(text) == shown


class TestPrinting:
    async def test_a_message_is_one_block_and_there_at_once(
        self, http: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
        await console().send(message(), context(http))
        assert raw.getvalue().decode() == block(message(), "screen")

    async def test_blocks_of_many_sends_do_not_mix(self, http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
        slow = SlowScreen()
        monkeypatch.setattr(sys, "stdout", slow)
        screen = console()
        await asyncio.gather(*(screen.send(message(), context(http)) for _ in range(5)))
        assert slow.getvalue() == block(message(), "screen") * 5

    async def test_a_narrow_encoding_is_no_failure(self, http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        await console().send(resolved(), context(http))
        assert b"resolved" in raw.getvalue()

    async def test_a_pipe_that_nobody_reads_any_more_is_tried_again(
        self, http: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8", buffering=1) as out:
            monkeypatch.setattr(sys, "stdout", out)
            with pytest.raises(Retryable) as caught:
                await console().send(message(), context(http))
            assert caught.value.reason is FailureReason.NETWORK
            os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # so that closing can flush

    async def test_a_closed_standard_output_is_tried_again(
        self, http: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(sys, "stdout", closed)
        with pytest.raises(Retryable):
            await console().send(message(), context(http))
