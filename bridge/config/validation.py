"""Runs a pydantic model over data and says its errors at the places where the data was written."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as SequenceType
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel, TypeAdapter, ValidationError

from bridge.config.findings import Findings
from bridge.config.problems import Mark
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Location = SequenceType[str | int]


_OWN_WORDS = {
    "missing": "is missing",
    "too_short": "has too few entries",
    "extra_forbidden": "unknown key",
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list, such as [first, second]"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type"), "must be a mapping of keys to values"),
    "string_type": "must be one text",
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    **dict.fromkeys(("int_parsing", "int_type"), "must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number"),
}


def validate_model(
    model: type[M], data: Any, node: Node, prefix: str, findings: Findings, *, missing: Collection[Mark] = ()
) -> M | None:
    """The model, or None with an error for each thing that is wrong; `prefix` names the node in messages.

    `missing` are the places of values that were left out of the data: what follows from that is no error, so neither
    is anything the model says of the whole. An option model of a plugin may raise anything: that is an error too.
    """
    try:
        return model.model_validate(data)
    except Exception as error:  # noqa: BLE001 - as said above
        report(error, node, prefix, findings, missing=missing)
        return None


def validate_type(adapter: TypeAdapter[T], data: Any, node: Node, prefix: str, findings: Findings) -> T | None:
    """As `validate_model`, for a type."""
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        report(error, node, prefix, findings)
        return None


def report(error: Exception, node: Node, prefix: str, findings: Findings, *, missing: Collection[Mark] = ()) -> None:
    """Every error of a validation, at its mark."""
    if not isinstance(error, ValidationError):
        findings.error(node.mark, f"{prefix}: its options cannot be judged ({type(error).__name__})")
        return
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        is_missing = detail["type"] == "missing"
        place = locate(node, detail["loc"], missing=is_missing)
        if missing and (is_missing or not isinstance(place.node, Scalar) or place.mark in missing):
            continue
        name = ".".join(key for key in (prefix, *place.keys) if key)
        words = _words(detail["type"], detail["msg"])
        findings.error(place.mark, f"{name}: {words}" if name else words)


class Place(Struct, frozen=True):
    """Where a location leads: the node, and the keys on the way."""

    node: Node
    keys: tuple[str, ...]

    @property
    def mark(self) -> Mark:
        return self.node.mark


def locate(node: Node, location: Location, *, missing: bool = False) -> Place:
    """The place a pydantic location means. Parts that are no keys (pydantic's names of alternatives) are passed over.

    A `missing` key is placed at the mapping that lacks it.
    """
    keys: list[str] = []
    for index, part in enumerate(location):
        if isinstance(node, Mapping) and isinstance(part, str):
            found = next((value for key, value in node.pairs if key.text == part), None)
            if found is not None:
                node = found
                keys.append(part)
            elif missing and index == len(location) - 1:
                keys.append(part)
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            keys.append(str(part + 1))
    return Place(node, tuple(keys))


def _words(kind: str, message: str) -> str:
    if kind in _OWN_WORDS:
        return _OWN_WORDS[kind]
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].lower() + message[1:] if message.startswith(("Input", "String", "Tuple", "List")) else message
