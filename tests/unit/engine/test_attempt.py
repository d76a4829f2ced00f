"""What an attempt hands to a channel, and what the audit keeps of it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Retryable
from bridge.storage.transaction import Tx
from tests.bridge_bench import Bench, engine, firing

DIGEST = 11
"""The column of `audit_since`."""
BOTH = """
channels:
  people: {type: console, title: "{{ 1 // (alerts|length - 1) }}"}
  program: {type: console, title: "{{ 1 // (alerts|length - 1) }}"}
receivers: {all: [people, program]}
route: {receiver: all}
"""


def wordless(bench: Bench, name: str) -> None:
    """Make a channel of the running generation one that reads neither title nor text."""
    vars(bench.transactions.generation().channels[name].channel)["reads_words"] = False


async def digests(bench: Bench, kind: str) -> list[str]:
    async def load(tx: Tx) -> list[str]:
        return [row[DIGEST] for row in await tx.all("audit_since", 0, kind, kind, "", "", 100_000)]

    return await bench.database.read(load)


async def test_no_words_are_made_for_a_channel_that_reads_none(tmp_path: Path) -> None:
    async with engine(tmp_path, BOTH) as bench:
        wordless(bench, "program")
        await bench.post(firing())

        people, program = sorted(bench.sent, key=lambda message: message.channel)
        assert people.title.startswith("[FIRING:1] Down")
        assert "Down is firing" in people.text
        assert "template of this channel failed" in people.note
        assert (program.title, program.text, program.note) == ("", "", "")
        assert program.alerts == people.alerts
        assert program.common_labels == people.common_labels


async def test_the_audit_keeps_the_digest_that_the_channel_gives_of_what_it_sent(tmp_path: Path) -> None:
    def answer(message: Message, _context: Context) -> Receipt:
        return Receipt(digest=hashlib.sha256(b"the body").hexdigest())

    async with engine(tmp_path, BOTH) as bench:
        bench.answers["program"] += [answer]
        await bench.post(firing())

        sent = await digests(bench, "sent")
        assert hashlib.sha256(b"the body").hexdigest() in sent
        assert len({*sent}) == 2
        assert all(len(digest) == 64 for digest in sent)


async def test_a_channel_that_does_not_end_is_ended_and_perhaps_told(tmp_path: Path) -> None:
    async def hang(_message: Message, _context: Context) -> Receipt:
        await asyncio.Event().wait()
        raise AssertionError

    text = "channels: {people: {type: console, timeout: 20ms}}\nroute: {receiver: people}\n"
    async with engine(tmp_path, text) as bench:
        vars(bench.transactions.generation().channels["people"].channel)["send"] = hang
        await bench.post(firing())

        assert await bench.audit("unknown") == [("unknown", "timeout", "people")]


async def test_what_a_wordless_attempt_that_failed_was_about_is_kept_too(tmp_path: Path) -> None:
    def fail(message: Message, _context: Context) -> Receipt:
        raise Retryable(FailureReason.NETWORK)

    async with engine(tmp_path, BOTH) as bench:
        wordless(bench, "program")
        bench.answers["program"] += [fail]
        await bench.post(firing("One"))
        bench.answers["program"] += [fail]
        await bench.post(firing("Two"))

        one, two = await digests(bench, "retry")
        assert one != two
