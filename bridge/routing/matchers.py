"""Label matchers: `severity=~"critical|page"`, as Alertmanager has them.

Regular expressions are RE2, anchored as `^(?:…)$`. A label that is missing is the empty text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, Protocol, cast

import re2
from msgspec import Struct

from bridge.routing import classic_syntax, utf8_syntax

Operator = Literal["=", "!=", "=~", "!~"]

_CACHED_VALUE = 256  # longer values are matched anew, so that hostile ones cannot fill the cache
_ORDER = ("=", "!=", "=~", "!~")


class Matcher(Struct, frozen=True):
    """One condition on one label. `str(matcher)` is Alertmanager's way of printing it.

    Raises:
        ValueError: the regular expression is no RE2.
    """

    name: str
    op: Operator
    value: str

    def __post_init__(self) -> None:
        if self.op in {"=~", "!~"}:
            _compiled(self.value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition."""
        return self.accepts(labels.get(self.name, ""))

    def accepts(self, found: str) -> bool:
        """Whether this value of the label (empty where there is none) meets the condition."""
        if self.op == "=":
            return found == self.value
        if self.op == "!=":
            return found != self.value
        search = _search_cached if len(found) <= _CACHED_VALUE else _search
        return search(self.value, found) is (self.op == "=~")

    def __str__(self) -> str:
        if utf8_syntax.RESERVED.search(self.name):
            return f"{utf8_syntax.quote(self.name)}{self.op}{utf8_syntax.quote(self.value)}"
        value = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.op}"{value}"'


def match_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels meet every condition; without conditions they do."""
    return all(matcher.matches(labels) for matcher in matchers)


def in_order(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Alertmanager's order of the matchers of one route: by name, value, operator."""
    return tuple(sorted(matchers, key=lambda matcher: (matcher.name, matcher.value, _ORDER.index(matcher.op))))


def format_matchers(matchers: Iterable[Matcher]) -> str:
    """`{a="b",c=~"d"}`, as in a group key and in amtool's tree."""
    return "{" + ",".join(str(matcher) for matcher in matchers) + "}"


def parse_matcher(text: str) -> Matcher:
    """One matcher, in either syntax; where both read it and differ, the classic reading holds.

    Raises:
        ValueError: `bad matcher format: …`, or what is wrong with the regular expression.
    """
    if text.startswith("{") or text.endswith("}"):
        raise ValueError(f"unexpected open or close brace: {text}")
    try:
        return _build(classic_syntax.parse_one(text))
    except ValueError:
        newer = _utf8(text)
        if newer is None or len(newer) != 1:
            raise
        return newer[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """A list: `a="b", c=~"d"`, with or without braces. Rules and errors as for one."""
    try:
        return tuple(map(_build, classic_syntax.parse_list(text)))
    except ValueError:
        newer = _utf8(text)
        if newer is None:
            raise
        return newer


def from_match(match: Mapping[str, str], match_re: Mapping[str, str]) -> tuple[Matcher, ...]:
    """The older form, `match:` and `match_re:`. A regular expression is kept anchored, as it stands in group keys.

    Raises:
        ValueError: a regular expression is no RE2.
    """
    equal = [Matcher(name, "=", value) for name, value in match.items()]
    return (*equal, *(_build((name, "=~", f"^(?:{value})$")) for name, value in match_re.items()))


def _utf8(text: str) -> tuple[Matcher, ...] | None:
    try:
        return tuple(map(_build, utf8_syntax.parse_list(text)))
    except ValueError:
        return None


def _build(parts: classic_syntax.Parts) -> Matcher:
    name, operator, value = parts
    return Matcher(name, cast("Operator", operator), value)


class _Regex(Protocol):
    def search(self, text: bytes) -> object | None: ...


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> _Regex:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        # Bytes, because the binding is several times slower on text.
        return cast("_Regex", re2.compile(f"^(?:{pattern})$".encode(), options))
    except UnicodeEncodeError as error:
        raise ValueError("bad regular expression: it is no UTF-8") from error
    except re2.error as error:
        cause = error.args[0].decode(errors="replace")
        raise ValueError(f"bad regular expression {pattern!r} (RE2 syntax): {cause}") from error


def _search(pattern: str, value: str) -> bool:
    return _compiled(pattern).search(value.encode(errors="surrogatepass")) is not None


_search_cached = lru_cache(maxsize=16384)(_search)
