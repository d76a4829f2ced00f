"""The console: prints what would be sent. For trying a configuration out."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from datetime import UTC
from typing import ClassVar

from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Receipt,
    Retryable,
)
from bridge.channels.sizes import action_lines
from bridge.observe.detached import Detached, put

_PRINTER = Detached("console")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 controls but tab and line feed; marks, overrides and isolates of direction; byte order marks; surrogates.
# Joiners stay: emoji and several scripts need them.
_OBEYED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class ConsoleOptions(ChannelOptions):
    """Nothing of its own."""


class ConsoleChannel:
    """Prints one block a message on standard output and flushes it."""

    Options: ClassVar[type[ChannelOptions]] = ConsoleOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: ClassVar[bool] = False

    def __init__(self, name: str, options: ConsoleOptions) -> None:
        self.name = name
        self._options = options

    async def send(self, message: Message, context: Context) -> Receipt:
        text = block(message, self.name, plain=context.plain)
        await asyncio.wrap_future(_PRINTER.submit(lambda: _write(text)))
        return Receipt(detail="printed")


def block(message: Message, channel: str, *, plain: bool = False) -> str:
    """The printed form. Only its first line begins at the margin: alert text cannot pretend to be another message."""
    head = f"── {message.reason.value} · {message.status.value} · {_inline(channel)} "
    lines = [f"{head:─<79}", f"  {_inline(message.title)}"]
    lines += [f"  {line}".rstrip() for line in visible(message.text).split("\n")]
    if not plain:
        lines += [f"  {line}" for line in _facts(message)]
    lines += [f"  note: {_inline(line)}" for line in visible(message.note).split("\n") if line.strip()]
    return "\n".join(lines) + "\n"


def _facts(message: Message) -> Iterator[str]:
    if not message.incident:  # a notice is about the bridge itself
        return
    yield f"incident {message.incident} since {message.opened_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"receiver {_inline(message.receiver)}, route {_inline(message.route)}, source {_inline(message.source)}"
    if message.standing:
        yield _inline(message.standing)
    if message.fired_and_resolved:
        yield "fired and resolved before it was told"
    for line in action_lines(message):
        yield _inline(line)
    if message.truncated:
        yield f"{message.truncated} more alerts were left out by the sender"


def visible(text: str) -> str:
    r"""What a terminal would obey or hide is written as `\x1b` or `\u202e`; every line ends in a line feed."""
    return _OBEYED.sub(_escape, _LINE_ENDS.sub("\n", text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _inline(text: str) -> str:
    return " ".join(visible(text).split())


def _write(text: str) -> None:
    """Writes and flushes.

    Raises:
        Retryable: nobody reads, or the disk behind is full.
    """
    try:
        put(sys.stdout, text)
    except (OSError, ValueError) as error:  # ValueError: standard output is closed
        raise Retryable(FailureReason.NETWORK, f"standard output cannot be written: {type(error).__name__}") from error
