"""The file to import, as a tree of nodes that know their place.

Unlike our own files it may have anchors, aliases and merge keys: they are common in files that grew. What an alias
stands for is written out where it is used, up to `MAX_NODES`.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from msgspec import Struct

from bridge.config.problems import Mark
from bridge.config.yaml_nodes import MAX_DEPTH, Mapping, Node, Scalar, Sequence
from bridge.domain.errors import ConfigError

MAX_BYTES = 8 << 20
MAX_NODES = 200_000
_STANDARD = "tag:yaml.org,2002:"
_MERGE = "tag:yaml.org,2002:merge"
_BINARY = "tag:yaml.org,2002:binary"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Original(Struct, frozen=True):
    """The first document of the file; `more` is where a second one begins, which its own program does not read."""

    root: Mapping
    more: Mark | None = None


def read_original(path: Path) -> Original:
    """Read the file.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is no YAML mapping, or one too large; the message begins with the place.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    start = Mark(str(path), 1, 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{start}: the file has more than {MAX_BYTES} bytes")
    try:
        documents = _documents(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{start}: this is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{_syntax(error, start)}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise ConfigError(f"{start}: this YAML cannot be read ({type(error).__name__})") from error
    root = _Building(str(path)).node(documents[0], 0) if documents else None
    if not isinstance(root, Mapping):
        raise ConfigError(f"{start}: no mapping with `route:` and `receivers:` stands there")
    return Original(root, _mark(documents[1], str(path)) if len(documents) > 1 else None)


def _documents(text: str) -> list[yaml.Node]:
    loader = _Loader(text)
    try:
        found = []
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                found.append(node)
        return found
    finally:
        loader.dispose()


def _syntax(error: yaml.YAMLError, start: Mark) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and (place := error.problem_mark or error.context_mark):
        said = ", ".join(part for part in (error.problem, error.context) if part)
        return f"{Mark(start.file, place.line + 1, place.column + 1)}: not valid YAML: {said}"
    return f"{start}: not valid YAML"


def _mark(node: yaml.Node, file: str) -> Mark:
    return Mark(file, node.start_mark.line + 1, node.start_mark.column + 1)


class _Building:
    """Turns composed nodes into ours; counts them, because aliases can multiply."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        mark = _mark(node, self._file)
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH * 2:
            raise ConfigError(f"{mark}: too much nesting, or aliases that multiply")
        if node.tag == _BINARY or not node.tag.startswith(_STANDARD):
            raise ConfigError(f"{mark}: the tag {node.tag.replace(_STANDARD, '!!')} is not read; write the plain value")
        if isinstance(node, yaml.ScalarNode):
            return Scalar(mark, node.value, plain=node.style in {None, ""})
        if isinstance(node, yaml.SequenceNode):
            return Sequence(mark, tuple(self.node(item, depth + 1) for item in node.value))
        return self._mapping(node, mark, depth)

    def _mapping(self, node: yaml.Node, mark: Mark, depth: int) -> Mapping:
        """Own keys win over merged ones, earlier merged ones over later."""
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        for key, value in node.value:
            name = self.node(key, depth + 1)
            if not isinstance(name, Scalar):
                raise ConfigError(f"{name.mark}: a key must be text")
            if key.tag == _MERGE:
                for pair in self._merged(self.node(value, depth + 1)):
                    merged.setdefault(pair[0].text, pair)
            elif name.text in own:
                raise ConfigError(f"{name.mark}: {name.text!r} is given twice")
            else:
                own[name.text] = (name, self.node(value, depth + 1))
        return Mapping(mark, (*own.values(), *(pair for name, pair in merged.items() if name not in own)))

    def _merged(self, node: Node) -> list[tuple[Scalar, Node]]:
        if isinstance(node, Mapping):
            return list(node.pairs)
        if isinstance(node, Sequence):
            return [pair for item in node.items for pair in self._merged(item)]
        raise ConfigError(f"{node.mark}: `<<` merges mappings only")
