r"""Alertmanager's second matcher syntax (0.27 and later): any UTF-8 label name, quoting as in Go.

Name and value are each a double-quoted Go string literal or a bare word, which has no white space and none of
`{}!=~,\"'` or a backtick. A value is required. Braces stand at both ends or at neither; a comma may trail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bridge.routing.classic_syntax import Parts

_SPACE = r"\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TOKEN = re.compile(
    rf"[{_SPACE}]*(?:"
    r'(?P<quoted>"(?:[^"\\\n]|\\.)*")|(?P<operator>=~|!~|!=|=)|(?P<mark>[{},])'
    rf"|(?P<bare>[^{_SPACE}{{}}!=~,\\\"'`]+)|(?P<end>\Z))"
)
RESERVED = re.compile(rf"[{_SPACE}{{}}!=~,\\\"'`]")
"""What a bare word cannot hold: a name with any of these is printed in quotes."""

_GO_ESCAPE = re.compile(
    r"\\(?:(?P<char>[abfnrtv\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<bad>.?))"
)
_GO_CHARS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}

Token = tuple[str, str]


def parse_list(text: str) -> tuple[Parts, ...]:
    """All matchers of the text; `{}` and blank text hold none.

    Raises:
        ValueError: the text is no list of matchers.
    """
    tokens = list(_tokens(text))
    if tokens[0] == ("mark", "{"):
        if tokens[-2] != ("mark", "}"):
            raise ValueError("no closing brace")
        tokens = [*tokens[1:-2], tokens[-1]]
    found = []
    place = 0
    while tokens[place][0] != "end":
        found.append(_matcher(tokens[place : place + 3]))
        place += 3
        if tokens[place] == ("mark", ","):
            place += 1
        elif tokens[place][0] != "end":
            raise ValueError("a comma or the end is expected after a matcher")
    return tuple(found)


def quote(text: str) -> str:
    """The text as a Go string literal."""
    plain = {char: f"\\{name}" for name, char in _GO_CHARS.items()}
    return '"' + "".join(plain.get(char) or _printable(char) for char in text) + '"'


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise ValueError(f"unexpected character at position {place}")
        yield match.lastgroup, match[match.lastgroup]
        if match.lastgroup == "end":
            return
        place = match.end()


def _matcher(tokens: list[Token]) -> Parts:
    kinds = [kind for kind, _text in tokens]
    if len(tokens) < 3 or kinds[1] != "operator" or not {kinds[0], kinds[2]} <= {"quoted", "bare"}:
        raise ValueError("a matcher is a name, an operator and a value")
    name = _text(tokens[0])
    if not name:
        raise ValueError("a label name cannot be empty")
    return name, tokens[1][1], _text(tokens[2])


def _text(token: Token) -> str:
    kind, text = token
    return _unquote(text[1:-1]) if kind == "quoted" else text


def _unquote(inner: str) -> str:
    def plain(match: re.Match[str]) -> bytes:
        kind, found = match.lastgroup or "bad", match[match.lastgroup or 0]
        if kind == "char":
            return _GO_CHARS[found].encode()
        if kind in {"byte", "octal"}:
            return bytes([int(found, 16 if kind == "byte" else 8)])
        if kind in {"short", "long"}:
            return chr(int(found, 16)).encode()
        raise ValueError("invalid escape in a quoted text")

    parts = []
    place = 0
    for match in _GO_ESCAPE.finditer(inner):
        parts += [inner[place : match.start()].encode(), plain(match)]
        place = match.end()
    return (b"".join(parts) + inner[place:].encode()).decode()


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    point = ord(char)
    if point < 0x80:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
