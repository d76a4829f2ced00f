"""Looks for credentials where they must never be."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus


def spellings(canary: str) -> tuple[str, ...]:
    """The secret as it might be written: plain, in a URL, in JSON, alone in base64."""
    return (canary, quote(canary, safe=""), quote_plus(canary), base64.b64encode(canary.encode()).decode().rstrip("="))


def found(canaries: Iterable[str], text: str) -> list[str]:
    return [canary for canary in canaries for spelling in spellings(canary) if spelling in text]


def texts_of(error: BaseException) -> Iterator[str]:
    """Everything a log could show of an error: text, arguments, notes, attributes and the same of what caused it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield str(current)
        yield repr(current)
        yield repr(current.args)
        yield repr(vars(current))
        yield "".join(traceback.format_exception_only(current))
        waiting += [current.__cause__, current.__context__]
        waiting += getattr(current, "exceptions", ())


def assert_no_secret(canaries: Iterable[str], error: BaseException) -> None:
    for text in texts_of(error):
        assert not found(canaries, text), f"a secret is in: {text}"
