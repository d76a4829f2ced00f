r"""Alertmanager's first matcher syntax: `name op value`, the value bare or in double quotes.

Source: the behaviour of Alertmanager 0.25, which knows only this one. Its white space is ASCII, its label names are
`[a-zA-Z_:][a-zA-Z0-9_:]*`, and the only escapes are `\n`, `\"` and `\\`; any other backslash stands for itself.
"""

from __future__ import annotations

import re

Parts = tuple[str, str, str]
"""Label name, operator, value."""

_FORM = re.compile(
    r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*?)[\t\n\f\r ]*", re.DOTALL
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\([n"\\])')
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


def parse_one(text: str) -> Parts:
    """One matcher.

    Raises:
        ValueError: it is none; the message is Alertmanager's.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"bad matcher format: {text}")
    name, operator, raw = match.groups()
    return name, operator, _value(raw)


def parse_list(text: str) -> tuple[Parts, ...]:
    """Matchers separated by commas outside quotes; a brace at either end may be there or not.

    Raises:
        ValueError: one of them is no matcher.
    """
    tokens = _split(text.removeprefix("{").removesuffix("}"))
    if not tokens[-1].strip():
        tokens.pop()
    return tuple(parse_one(token) for token in tokens)


def _value(raw: str) -> str:
    quoted = raw.startswith('"')
    inner = raw[1:] if quoted else raw
    if quoted:
        match = _QUOTED.fullmatch(raw)
        if match is None:
            raise ValueError(f"matcher value contains unescaped double quote: {raw}")
        inner = match[1]
    elif re.fullmatch(r'(?:[^"\\]|\\.)*\\?', raw, re.DOTALL) is None:
        raise ValueError(f"matcher value contains unescaped double quote: {raw}")
    return _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], inner)


def _split(text: str) -> list[str]:
    tokens = [""]
    quoted = escaped = False
    for char in text:
        if char == "," and not quoted:
            tokens.append("")
            escaped = False
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
        tokens[-1] += char
    return tokens
