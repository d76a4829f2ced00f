"""What an option model's annotation says, taken apart: unions, lists, nested models, secrets."""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Struct
from pydantic import AliasChoices, BaseModel, RootModel
from pydantic.fields import FieldInfo

from bridge.domain.secret import PlainAllowed, Secret

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable)
_DICTS = (dict, collections.abc.Mapping)


class Member(Struct, frozen=True):
    """One alternative of an annotation. `plain` says that a secret here may stand in plain text."""

    type: Any
    plain: bool = False


def members(annotation: Any, *, plain: bool = False) -> Iterator[Member]:
    """The alternatives of an annotation: unions and `Annotated` are taken apart, None is left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        yield from members(inner, plain=plain or allows_plain(metadata))
    elif origin in {Union, types.UnionType}:
        for choice in get_args(annotation):
            yield from members(choice, plain=plain)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from members(annotation.model_fields["root"].annotation, plain=plain)
    elif annotation is not type(None):
        yield Member(annotation, plain)


def allows_plain(metadata: collections.abc.Iterable[object]) -> bool:
    return any(isinstance(entry, PlainAllowed) or entry is PlainAllowed for entry in metadata)


def secret_member(annotation: Any, *, plain: bool = False) -> Member | None:
    """The alternative that is a Secret, also as the element of a list where one value may stand for the list."""
    for member in members(annotation, plain=plain):
        if member.type is Secret:
            return member
        if get_origin(member.type) in _LISTS:
            inner = secret_member(element_type(member.type), plain=member.plain)
            if inner is not None:
                return inner
    return None


def model_member(annotation: Any, keys: frozenset[str]) -> type[BaseModel] | None:
    """The model among the alternatives; of several, the one that knows most of the keys."""
    models = [member.type for member in members(annotation) if is_model(member.type)]
    return max(models, key=lambda model: len(keys & fields_by_key(model).keys()), default=None)


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel)


def element_type(annotation: Any) -> Any:
    """What a list holds; Any if it does not say, or holds different things by position."""
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return arguments[0] if len(arguments) == 1 else Any


def list_element(annotation: Any, *, plain: bool = False) -> tuple[Any, bool]:
    """(what a list standing here would hold, whether its secrets may be plain)."""
    for member in members(annotation, plain=plain):
        if get_origin(member.type) in _LISTS:
            return element_type(member.type), member.plain
    return Any, False


def dict_value(annotation: Any, *, plain: bool = False) -> tuple[Any, bool]:
    """(what a mapping standing here would hold, whether its secrets may be plain)."""
    for member in members(annotation, plain=plain):
        if get_origin(member.type) in _DICTS:
            return get_args(member.type)[1], member.plain
    return Any, False


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The model's fields by the keys under which a configuration may give them."""
    by_name = bool(model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"))
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias or field.alias
        aliases = [alias] if isinstance(alias, str) else []
        if isinstance(alias, AliasChoices):
            aliases = [choice for choice in alias.choices if isinstance(choice, str)]
        for key in [*aliases, *([name] if by_name or not aliases else [])]:
            keys[key] = field
    return keys


def takes_any_key(model: type[BaseModel]) -> bool:
    return model.model_config.get("extra") == "allow"
