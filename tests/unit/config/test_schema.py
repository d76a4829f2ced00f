"""The JSON Schema agrees with what load accepts and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bridge.channels.registry import ChannelRegistry
from bridge.config.schema import json_schema
from bridge.config.sections import SHAPES
from bridge.hooks.registry import HookRegistry
from tests.unit.config.test_load import FULL
from tests.unit.config.test_recurring import HEAD as WITH_INTERVALS
from tests.unit.config.test_recurring import WHOLE as RECURRING
from tests.unit.config.test_routes import HEAD, INTERVALS
from tests.unit.config.test_team_files import PAYMENTS, SHOP
from tests.unit.config.written import SMALLEST, load_text

EXAMPLES = sorted(path for path in Path("routes").rglob("*.y*ml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(ChannelRegistry.load(), HookRegistry.load())


def faults(schema: dict[str, Any], text: str) -> list[str]:
    """What an editor would underline: the paths of the deepest errors."""
    found = Draft202012Validator(schema).iter_errors(yaml.safe_load(text) or {})
    return ["/".join(map(str, fault.absolute_path)) for fault in found]


def test_the_schema_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_every_section_channel_and_hook_is_in_it(schema: dict[str, Any]) -> None:
    assert set(schema["properties"]) == set(SHAPES)
    assert schema["$defs"]["Channel"]["properties"]["type"]["enum"] == list(ChannelRegistry.load().names())
    assert schema["$defs"]["Hooks"]["items"]["anyOf"][0]["enum"] == list(HookRegistry.load().names())


@pytest.mark.parametrize(
    "text",
    [
        SMALLEST,
        FULL,
        PAYMENTS,
        SHOP,
        HEAD + INTERVALS + "route: {receiver: a}",
        WITH_INTERVALS + RECURRING,
        "silences: [{name: x, matchers: a=b, time_intervals: [n], owner: o, comment: , notice: {before: 5m}}]",
        "channels: {a: {type: console, max_in_flight: env:MANY, rate: 'file:/x'}}\nroute: {receiver: a, hooks: }",
        "server: {tls: }\nsources: {am: }\nroute: {receiver: a, routes: [{match: {a: b}, continue: true}]}",
        "sources: {am: {auth: {bearer: env:A}, settle: 0}}\npeople: {x: }",
        "storage: {url: env:URL}\nhttp: {proxy: http://proxy.example:3128}",
    ],
)
def test_what_is_valid_is_valid(schema: dict[str, Any], text: str) -> None:
    assert faults(schema, text) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_the_examples_are_valid(schema: dict[str, Any], path: Path) -> None:
    assert faults(schema, path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("chanels: {}", ""),
        ("server: {listne: x}", "server"),
        ("server: {max_connections: []}", "server"),
        ("channels: {a: {type: slak}}", "channels/a/type"),
        ("channels: {a: {}}", "channels/a"),
        ("channels: {a: {type: console, titel: x}}", "channels/a"),
        ("channels: {a: {type: console, max_in_flight: many}}", "channels/a/max_in_flight"),
        ("channels: {a: {type: email}}", "channels/a"),
        ("receivers: {a: b}", "receivers/a"),
        ("silences: [{name: x, matchers: [a=b], owner: o}]", "silences"),
        ("silences: [{name: x, matchers: [a=b], time_intervals: [n], owner: o, notice: {to: a}}]", "silences"),
        ("escalations: {a: []}", "escalations/a"),
        ("escalations: {a: [{after: 5m}]}", "escalations/a/0"),
        ("hooks: [dedup]", "hooks"),
        ("hooks: [{dedupe: {windw: 5m}}]", "hooks"),
        ("route: {}", "route"),
        ("route: {receiver: a, recever: b}", "route"),
        ("route: {receiver: a, routes: [{macthers: []}]}", "route/routes"),
        ("sources: {a: {type: pagerduty}}", "sources/a"),
        ("access: {anonymous: [everybody]}", "access"),
        ("fallback: [a]", "fallback"),
    ],
)
def test_what_is_wrong_is_underlined(schema: dict[str, Any], tmp_path: Path, text: str, fault: str) -> None:
    assert fault in faults(schema, text)
    assert load_text(tmp_path, text).config is None
