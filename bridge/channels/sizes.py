"""Making text fit, the way Alertmanager does it, and never without saying so.

Cut before escaping for a markup, and measure the escaped text: `measure` is there for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bridge.domain.message import Message

ELLIPSIS = "…"
_BYTES = 3
_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def shorten(text: str, limit: int) -> str:
    """At most `limit` code points: the first limit-1 and `…`; cut hard where `…` would be most of it (limit ≤ 3).

    Alertmanager's TruncateInRunes.
    """
    if len(text) <= limit:
        return text
    return text[:limit] if limit <= _BYTES else text[: limit - 1] + ELLIPSIS


def one_line(text: str) -> str:
    """For subjects and titles: line breaks, control and direction characters, lone surrogates become single blanks."""
    return _LINE.sub(" ", text).strip()


def clean(text: str) -> str:
    """Without control and direction characters, which hide or reorder what is read, and without lone surrogates.

    Tabs and line ends stay.
    """
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def whole_lines(lines: Sequence[str], limit: int, measure: Callable[[str], int] = len) -> str:
    """As many lines as fit, in order, then `… and 4,321 more` if not all did.

    Never longer than `limit`, which should leave room for a line: below about 20 characters the count is cut too.

    `measure` is the size of a text where it is going (bytes, escaped characters, SMS units); it must not shrink
    when a text grows. A line is cut instead of left out if nothing else could be shown, or if it is the last or
    takes much of the room: then it alone is the trouble.
    """
    text = "\n".join(lines)
    if measure(text) <= limit:
        return text
    low, high = 0, len(lines) - 1
    while low < high:  # the largest count that fits
        middle = (low + high + 1) // 2
        if measure(_with_rest(lines, middle)) <= limit:
            low = middle
        else:
            high = middle - 1
    if low in {0, len(lines) - 1} or measure(lines[low]) > limit // 4:
        text = _with_cut(lines, low, limit, measure)
    else:
        text = _with_rest(lines, low)
    return text[: longest(text, lambda head: measure(head) <= limit)]


def longest(text: str, fits: Callable[[str], bool]) -> int:
    """How many code points of `text` fit; 0 if none does."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def body_lines(message: Message) -> list[str]:
    """The message's text, line by line, cleaned; without the notes that must not be cut off."""
    return clean(message.text).split("\n") if message.text else []


def notes(message: Message) -> list[str]:
    """What must be said besides the text, a line each: the bridge's own note, who has it or ended it, what is not here."""
    lines = [one_line(message.note)]
    if message.standing:
        lines.append(one_line(message.standing))
    if message.truncated:
        lines.append(f"{message.truncated:,} alerts were left out by the sender")
    return [line for line in lines if line]


def action_lines(message: Message) -> list[str]:
    """`Acknowledge: https://…`, a line for each action that has an address."""
    return [f"{action.label}: {action.url}" for action in message.actions if action.url]


def body(message: Message, limit: int, measure: Callable[[str], int] = len, *, title: bool = False) -> str:
    """Text, notes and actions, the title above if asked for, in at most `limit`. The list of alerts is what gives way.

    An address is there whole or not at all: actions have up to half of the limit, the likeliest first.
    """
    tail = "\n".join(notes(message))
    tail = tail[: longest(tail, lambda head: measure(head) <= limit // 4)]
    for line in action_lines(message):
        longer = f"{tail}\n{line}" if tail else line
        if measure(longer) <= limit // 2:
            tail = longer
    lines = [one_line(message.title)] * title + body_lines(message)
    if not tail:
        return whole_lines(lines, limit, measure)
    return f"{whole_lines(lines, limit - measure(tail) - measure('xx'), measure)}\n{tail}"


def _with_rest(lines: Sequence[str], count: int) -> str:
    return "\n".join((*lines[:count], f"{ELLIPSIS} and {len(lines) - count:,} more"))


def _with_cut(lines: Sequence[str], whole: int, limit: int, measure: Callable[[str], int]) -> str:
    """The first `whole` lines and the next one cut; without it if not even a character of it fits."""
    left = len(lines) - whole - 1
    head = "".join(f"{line}\n" for line in lines[:whole])
    rest = ELLIPSIS + (f"\n{ELLIPSIS} and {left:,} more" if left else "")
    room = longest(lines[whole], lambda part: measure(head + part + rest) <= limit)
    if room:
        return head + lines[whole][:room] + rest
    return _with_rest(lines, whole) if whole else lines[0]
