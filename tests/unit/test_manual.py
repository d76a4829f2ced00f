"""The manual says what the code does: every metric, option, command and path, and none that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from bridge.channels.api import ChannelOptions
from bridge.channels.registry import ChannelRegistry
from bridge.cli.main import app
from bridge.config.sections import SETTINGS, SHAPES
from bridge.config.senders import SourceAuth, SourceSettings
from bridge.domain.audit import Kind
from bridge.domain.message import Reason
from bridge.hooks.registry import HookRegistry
from bridge.observe.metrics import Metrics
from bridge.templates import MESSAGE_NAMES
from tests.running_bridge import bridge_process

DOCS = Path(__file__).resolve().parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def quoted(text: str) -> set[str]:
    """Every word that stands in backquotes."""
    return set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", text))))


def test_every_metric_is_listed_and_no_other() -> None:
    exposed = set()
    for family in Metrics("0").registry.collect():
        if family.name.startswith("alertbridge_"):
            exposed.add(f"{family.name}_total" if family.type == "counter" else family.name)
    assert set(re.findall(r"^\| `(alertbridge_\w+)`", page("metrics.md"), re.MULTILINE)) == exposed


@pytest.mark.parametrize("section", sorted(SETTINGS))
def test_every_key_of_a_section_is_described(section: str) -> None:
    keys = {field.alias or name for name, field in SETTINGS[section].model_fields.items()}
    assert keys <= quoted(page("configuration.md"))


def test_every_section_is_described() -> None:
    sections = {name for name, shape in SHAPES.items() if shape != "later"}
    assert sections <= quoted(page("configuration.md")) | quoted(page("routing.md"))


def test_every_key_of_a_source_is_described() -> None:
    later = {"stale_after"}  # read, without effect yet: `check` says so
    assert {*SourceSettings.model_fields, *SourceAuth.model_fields} - later <= quoted(page("sources.md"))


def test_every_common_option_of_a_channel_is_described() -> None:
    assert set(ChannelOptions.model_fields) <= quoted(page("configuration.md"))


def test_every_hook_is_described() -> None:
    assert set(HookRegistry.load().names()) <= quoted(page("configuration.md"))


def test_every_reason_and_template_name_is_described() -> None:
    assert {reason.value for reason in Reason} <= quoted(page("concepts.md"))
    assert quoted(page("configuration.md")) >= MESSAGE_NAMES


def test_the_audit_page_names_only_kinds_that_exist() -> None:
    table = "\n".join(line for line in page("audit.md").splitlines() if line.startswith("| `"))
    assert quoted(table) <= {kind.value for kind in Kind}


def commands(group: TyperGroup, words: tuple[str, ...] = ("alertbridge",)) -> Iterator[str]:
    context = Context(group, info_name="alertbridge")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, TyperGroup):
            yield from commands(command, (*words, name))
        elif not command.hidden:
            yield " ".join((*words, name))


def test_every_command_is_listed_and_no_other() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    listed = re.findall(r"^\| `(alertbridge(?: [a-z]+)+)", page("cli.md"), re.MULTILINE)
    assert sorted(listed) == sorted(commands(group))


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_no_page_names_a_command_that_does_not_exist(path: Path) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    known = set(commands(group))
    for words in re.findall(r"(?:^|`|bin/)alertbridge ([a-z]+(?: [a-z]+)?)", path.read_text(), re.MULTILINE):
        first, _, second = words.partition(" ")
        assert {f"alertbridge {first}", f"alertbridge {first} {second}"} & known, f"{path.name}: alertbridge {words}"


def plugin_files() -> list[tuple[str, str]]:
    found = []
    for path in sorted(DOCS.rglob("*.md")):
        blocks = re.findall(r"^```python title=\"([^\"]+)\"\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
        found += [(Path(title).name, text) for title, text in blocks if not Path(title).name.startswith("test_")]
    return found


@pytest.mark.parametrize(("name", "text"), plugin_files(), ids=[name for name, _ in plugin_files()])
def test_every_plugin_of_the_manual_is_one(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    offered = {*ChannelRegistry.load([file]).names(), *HookRegistry.load([file]).names()}
    assert offered - {*ChannelRegistry.load().names(), *HookRegistry.load().names()} == {file.stem}


CONFIG = """
server: {listen: "127.0.0.1:PORT"}
channels: {console: {type: console}}
route: {receiver: console}
"""


def test_every_operation_of_the_api_is_listed_and_no_other(tmp_path: Path) -> None:
    with bridge_process(tmp_path, CONFIG) as bridge:
        paths = bridge.get("/openapi.json")["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if method != "put"}
    assert set(re.findall(r"`((?:GET|POST) /[^`\s]*)`", page("api.md"))) == served
