"""Wherever somebody is told, a person may be named, or whoever is on call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.channels.registry import ChannelRegistry
from bridge.config.schema import json_schema
from bridge.hooks.registry import HookRegistry
from tests.unit.config.written import load_text, said, valid

TEAM = """
channels:
  out: {type: console}
people:
  anna: {channels: {slack: out}}
  carl:
schedules:
  payments:
    layers: [{people: [anna], start: 2026-03-02}]
"""
NO_FALLBACK = ", and when that is nobody nobody is told: give the schedule a `fallback`"
FULL = (
    TEAM
    + """
fallback: out
receivers:
  team: [out, {on_call: payments}, {person: anna}]
escalations:
  night:
    - {after: 5m, notify: [team, {on_call: payments}, {person: anna}]}
route:
  receiver: team
  routes:
    - {matchers: [a="b"], receiver: {on_call: payments}}
    - {matchers: [a="c"], receiver: {person: anna}}
"""
)


def test_steps_receivers_and_routes_name_people_and_schedules(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, FULL))
    assert config.escalations["night"][0].notify == ("team", "on_call/payments", "person/anna")
    assert config.receivers["team"] == ("out", "on_call/payments", "person/anna")
    assert [route.receiver for route in config.route.routes] == ["on_call/payments", "person/anna"]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "escalations: {night: [{after: 5m, notify: [{on_call: paymets}]}]}\nroute: {receiver: out}\n",
            ["main.yml:10:54: there is no schedule 'paymets'; did you mean 'payments'?"],
        ),
        (
            "escalations: {night: [{after: 5m, notify: [{person: ana}]}]}\nroute: {receiver: out}\n",
            ["main.yml:10:53: there is no person 'ana'; did you mean 'anna'?"],
        ),
        (
            "receivers: {team: [{person: anna, on_call: payments}]}\nroute: {receiver: out}\n",
            ["main.yml:10:20: receivers.team: write {person: NAME} or {on_call: SCHEDULE}"],
        ),
        (
            "receivers: {team: [person/anna]}\nroute: {receiver: out}\n",
            [
                "main.yml:10:20: receivers.team: write {person: anna}",
            ],
        ),
        (
            "route: {receiver: {on_call: paymets}}\n",
            ["main.yml:10:29: there is no schedule 'paymets'; did you mean 'payments'?"],
        ),
        (
            "receivers: {team: [{person: ana}]}\nroute: {receiver: team}\n",
            ["main.yml:10:29: there is no person 'ana'; did you mean 'anna'?"],
        ),
        (
            "receivers: {team: [{person: anna}, {person: anna}]}\nroute: {receiver: team}\n",
            ["main.yml:10:36: receivers.team: 'person/anna' is listed twice"],
        ),
        (
            "receivers: {person/anna: [out]}\nroute: {receiver: out}\n",
            ["main.yml:10:13: 'person/anna' cannot be a receiver's name: it is the word for somebody"],
        ),
        (
            "route: {receiver: {person: carl}}\n",
            ["main.yml:6:3: the route person/carl tells carl, who has no channels"],
        ),
        (
            "route: {receiver: {on_call: payments}}\n",
            [f"main.yml:8:3: the route on_call/payments tells whoever is on call{NO_FALLBACK}"],
        ),
        (
            "    fallback: team\nreceivers: {team: [{on_call: payments}]}\nroute: {receiver: out}\n",
            ["main.yml:8:3: its fallback team tells whoever is on call: name channels or people"],
        ),
    ],
)
def test_mistakes_are_named_at_their_place(tmp_path: Path, text: str, messages: list[str]) -> None:
    assert said(load_text(tmp_path, TEAM + text)) == messages


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(ChannelRegistry.load(), HookRegistry.load())


@pytest.mark.parametrize(
    ("named", "valid"),
    [
        ("out", True),
        ({"person": "anna"}, True),
        ({"on_call": "payments"}, True),
        ({"team": "x"}, False),
        (["x"], False),
    ],
)
def test_the_schema_knows_whom_one_can_name(schema: dict[str, Any], named: object, *, valid: bool) -> None:
    checker = Draft202012Validator(schema)
    documents = (
        {"route": {"receiver": named}},
        {"route": {"receiver": "out"}, "receivers": {"team": [named]}},
        {"route": {"receiver": "out"}, "escalations": {"night": [{"after": "5m", "notify": [named]}]}},
    )
    assert [checker.is_valid(document) for document in documents] == [valid] * 3
