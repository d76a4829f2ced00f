"""Whatever is written, loading gives a configuration or problems with places, and never raises."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.channels.registry import ChannelRegistry
from bridge.config import Loaded, load
from bridge.config.sections import SHAPES
from bridge.hooks.registry import HookRegistry
from tests.unit.config.test_load import ENVIRON, FULL

CHANNELS, HOOKS = ChannelRegistry.load(), HookRegistry.load()
PIECES = sorted(
    {*SHAPES, "type", "console", "slack", "receiver", "routes", "matchers", "hooks", "dedupe", "auth", "a=b", "x"}
)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

words = st.sampled_from(PIECES) | st.text(max_size=5) | st.none()
trees = st.recursive(
    words | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words.map(str), inner, max_size=4),
    max_leaves=12,
)


def loaded_from(files: dict[str, bytes], last_good: dict[str, str] | None = None) -> Loaded:
    with tempfile.TemporaryDirectory() as directory:
        for name, content in files.items():
            Path(directory, name).write_bytes(content)
        loaded = load(Path(directory), CHANNELS, HOOKS, last_good, ENVIRON)
        check(loaded, directory)
        return loaded


def check(loaded: Loaded, directory: str) -> None:
    assert (loaded.config is not None) or loaded.errors
    assert all(found.file.startswith(directory) and found.line >= 1 and found.column >= 1 for found in loaded.problems)
    refused = {each.file for each in loaded.refused}
    if loaded.config is not None:
        assert all(found.file in refused and found.stands_in for found in loaded.errors)


@given(st.text(max_size=200))
@QUIET
def test_any_text_loads_or_says_why(text: str) -> None:
    loaded_from({"main.yml": text.encode(errors="replace")})


@given(st.dictionaries(st.sampled_from(sorted(SHAPES)), trees, max_size=6))
@example({"channels": {"": {"type": "console"}}, "route": {"receiver": ""}})
@QUIET
def test_any_tree_of_known_sections_loads_or_says_why(tree: dict[str, Any]) -> None:
    loaded_from({"main.yml": yaml.safe_dump(tree, allow_unicode=True).encode(errors="replace")})


@given(st.integers(0, len(FULL)), st.integers(0, 12), st.text(max_size=6))
@QUIET
def test_any_edit_of_a_valid_configuration_loads_or_says_why(at: int, cut: int, put: str) -> None:
    loaded_from({"main.yml": (FULL[:at] + put + FULL[at + cut :]).encode(errors="replace")})


@given(files=st.dictionaries(st.sampled_from(["a.yml", "b.yml", "z.yml"]), trees), good=st.booleans())
@QUIET
def test_no_team_file_without_bridge_wide_sections_stops_the_main_file(*, files: dict[str, Any], good: bool) -> None:
    allowed = {"channels", "receivers", "escalations", "routes", "sources", "credentials", "time_intervals", "people"}
    teams = {
        name: yaml.safe_dump(
            {key: value for key, value in tree.items() if key in allowed or key not in SHAPES}
            if isinstance(tree, dict)
            else tree
        ).encode()
        for name, tree in files.items()
    }
    last_good = {"a.yml": "channels: {pay: {type: console}}", "b.yml": "receivers: {q: [pay]}"} if good else {}

    loaded = loaded_from({"main.yml": FULL.encode(), **teams}, last_good)

    assert loaded.config is not None, loaded.problems
