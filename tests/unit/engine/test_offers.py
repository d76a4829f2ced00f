"""Whom links are given to, and what they offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config.model import Config
from bridge.domain.deed import Deed
from bridge.engine.links import Links
from bridge.engine.offers import At, actions, recipient_of
from bridge.secrets.instance import InstanceKeys
from tests.bridge_bench import START, engine, firing
from tests.unit.config.written import load_text, valid

WRITTEN = """
server: {external_url: "https://alerts.example.com/"}
acknowledgement: {links_last: 2h}
channels: {team: {type: console}, own: {type: console}, shared: {type: console}}
people:
  anna: {channels: {mail: own, chat: shared}}
  ben: {channels: {chat: shared}}
route: {receiver: team}
"""
LINKS = Links(InstanceKeys.generate())
INCIDENT = "0006460f2a1b4c1234567890ab"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return valid(load_text(tmp_path, WRITTEN))


@pytest.mark.parametrize(
    ("channel", "person", "whose"),
    [
        ("team", "", "channel team"),
        ("own", "", "person anna"),
        ("shared", "", "channel shared"),
        ("shared", "ben", "person ben"),
        ("own", "ben", "person ben"),
        ("shared", "anna/ben", "channel shared"),
        ("team", "gone", "channel team"),
    ],
)
def test_a_link_is_whose_message_or_channel_it_is(config: Config, channel: str, person: str, whose: str) -> None:
    assert recipient_of(config, channel, person) == whose


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("open", [Deed.ACKNOWLEDGE, Deed.SNOOZE, Deed.RESOLVE]),
        ("acknowledged", [Deed.UNACKNOWLEDGE, Deed.RESOLVE]),
        ("snoozed", [Deed.UNACKNOWLEDGE, Deed.RESOLVE]),
        ("resolved", []),
    ],
)
def test_what_is_offered_follows_the_state(config: Config, state: str, offered: list[Deed]) -> None:
    found = actions(LINKS, config, At("team", INCIDENT, state, START), buttons=False)
    assert [action.deed for action in found] == offered
    for action in found:
        opened = LINKS.open(action.token, START)
        assert (opened.deed, opened.incident) == (action.deed, INCIDENT)
        assert (opened.expires_at - START).total_seconds() == 7200
        assert action.url == f"https://alerts.example.com/a/{action.token}"


def test_a_message_without_an_incident_of_ours_offers_nothing(config: Config) -> None:
    assert actions(LINKS, config, At("team", "", "open", START), buttons=True) == ()


async def test_a_message_for_one_person_on_a_shared_channel_bears_that_persons_links(tmp_path: Path) -> None:
    written = WRITTEN.replace(
        "route: {receiver: team}", "receivers: {duty: [{person: ben}, team]}\nroute: {receiver: duty}"
    )
    async with engine(tmp_path, written) as bench:
        await bench.post(firing())
        links = Links(InstanceKeys.load(tmp_path / "bridge.db.keys"))
        names = ["person ben", "person anna", "channel shared", "channel team"]
        whose = {
            message.channel: links.named(links.open(message.actions[0].token, bench.clock.now()).recipient, names)
            for message in bench.sent
        }
    assert whose == {"shared": "person ben", "team": "channel team"}
