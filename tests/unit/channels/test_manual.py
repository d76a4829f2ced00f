"""The manual's page of every channel says what the channel takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.channels.api import ChannelOptions
from bridge.channels.registry import ChannelRegistry

PAGES = Path(__file__).parents[3] / "docs/channels"
REGISTRY = ChannelRegistry.load()
CHANNELS = ["console", "email", "exec", "pagerduty", "sendgrid", "slack", "telegram", "twilio_sms", "webhook"]


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def own_options(name: str) -> set[str]:
    fields = REGISTRY.options_model(name).model_fields
    return {info.alias or field for field, info in fields.items() if field not in ChannelOptions.model_fields}


def test_every_built_in_channel_has_a_page() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(CHANNELS) <= set(REGISTRY.names())


@pytest.mark.parametrize("name", CHANNELS)
def test_the_table_of_options_is_complete(name: str) -> None:
    table = page(name).partition("## Options")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| \*{0,2}`([a-z_]+)`", table, re.MULTILINE))
    assert listed == own_options(name)


@pytest.mark.parametrize("name", CHANNELS)
def test_the_example_is_valid(name: str) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", page(name), re.DOTALL)
    entries: list[dict[str, Any]] = [
        entry for example in examples for entry in yaml.safe_load(example)["channels"].values()
    ]
    assert entries
    for entry in entries:
        assert REGISTRY.options_model(entry["type"]).model_validate(entry).type == name


@pytest.mark.parametrize("name", CHANNELS)
def test_success_errors_updates_limits_and_repeats_are_explained(name: str) -> None:
    headings = " ".join(re.findall(r"^## (.*)", page(name), re.MULTILINE)).casefold()
    for topic in ("options", "update", "limit", "idempotency"):
        assert topic in headings or (topic == "update" and "what is sent" in headings)
    assert "outcome |" in page(name)
