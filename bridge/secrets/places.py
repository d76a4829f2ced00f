"""Where sealed texts stand in a YAML file: the keys that lead to each, and its exact position in the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from msgspec import Struct

from bridge.domain.errors import SecretError
from bridge.secrets.files import MAX_SIZE
from bridge.secrets.seal import PREFIX, Sealed

MAX_DEPTH = 32
_BOM = "\ufeff"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Place(Struct, frozen=True):
    """One sealed text in a file: `text[start:end]` is exactly the token. Lines and columns count from 1."""

    file: Path
    line: int
    column: int
    start: int
    end: int
    token: str
    path: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def kid(self) -> str:
        """Which key sealed it. Raises SecretError if the token is malformed."""
        return Sealed.parse(self.token, self.where).kid


class SecretFile(Struct, frozen=True):
    """A configuration file as it was read, and the sealed texts in it."""

    path: Path
    text: str
    places: tuple[Place, ...]


class _Scalar(Struct, frozen=True):
    text: str
    line: int
    column: int
    start: int
    end: int


class _Open(Struct):
    """A collection: keys and values in turn for a mapping, items for a list."""

    mapping: bool
    nodes: list[_Scalar | _Open]


_Node = _Scalar | _Open


def read_secret_file(path: Path) -> SecretFile:
    """Read a file and find what is sealed in it.

    Raises:
        SecretError: it cannot be read, is no YAML, or a sealed text stands where it cannot be told apart.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"{path}: cannot be read: {error}") from error
    if len(content) > MAX_SIZE:
        raise SecretError(f"{path}: is larger than {MAX_SIZE} bytes")
    return SecretFile(path, text, find_places(text, path))


def find_places(text: str, path: Path) -> tuple[Place, ...]:
    """The sealed texts of a YAML text, in order.

    Raises:
        SecretError: as `read_secret_file`.
    """
    skipped = len(text) - len(text.removeprefix(_BOM))
    try:
        root = _tree(text[skipped:], path)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise SecretError(f"{path}{line}: is no YAML that can be read") from error
    found = [_place(text, path, skipped, keys, node) for keys, node in _walk(root, ()) if _is_sealed(node)]
    return tuple(sorted(found, key=lambda place: place.start))


def _is_sealed(node: _Scalar) -> bool:
    return node.text.strip().startswith(PREFIX)


def _tree(text: str, path: Path) -> _Node | None:
    """The file as nested nodes, built from events in a loop, so that depth is judged before it can hurt."""
    root: _Node | None = None
    stack: list[_Open] = []
    loader = _Loader(text)
    try:
        while loader.check_event():
            event = loader.get_event()
            node: _Node
            if isinstance(event, yaml.ScalarEvent):
                node = _scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                node = _Open(isinstance(event, yaml.MappingStartEvent), [])
            elif isinstance(event, yaml.AliasEvent) or (
                root is not None and isinstance(event, yaml.DocumentStartEvent)
            ):
                raise SecretError(
                    f"{path}:{_line(event)}: aliases and second documents are not read; write the value out"
                )
            else:
                if isinstance(event, yaml.CollectionEndEvent):
                    stack.pop()
                continue
            if stack:
                stack[-1].nodes.append(node)
            else:
                root = node
            if isinstance(node, _Open):
                if len(stack) >= MAX_DEPTH:
                    raise SecretError(f"{path}:{_line(event)}: nested deeper than {MAX_DEPTH} levels")
                stack.append(node)
    finally:
        loader.dispose()
    return root


def _scalar(event: yaml.ScalarEvent) -> _Scalar:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:  # a parser's events always have marks; the types do not say so
        raise TypeError("a scalar without marks")
    return _Scalar(event.value, start.line + 1, start.column + 1, start.index, end.index)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _walk(node: _Node | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Scalar]]:
    if isinstance(node, _Scalar):
        yield path, node
    elif isinstance(node, _Open) and node.mapping:
        for key, value in zip(node.nodes[::2], node.nodes[1::2], strict=True):
            yield from _walk(value, (*path, key.text if isinstance(key, _Scalar) else "?"))
    elif isinstance(node, _Open):
        for index, item in enumerate(node.nodes):
            yield from _walk(item, (*path, _entry_name(item) or str(index)))


def _entry_name(item: _Node) -> str:
    if isinstance(item, _Open) and item.mapping:
        for key, value in zip(item.nodes[::2], item.nodes[1::2], strict=True):
            if isinstance(key, _Scalar) and key.text == "name" and isinstance(value, _Scalar):
                return value.text
    return ""


def _place(text: str, file: Path, skipped: int, path: tuple[str, ...], node: _Scalar) -> Place:
    token = node.text.strip()
    first, last = node.start + skipped, node.end + skipped
    if text.count(token, first, last) != 1:
        raise SecretError(
            f"{file}:{node.line}:{node.column}: write the sealed text on one line, so that it can be found and replaced"
        )
    start = text.index(token, first, last)
    return Place(file, node.line, node.column, start, start + len(token), token, path)
