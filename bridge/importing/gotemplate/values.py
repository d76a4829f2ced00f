"""What an expression of a Go template is worth in Jinja: a piece of code, and the kind of value it gives.

Only fields and methods of Alertmanager's template data are known, so a misspelt or newer one is refused here and not
when an alert comes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal as OneOf

from msgspec import Struct

from bridge.importing.gotemplate.layouts import strftime_of
from bridge.importing.gotemplate.tree import Untranslatable

Kind = OneOf[
    "data", "alerts", "alert", "labels", "pairs", "rest", "pair", "strings", "string", "number", "bool", "time", "nil"
]
"""`labels` are a mapping, `pairs` its sorted name-value pairs, `rest` those pairs without some names."""


class Value(Struct, frozen=True):
    """`code` can stand anywhere in an expression. `text` is set for a text that is known."""

    kind: Kind
    code: str
    text: str | None = None


ROOT = Value("data", "")
NIL = Value("nil", "none")
_DATA: Mapping[str, Value] = {
    "Receiver": Value("string", "receiver"),
    "Status": Value("string", "status"),
    "Alerts": Value("alerts", "alerts"),
    "GroupLabels": Value("labels", "group_labels"),
    "CommonLabels": Value("labels", "common_labels"),
    "CommonAnnotations": Value("labels", "common_annotations"),
    "ExternalURL": Value("string", "external_url"),
}
_ALERT: Mapping[str, tuple[Kind, str]] = {
    "Status": ("string", "status"),
    "Labels": ("labels", "labels"),
    "Annotations": ("labels", "annotations"),
    "StartsAt": ("time", "starts_at"),
    "EndsAt": ("time", "ends_at"),
    "GeneratorURL": ("string", "generator_url"),
    "Fingerprint": ("string", "fingerprint"),
}
_PLAIN_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*", re.ASCII)
_METHODS = frozenset({"get", "items", "keys", "values"})


def quoted(text: str) -> str:
    """A text as Jinja writes it."""
    return json.dumps(text, ensure_ascii=False)


def string(text: str) -> Value:
    return Value("string", quoted(text), text)


def field(value: Value, name: str, arguments: tuple[Value, ...] = ()) -> Value:
    """A field, a label, or what a method gives.

    Raises:
        Untranslatable: there is none.
    """
    found = _of_argument(value, name, arguments[0]) if len(arguments) == 1 else None
    if not arguments:
        found = _of_labels(value, name) if value.kind in {"labels", "rest", "pairs"} else _of_struct(value, name)
    if found is None:
        raise Untranslatable(f".{name} has no counterpart")
    return found


def _of_struct(value: Value, name: str) -> Value | None:
    match value.kind, name:
        case "data", _:
            return _DATA.get(name)
        case "alerts", "Firing" | "Resolved" if value.code == "alerts":
            return Value("alerts", name.lower())
        case "alert", _ if name in _ALERT:
            kind, attribute = _ALERT[name]
            return Value(kind, f"{value.code}.{attribute}")
        case "pair", "Name" | "Value":
            return Value("string", f"{value.code}[{0 if name == 'Name' else 1}]")
    return None


def _of_labels(value: Value, name: str) -> Value | None:
    if value.kind != "pairs" and name in {"SortedPairs", "Names", "Values"}:
        pairs = Value("pairs", _named_first(value))
        return pairs if name == "SortedPairs" else _of_labels(pairs, name)
    if value.kind == "pairs" and name in {"Names", "Values"}:
        return Value("strings", f"({value.code}|map(attribute={0 if name == 'Names' else 1})|list)")
    return label(value, name) if value.kind == "labels" else None


def _of_argument(value: Value, name: str, argument: Value) -> Value | None:
    if value.kind == "time" and name == "Format":
        return formatted(value, argument)
    if value.kind in {"labels", "rest"} and name == "Remove" and argument.kind == "strings":
        return Value("rest", f'{_sorted(value)}|rejectattr(0, "in", {argument.code})')
    return None


def label(value: Value, name: str) -> Value:
    """A label's or annotation's value; empty where there is none."""
    if name in _METHODS:
        return looked_up(value, string(name))
    plain = _PLAIN_NAME.fullmatch(name) is not None
    return Value("string", f"{value.code}.{name}" if plain else f"{value.code}[{quoted(name)}]")


def looked_up(value: Value, name: Value) -> Value:
    """A label whose name is only known when the alert comes, or is that of a mapping's method in Jinja."""
    return Value("string", f'({value.code}[{name.code}] if {name.code} in {value.code} else "")')


def formatted(value: Value, layout: Value) -> Value:
    """A time in Go's layout."""
    if layout.text is None:
        raise Untranslatable("a layout that is not written out has no counterpart")
    return Value("string", f"{value.code}.strftime({quoted(strftime_of(layout.text))})")


def _sorted(value: Value) -> str:
    return value.code if value.kind == "rest" else f"{value.code}|dictsort(true)"


def _named_first(value: Value) -> str:
    """The pairs in Alertmanager's order: `alertname`, then the others by name."""
    pairs = _sorted(value)
    return f'({pairs}|selectattr(0, "eq", "alertname")|list + {pairs}|rejectattr(0, "eq", "alertname")|list)'


def truth(value: Value) -> str:
    """The code of a condition: as in Go, what is empty or zero is false, and a struct never is."""
    if value.kind in {"data", "alert", "pair", "time"}:
        return "true"
    return f"({value.code})" if value.kind == "rest" else value.code


def printed(value: Value) -> str:
    """The code of what is printed.

    Raises:
        Untranslatable: Go prints it in a way of its own.
    """
    if value.kind == "bool":
        return f'("true" if {value.code} else "false")'
    if value.kind not in {"string", "number", "time"}:
        raise Untranslatable(f"printing {value.kind} as a whole has no counterpart")
    return value.code


def iterated(value: Value) -> str:
    """The code of what a loop goes over.

    Raises:
        Untranslatable: it is no list.
    """
    if value.kind == "labels":
        return f"{value.code}|dictsort(true)"
    if value.kind not in {"alerts", "strings", "pairs", "rest"}:
        raise Untranslatable(f"a range over {value.kind} has no counterpart")
    return value.code
