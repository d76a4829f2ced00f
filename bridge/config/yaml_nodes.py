"""YAML as a tree of nodes that know their place.

Scalars stay text: nothing is typed before a model asks for it, so `on:` is no boolean and `12:30:00` no number.
What can hide a second meaning or blow up when walked is refused: duplicate keys, anchors and aliases, tags, more
than one document, nesting beyond 32, files beyond 1 MiB. The tree is built from parser events in a loop, never by
recursion, so depth is judged before it can hurt.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from msgspec import Struct

from bridge.config.problems import Mark, Problem, problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is some fifty times faster; not every build has it


class Scalar(Struct, frozen=True):
    """One text. `plain` says that it stood without quotes: only then does `null` mean "left out"."""

    mark: Mark
    text: str
    plain: bool = True

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


class Sequence(Struct, frozen=True):
    mark: Mark
    items: tuple[Node, ...]


class Mapping(Struct, frozen=True):
    mark: Mark
    pairs: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """The value under `key`; None if it is absent or null."""
        for name, value in self.pairs:
            if name.text == key:
                return None if is_null(value) else value
        return None

    def key_mark(self, key: str) -> Mark:
        """Where the key itself stands; the mapping's own place if it is absent."""
        return next((name.mark for name, _ in self.pairs if name.text == key), self.mark)


Node = Scalar | Sequence | Mapping
Plain = str | list["Plain"] | dict[str, "Plain"] | None
"""What a node is worth without its marks."""


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def plain(node: Node) -> Plain:
    """The node as dicts, lists, texts and None."""
    if isinstance(node, Scalar):
        return None if node.is_null else node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.pairs}


def without_nulls(node: Node) -> Plain:
    """As `plain`, with keys whose value is null left out: what a model of options expects."""
    if isinstance(node, Scalar):
        return plain(node)
    if isinstance(node, Sequence):
        return [without_nulls(item) for item in node.items]
    return {key.text: without_nulls(value) for key, value in node.pairs if not is_null(value)}


class _Refused(Exception):  # noqa: N818 - carries a problem out of the loop
    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.problem = problem(mark, message)


class _Open:
    """A collection whose end has not been seen yet."""

    def __init__(self, mark: Mark, *, mapping: bool) -> None:
        self.mark = mark
        self.mapping = mapping
        self.items: list[Node] = []
        self.pairs: dict[str, tuple[Scalar, Node]] = {}
        self.key: Scalar | None = None

    def add(self, node: Node, problems: list[Problem]) -> None:
        if not self.mapping:
            self.items.append(node)
        elif self.key is None:
            if not isinstance(node, Scalar) or not node.text:
                raise _Refused(node.mark, "a key must be text, and not empty")
            self.key = node
        else:
            key, self.key = self.key, None
            first = self.pairs.setdefault(key.text, (key, node))
            if first[0] is not key:
                problems.append(problem(key.mark, f"{key.text!r} is given twice; first on line {first[0].mark.line}"))

    def close(self) -> Node:
        return (
            Mapping(self.mark, tuple(self.pairs.values())) if self.mapping else Sequence(self.mark, tuple(self.items))
        )


def parse_yaml(content: bytes, file: str) -> tuple[Mapping | None, tuple[Problem, ...]]:
    """One file's mapping of sections and what is wrong with it; an empty file is an empty mapping.

    None comes with at least one problem; duplicate keys are problems beside a tree that keeps the first of each.
    """
    problems: list[Problem] = []
    start = Mark(file, 1, 1)
    try:
        root = _compose(_decode(content, file), file, problems)
    except _Refused as refused:
        return None, (*problems, refused.problem)
    except yaml.YAMLError as error:
        return None, (*problems, _syntax(error, content, file))
    except (RecursionError, ValueError, OverflowError) as error:  # a parser's limits are the file's fault, not a crash
        return None, (*problems, problem(start, f"this YAML cannot be read ({type(error).__name__})"))
    if root is None or is_null(root):
        return Mapping(start, ()), tuple(problems)
    if not isinstance(root, Mapping):
        return None, (*problems, problem(root.mark, "a configuration is a mapping of sections such as `route:`"))
    return root, tuple(problems)


def _decode(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise _Refused(Mark(file, 1, 1), f"the file has {len(content)} bytes; at most {MAX_BYTES} are read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Refused(_mark_at(content[: error.start].decode("utf-8-sig"), file), "this is not UTF-8 text") from error


def _compose(text: str, file: str, problems: list[Problem]) -> Node | None:
    root: Node | None = None
    stack: list[_Open] = []
    for event in _events(text):
        mark = _mark_of(event, file)
        _refuse_hidden(event, mark)
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise _Refused(mark, "a file holds one YAML document; write the second one to a file of its own")
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) >= MAX_DEPTH:
                raise _Refused(mark, f"nested deeper than {MAX_DEPTH} levels")
            stack.append(_Open(mark, mapping=isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent):
            done = _scalar(event, mark) if isinstance(event, yaml.ScalarEvent) else stack.pop().close()
            if stack:
                stack[-1].add(done, problems)
            else:
                root = done
    return root


def _scalar(event: yaml.ScalarEvent, mark: Mark) -> Scalar:
    return Scalar(mark, event.value, plain=event.style in {None, ""})


def _refuse_hidden(event: yaml.Event, mark: Mark) -> None:
    """What makes a value something else than it looks like."""
    if isinstance(event, yaml.AliasEvent):
        raise _Refused(mark, "aliases (*name) are refused; write the value out")
    if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        raise _Refused(mark, "anchors (&name) are refused; write the value out")
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        raise _Refused(mark, "tags (!name) are refused; write the plain value")


def _events(text: str) -> Iterator[yaml.Event]:
    loader = _Loader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _mark_of(event: yaml.Event, file: str) -> Mark:
    place = event.start_mark
    return Mark(file, place.line + 1, place.column + 1) if place is not None else Mark(file, 1, 1)


def _syntax(error: yaml.YAMLError, content: bytes, file: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        place = error.problem_mark or error.context_mark
        text = ", ".join(part for part in (error.problem, error.context) if part)
        mark = Mark(file, place.line + 1, place.column + 1) if place else Mark(file, 1, 1)
        return problem(mark, f"not valid YAML: {text}")
    position = getattr(error, "position", 0)
    decoded = content.decode("utf-8-sig", errors="replace")
    return problem(_mark_at(decoded[:position], file), "not valid YAML: a character that YAML does not allow")


def _mark_at(before: str, file: str) -> Mark:
    """The place after `before`."""
    return Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
