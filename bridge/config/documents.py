"""The files of a configuration, and what kind each of them is."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from bridge.config.problems import Mark, Problem, problem
from bridge.config.sections import SHAPES
from bridge.config.yaml_nodes import MAX_BYTES, Mapping, parse_yaml

TEAM_SECTIONS = frozenset(
    {
        "channels",
        "credentials",
        "escalations",
        "inhibit_rules",
        "mute_time_intervals",
        "people",
        "receivers",
        "routes",
        "schedules",
        "sources",
        "time_intervals",
    }
)
"""What a team's file may hold. A file with any other section belongs to the main configuration: running on defaults
for `access`, `egress` or `storage` because their file went bad would be worse than not starting."""

_TOP_KEY = re.compile(rb"^['\"]?([a-z_]+)['\"]?\s*:", re.MULTILINE)


class Document(Struct, frozen=True):
    """One file as read. `key` is its name without the directory: under it its last good text is kept."""

    key: str
    label: str
    text: str
    root: Mapping | None
    problems: tuple[Problem, ...]
    is_main: bool

    @property
    def start(self) -> Mark:
        return Mark(self.label, 1, 1)


def find_files(path: Path) -> tuple[Path, ...]:
    """The files of a configuration: the file itself, or a directory's `*.yml` and `*.yaml` by name.

    Not recursive; names that begin with a dot are passed over (`..data` of a mounted ConfigMap).

    Raises:
        OSError: there is no such path, or the directory cannot be read.
    """
    if not path.is_dir():
        path.stat()
        return (path,)
    return tuple(
        sorted(
            entry
            for entry in path.iterdir()
            if entry.suffix in {".yml", ".yaml"} and not entry.name.startswith(".") and not entry.is_dir()
        )
    )


def read_document(path: Path) -> Document:
    """Read and parse one file; that it cannot be read is a problem of the document."""
    label = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        found = problem(Mark(label, 1, 1), f"the file cannot be read: {error.strerror or type(error).__name__}")
        return Document(path.name, label, "", None, (found,), is_main=False)
    return parse_document(path.name, label, content)


def parse_document(key: str, label: str, content: bytes) -> Document:
    """Parse one file's content. A file that does not parse is judged main or not by what its lines begin with."""
    root, problems = parse_yaml(content, label)
    if root is not None:
        sections = {name.text for name, _ in root.pairs}
    else:
        sections = {match.decode() for match in _TOP_KEY.findall(content[:MAX_BYTES])}
    is_main = bool(sections & SHAPES.keys() - TEAM_SECTIONS)
    return Document(key, label, content.decode("utf-8", "replace"), root, problems, is_main)
