"""The functions of Go's and Alertmanager's templates that Jinja can do as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bridge.importing.gotemplate.tree import Untranslatable
from bridge.importing.gotemplate.values import Value, formatted, label, looked_up, printed, quoted, string, truth

Arguments = tuple[Value, ...]
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_VERB = re.compile(r"%(.)", re.DOTALL)
_VERBS: Mapping[str, frozenset[str]] = {"s": frozenset({"string"}), "d": frozenset({"number"})}
_PRINTABLE = frozenset({"string", "number"})
_COMPARISONS = {"ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_COUNTABLE = frozenset({"alerts", "labels", "pairs", "rest", "strings", "string"})


def call(name: str, arguments: Arguments) -> Value:
    """What the function gives.

    Raises:
        Untranslatable: it is not known, or not for these arguments.
    """
    function = _FUNCTIONS.get(name)
    if function is None:
        raise Untranslatable(f"the function {name} has no counterpart")
    found = function(arguments)
    if found is None:
        raise Untranslatable(f"{name} with these arguments has no counterpart")
    return found


def joined(values: Arguments) -> Value:
    """The texts one after the other."""
    if len(values) == 1:
        return values[0]
    return Value("string", f"({' ~ '.join(printed(value) for value in values)})")


def _filter(code: str) -> Callable[[Arguments], Value | None]:
    def apply(arguments: Arguments) -> Value | None:
        match arguments:
            case (Value("string") as text,):
                return Value("string", f"{text.code}|{code}")
        return None

    return apply


def _same(arguments: Arguments) -> Value | None:
    return arguments[0] if len(arguments) == 1 and arguments[0].kind == "string" else None


def _comparable(value: Value, other: Value) -> str:
    """A missing label is the empty text; only a text that is known and not empty differs from it anyway."""
    if value.kind not in {"string", "number", "bool"}:
        raise Untranslatable(f"comparing {value.kind} has no counterpart")
    return f'{value.code}|d("")' if value.kind == "string" and value.text is None and not other.text else value.code


def _eq(arguments: Arguments) -> Value | None:
    if len(arguments) < 2:
        return None
    first, *others = arguments
    tests = [f"{_comparable(first, other)} == {_comparable(other, first)}" for other in others]
    return Value("bool", f"({' or '.join(tests)})")


def _compared(operator: str) -> Callable[[Arguments], Value | None]:
    def compare(arguments: Arguments) -> Value | None:
        if len(arguments) != 2 or arguments[0].kind != arguments[1].kind:
            return None
        left, right = arguments
        return Value("bool", f"({_comparable(left, right)} {operator} {_comparable(right, left)})")

    return compare


def _logic(word: str) -> Callable[[Arguments], Value | None]:
    def combine(arguments: Arguments) -> Value | None:
        if not arguments:
            return None
        kinds = {argument.kind for argument in arguments}
        kind = kinds.pop() if len(kinds) == 1 else "bool"
        return Value(kind, f"({f' {word} '.join(truth(argument) for argument in arguments)})")

    return combine


def _not(arguments: Arguments) -> Value | None:
    return Value("bool", f"(not {truth(arguments[0])})") if len(arguments) == 1 else None


def _length(arguments: Arguments) -> Value | None:
    if len(arguments) != 1 or arguments[0].kind not in _COUNTABLE:
        return None
    return Value("number", f"{arguments[0].code}|length")


def _join(arguments: Arguments) -> Value | None:
    match arguments:
        case (Value("string") as separator, Value("strings") as texts):
            return Value("string", f"{texts.code}|join({separator.code})")
    return None


def _slice(arguments: Arguments) -> Value | None:
    if any(argument.kind != "string" for argument in arguments):
        return None
    return Value("strings", f"[{', '.join(argument.code for argument in arguments)}]")


def _index(arguments: Arguments) -> Value | None:
    match arguments:
        case (Value("labels") as labels, Value("string") as name) if name.text is not None:
            return label(labels, name.text)
        case (Value("labels") as labels, Value("string") as name):
            return looked_up(labels, name)
        case (Value("alerts") as alerts, Value("number") as at):
            return Value("alert", f"{alerts.code}[{at.code}]")
        case (Value("strings") as texts, Value("number") as at):
            return Value("string", f"{texts.code}[{at.code}]")
    return None


def _print(arguments: Arguments) -> Value | None:
    if not arguments or any(argument.kind != "string" for argument in arguments):
        return None
    return joined(arguments)


def _printf(arguments: Arguments) -> Value | None:
    if not arguments or arguments[0].text is None:
        return None
    left = list(arguments[1:])
    parts: list[Value] = []
    position = 0
    for verb in _VERB.finditer(arguments[0].text):
        parts.append(string(arguments[0].text[position : verb.start()]))
        position = verb.end()
        if verb[1] == "%":
            parts.append(string("%"))
        elif left and verb[1] in "sdv" and left[0].kind in _VERBS.get(verb[1], _PRINTABLE):
            parts.append(left.pop(0))
        else:
            return None
    parts.append(string(arguments[0].text[position:]))
    return None if left else joined(tuple(part for part in parts if part.text != "") or (string(""),))


def _replace_all(arguments: Arguments) -> Value | None:
    """Only where the pattern is a plain text."""
    match arguments:
        case (Value(text=str() as pattern), Value(text=str() as new), Value("string") as text) if (
            pattern and not _SPECIAL.search(pattern) and "$" not in new
        ):
            return Value("string", f"{text.code}|replace({quoted(pattern)}, {quoted(new)})")
    return None


def _match(arguments: Arguments) -> Value | None:
    """Only where the pattern is a plain text, perhaps anchored at its beginning."""
    match arguments:
        case (Value(text=str() as pattern), Value("string") as text):
            plain = pattern.removeprefix("^")
            if not _SPECIAL.search(plain):
                if plain != pattern:
                    return Value("bool", f"({text.code}|string).startswith({quoted(plain)})")
                return Value("bool", f"({quoted(plain)} in {text.code}|string)")
    return None


def _date(arguments: Arguments) -> Value | None:
    match arguments:
        case (Value("string") as layout, Value("time") as time):
            return formatted(time, layout)
    return None


_FUNCTIONS: Mapping[str, Callable[[Arguments], Value | None]] = {
    "toUpper": _filter("upper"),
    "toLower": _filter("lower"),
    "title": _filter("title"),
    "trimSpace": _filter("trim"),
    "urlquery": _filter('urlencode|replace("/", "%2F")|replace("%20", "+")'),
    "safeHtml": _same,
    "safeUrl": _same,
    "eq": _eq,
    **{name: _compared(operator) for name, operator in _COMPARISONS.items()},
    "and": _logic("and"),
    "or": _logic("or"),
    "not": _not,
    "len": _length,
    "join": _join,
    "stringSlice": _slice,
    "index": _index,
    "print": _print,
    "printf": _printf,
    "reReplaceAll": _replace_all,
    "match": _match,
    "date": _date,
}
