"""The filters, globals and operators of templates: Jinja's where their cost is that of their input, else our own."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import wraps
from typing import Any

from jinja2 import Undefined, pass_environment
from jinja2.environment import Environment
from jinja2.filters import FILTERS, make_attrgetter

from bridge.domain.duration import format_duration
from bridge.templates.budget import MAX_ITEMS, TemplateFailed, is_container, running, sized, weight

_TEXT_FILTERS = ("capitalize", "lower", "title", "trim", "truncate", "upper", "urlencode", "wordcount")
_VALUE_FILTERS = ("abs", "d", "default", "float", "int")
_LIST_FILTERS = (
    "count", "dictsort", "first", "groupby", "items", "last", "length", "list", "map", "max", "min", "reverse", "sort",
    "unique",
)  # fmt: skip
_CHOICE_FILTERS = ("reject", "rejectattr", "select", "selectattr")
_MAX_EXPONENT = 64
_MAX_DIGITS = 10


def text_of(value: object) -> str:
    """How a value is written: None and missing ones empty, times as RFC 3339, lists with commas.

    Raises:
        TemplateFailed: it has no one text: a whole alert, a method that was not called.
    """
    if type(value) is str:
        return value
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    raise TemplateFailed(f"a {type(value).__name__} cannot be printed; call it, or name one of its fields")


def join(items: Iterable[object], separator: str) -> str:
    """The items' texts in one; stops where it grows too long."""
    budget = running.get()
    texts: list[str] = []
    size = 0
    for item in items:
        budget.spend(1)
        texts.append(text_of(item))
        size += len(texts[-1]) + len(separator)
        if size - len(separator) > budget.size:
            raise TemplateFailed("a text in it grows too long")
    return separator.join(texts)


_WRITERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (Enum, lambda value: str(value.value)),
    (str, str),
    (int, str),
    (float, str),
    (type(None), lambda _value: ""),
    (Undefined, lambda _value: ""),
    (datetime, lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z")),
    (timedelta, format_duration),
    (Mapping, lambda value: join([f"{text_of(name)}={text_of(item)}" for name, item in value.items()], ", ")),
    (Iterable, lambda value: join(value, ", ")),
)


def replace(text: object, old: str, new: str, count: int = -1) -> str:
    """`str.replace`, refused before it grows too long."""
    source = text_of(text)
    running.get().spend(weight(source))
    times = source.count(old)
    if 0 <= count < times:
        times = count
    if len(source) + times * (len(new) - len(old)) > running.get().size:
        raise TemplateFailed("a text in it grows too long")
    return source.replace(old, new, count)


def counted(items: Iterable[object]) -> Iterator[object]:
    """The items, each a step."""
    budget = running.get()
    for item in items:
        budget.spend(1)
        yield item


def bounded_range(*bounds: int) -> range:
    """`range`, up to `MAX_ITEMS`."""
    made = range(*bounds)
    if len(made) > MAX_ITEMS:
        raise TemplateFailed(f"a range in it has more than {MAX_ITEMS} items")
    return made


def _flat(literal: Any) -> Any:
    if any(is_container(item) for item in (literal.values() if isinstance(literal, dict) else literal)):
        raise TemplateFailed("a list in it holds a list; lists made in a template do not nest")
    return literal


def _concat(parts: list[object]) -> str:
    return join(parts, "")


@pass_environment
def _join(environment: Environment, items: Iterable[object], separator: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        items = map(make_attrgetter(environment, attribute), items)
    return join(items, text_of(separator))


@pass_environment
def _sum(environment: Environment, items: Iterable[object], attribute: str | None = None) -> float:
    if attribute is not None:
        items = map(make_attrgetter(environment, attribute), items)
    total: float = 0
    for item in counted(items):
        if not isinstance(item, int | float):
            raise TemplateFailed("only numbers can be summed")
        total += item
    return total


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > _MAX_DIGITS:
        raise TemplateFailed(f"numbers are rounded to at most {_MAX_DIGITS} digits")
    rounded: float = FILTERS["round"](value, precision, method)
    return rounded


def _to_json(value: object) -> str:
    return sized(json.dumps(value, ensure_ascii=False, default=text_of))


def _listed(value: object) -> object:
    return list(counted(value)) if isinstance(value, Iterator) else value


def _filter(name: str, *, prepare: Callable[[object], object], lists: bool = False) -> Callable[..., Any]:
    """Jinja's filter with its input counted, its arguments plain, and its result checked.

    `lists` allows lists among the arguments, at the price of going through them for every item.
    """
    function = FILTERS[name]
    at = 1 if hasattr(function, "jinja_pass_arg") else 0  # Jinja passes its own context or environment first

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        value = prepare(args[at])
        cost = weight(value)
        for argument in (*args[at + 1 :], *kwargs.values()):
            if is_container(argument):
                if not lists:
                    raise TemplateFailed(f"the filter {name!r} takes no list as an argument")
                cost *= weight(argument)
        running.get().spend(cost)
        return sized(_listed(function(*args[:at], value, *args[at + 1 :], **kwargs)))

    return bounded


def _itself(value: object) -> object:
    return value


def _times(left: Any, right: Any) -> Any:
    for value, number in ((left, right), (right, left)):
        if isinstance(value, str) and isinstance(number, int) and len(value) * number > running.get().size:
            raise TemplateFailed("a text in it grows too long")
        if is_container(value):
            raise TemplateFailed("lists cannot be multiplied")
    return left * right


def _power(left: Any, right: Any) -> Any:
    if abs(right) > _MAX_EXPONENT:
        raise TemplateFailed(f"exponents go to {_MAX_EXPONENT}")
    return left**right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise TemplateFailed("texts are not formatted with %; use ~ to join them")
    return left % right


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "*": _times,
    "**": _power,
    "%": _modulo,
}
"""The operators that can make values grow."""

COUNTED, CONCAT, FLAT = "_counted", "_concat", "_flat"
"""Filters that the compiler puts in: around what a loop goes over, for `~`, around literals of lists."""

ALL_FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _filter(name, prepare=text_of) for name in _TEXT_FILTERS},
    **{name: _filter(name, prepare=_itself) for name in _VALUE_FILTERS},
    **{name: _filter(name, prepare=_listed) for name in _LIST_FILTERS},
    **{name: _filter(name, prepare=_listed, lists=True) for name in _CHOICE_FILTERS},
    "join": _join,
    "replace": replace,
    "round": _round,
    "string": text_of,
    "sum": _sum,
    "tojson": _to_json,
    COUNTED: counted,
    CONCAT: _concat,
    FLAT: _flat,
}
