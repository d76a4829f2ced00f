"""Cuts a Go template into text and the tokens of its actions; trim marks are applied here, as in Go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from bridge.importing.gotemplate.tree import Untranslatable

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<number>[+-]?(?:[0-9]+\.[0-9]+|[0-9]+)(?![\w.]))
    |(?P<variable>\$\w*)
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.)
    |(?P<declare>:=)
    |(?P<assign>=)
    |(?P<word>[^\W\d]\w*)
    |(?P<mark>[|(),])""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"\{\{(-\s+)?/\*.*?\*/(\s+-)?\}\}", re.DOTALL)
_SPACE = " \t\r\n"


class Token(Struct, frozen=True):
    """`kind` is a group's name above; `spaced` says that white space stands before it."""

    kind: str
    text: str
    spaced: bool = False


class Action(Struct, frozen=True):
    tokens: tuple[Token, ...]


def pieces(source: str) -> Iterator[str | Action]:
    """Texts and actions in turn.

    Raises:
        Untranslatable: an action that is not closed, or a token that is not known.
    """
    position, trim = 0, False
    while True:
        start = source.find("{{", position)
        text = source[position : len(source) if start < 0 else start]
        text = text.lstrip(_SPACE) if trim else text
        if start < 0:
            if text:
                yield text
            return
        left = re.compile(r"\{\{-(?=[ \t\r\n])").match(source, start) is not None
        text = text.rstrip(_SPACE) if left else text
        if text:
            yield text
        comment = _COMMENT.match(source, start)
        if comment is not None:
            position, trim = comment.end(), comment[2] is not None
            continue
        tokens, position, trim = _action(source, start + (3 if left else 2))
        yield Action(tokens)


def _action(source: str, position: int) -> tuple[tuple[Token, ...], int, bool]:
    """The tokens of an action, where it ends, and whether the white space after it is trimmed."""
    tokens: list[Token] = []
    spaced = False
    while position < len(source):
        if source.startswith("-}}", position) and spaced:
            return tuple(tokens), position + 3, True
        if source.startswith("}}", position):
            return tuple(tokens), position + 2, False
        match = _TOKEN.match(source, position)
        if match is None:
            raise Untranslatable(f"{source[position : position + 10]!r} is not understood")
        position = match.end()
        if match.lastgroup == "space":
            spaced = True
            continue
        tokens.append(Token(match.lastgroup or "", match[0], spaced))
        spaced = False
    raise Untranslatable("an action is not closed")
