"""Incidents, the alerts in them, and who was told of which."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bridge.domain.alert import Alert, Status
from bridge.domain.episode import Episode
from bridge.storage import alerts, incidents
from bridge.storage.database import Database
from bridge.storage.transaction import Tx
from tests.contract.storage.making import MINUTE, alert, do, incident, known, look, opened, planned
from tests.contract.storage.units import NOW

FULL = replace(
    incident("full", "acknowledged"),
    told_at=NOW + MINUTE, acknowledged_at=NOW + 2 * MINUTE, acknowledged_by="alice", resolved_at=NOW + 3 * MINUTE,
    resolved_by="bob", escalation="payments", external_url="http://am.example", group_key="{}:{}", truncated=3, firing=2,
    resolved=1, via="slack",
)  # fmt: skip


@pytest.mark.parametrize("kept", [incident(), FULL])
async def test_an_incident_is_read_as_it_was_kept(database: Database, kept: incidents.Incident) -> None:
    await do(database, incidents.add, kept)
    assert await look(database, incidents.get, kept.id) == kept
    assert await look(database, incidents.get, "another") is None


async def test_what_changes_of_an_incident_is_kept(database: Database) -> None:
    await do(database, incidents.add, incident("full"))
    changed = replace(FULL, receiver="others", labels={}, version=9, severity="info", state="snoozed")
    await do(database, incidents.save, changed)
    assert await look(database, incidents.get, "full") == changed


async def test_the_open_incident_of_a_group_is_found_and_an_ended_one_is_not(database: Database) -> None:
    await do(database, incidents.add, incident("i1", "resolved"))
    assert await look(database, incidents.open_in_group, "prometheus", "route", "g") is None
    await do(database, incidents.add, incident("i3"))
    await do(database, incidents.add, incident("i2", "acknowledged"))
    found = await look(database, incidents.open_in_group, "prometheus", "route", "g")
    assert found is not None
    assert found.id == "i2"
    assert await look(database, incidents.open_in_group, "grafana", "route", "g") is None


async def test_incidents_are_shown_newest_first_by_their_bytes(database: Database) -> None:
    """As text of a language, digits and letters might come in another order, and an upper case with its lower one."""
    names = ["0a", "0B", "1", "A", "Z", "a", "b", "z", "~"]
    for name in names:
        await do(database, incidents.add, incident(name, "resolved" if name == "b" else "open"))

    async def shown(before: str, states: list[str], limit: int = 20) -> list[str]:
        return [found.id for found in await look(database, incidents.page, before, states, limit)]

    in_order = sorted(names, reverse=True)
    assert await shown("", ["open", "resolved"]) == in_order[1:]  # `~` is where ids end
    assert await shown("z", ["open"]) == [name for name in in_order if name < "z" and name != "b"]
    assert await shown("", ["resolved"]) == ["b"]
    assert await shown("", ["open", "resolved"], 2) == in_order[1:3]
    assert await shown("", []) == []


async def test_an_alert_is_known_as_it_was_last_kept(database: Database) -> None:
    firing = alert(org="7", extra='{"a":1}', generator_url="http://prometheus.example", receiver="team")
    first = await do(database, known, firing, 1, {"region": "eu"})
    assert first.added_labels == {"region": "eu"}
    assert first.episode == Episode(1, Status.FIRING, NOW)
    assert await look(database, alerts.known, ("prometheus", "", firing.fingerprint)) is None

    over = replace(firing, status=Status.RESOLVED, ends_at=NOW + MINUTE)
    episode = Episode(2, Status.RESOLVED, NOW, NOW + MINUTE)
    assert await do(database, alerts.put, first.id, over, episode, {}, {"runbook": "x"}, NOW) == first.id
    second = await look(database, alerts.known, firing.key)
    assert second == alerts.KnownAlert(first.id, episode, {}, {"runbook": "x"})

    await do(database, alerts.seen, first.id, over, replace(episode, starts_at=NOW - MINUTE), NOW)
    third = await look(database, alerts.known, firing.key)
    assert third is not None
    assert third.episode.starts_at == NOW - MINUTE


async def test_members_are_read_with_what_was_added_in_their_incident(database: Database) -> None:
    first, second = alert("a"), alert("b", Status.RESOLVED, ends_at=NOW + MINUTE, ends_text="then")
    await do(database, opened, "i1", first, second)
    await do(database, incidents.enrich, "i1", first, {"team": "payments"}, {"runbook": "x"})
    await do(database, incidents.enrich, "i1", first, {"region": "eu"}, {})
    members = await look(database, incidents.members, "i1")
    assert [member.alert for member in members] == [first, second]
    assert members[0].added_labels == {"team": "payments", "region": "eu"}
    assert members[0].added_annotations == {"runbook": "x"}
    assert members[0].shown.labels == {"alertname": "a", "team": "payments", "region": "eu"}
    assert members[1].added_labels == {}


async def test_an_alert_ends_once_in_each_incident(database: Database) -> None:
    [member] = await do(database, opened, "i1", alert())

    async def also(tx: Tx) -> None:
        await incidents.add(tx, incident("i2"))
        await incidents.join(tx, "i2", member, alert())

    await do(database, also)
    assert sorted(await look(database, incidents.with_firing, member.id)) == ["i1", "i2"]
    assert await do(database, incidents.end, "i1", member.id, NOW + MINUTE, "text")
    assert not await do(database, incidents.end, "i1", member.id, NOW + MINUTE, "text")
    assert await look(database, incidents.with_firing, member.id) == ["i2"]
    assert await look(database, incidents.has_resolved, "i1", member.id)
    assert not await look(database, incidents.has_resolved, "i2", member.id)
    assert sorted(await look(database, incidents.of_episode, member.id, 1)) == ["i1", "i2"]
    assert await look(database, incidents.of_episode, member.id, 2) == []


async def test_the_severities_of_what_fires_are_found_under_any_name(database: Database) -> None:
    names = ["severity", 'a "quoted" name', "a.dotted.name", "naïve", "$"]
    for place, label in enumerate(names):
        members = [
            alert(f"{place}-plain", labels={label: "page"}),
            alert(f"{place}-without", labels={}),
            alert(f"{place}-over", Status.RESOLVED, labels={label: "never"}, ends_at=NOW),
            alert(f"{place}-added", labels={label: "info"}),
        ]
        await do(database, opened, f"i{place}", *members)
        await do(database, incidents.enrich, f"i{place}", members[3], {label: "critical"}, {})
        assert sorted(await look(database, incidents.severities, f"i{place}", label)) == ["", "critical", "page"]


async def test_a_channel_is_told_what_fires_and_the_ends_it_was_not_told_of(database: Database) -> None:
    fires, over, over_and_told, again = alert("1"), alert("2"), alert("3"), alert("4")
    first, second, third, fourth = await do(database, opened, "i1", fires, over, over_and_told, again)
    for ended in (second, third):
        await do(database, incidents.end, "i1", ended.id, NOW + MINUTE, "")
    told = [
        ("i1", "chat", first.id, 1, Status.FIRING),
        ("i1", "chat", third.id, 1, Status.RESOLVED),
        ("i1", "chat", fourth.id, 0, Status.RESOLVED),  # of an earlier episode
        ("i1", "mail", second.id, 1, Status.RESOLVED),
    ]
    await do(database, incidents.tell, told)
    await do(database, incidents.tell, [])

    news = await look(database, incidents.news_for, "i1", "chat")
    assert [(member.alert.fingerprint, member.told) for member in news] == [("1", True), ("4", False), ("2", False)]
    assert await look(database, incidents.was_told, "i1", "chat")
    assert not await look(database, incidents.was_told, "i1", "pager")
    assert sorted(await look(database, incidents.told_channels, "i1")) == ["chat", "mail"]
    assert await look(database, incidents.channels_told_of_firing, "i1") == ["chat"]

    await do(database, incidents.tell, [("i1", "chat", first.id, 1, Status.RESOLVED)])
    assert await look(database, incidents.channels_told_of_firing, "i1") == []


async def test_what_deliveries_are_about_is_read_for_all_of_them_at_once(database: Database) -> None:
    [first] = await do(database, opened, "i1", alert("a"))
    await do(database, opened, "i2", alert("b"), alert("c"))
    lives = [
        await do(database, planned, channel, name) for name, channel in (("i1", "chat"), ("i2", "chat"), ("i3", "x"))
    ]
    await do(database, incidents.tell, [("i1", "chat", first.id, 1, Status.FIRING)])
    await do(database, incidents.keep_receipt, "i1", "chat", {"ts": "1"}, NOW)
    await do(database, incidents.keep_receipt, "i1", "chat", {"ts": "2"}, NOW)

    found = await look(database, incidents.told_of, {live.id: live.incident for live in lives})
    assert set(found) == {lives[0].id, lives[1].id}
    one, two = found[lives[0].id], found[lives[1].id]
    assert (one.incident.id, one.told, one.receipt) == ("i1", True, {"ts": "2"})
    assert [(member.alert.fingerprint, member.told) for member in one.members] == [("a", True)]
    assert (two.incident.id, two.told, two.receipt) == ("i2", False, {})
    assert [member.alert.fingerprint for member in two.members] == ["b", "c"]
    assert await look(database, incidents.told_of, {}) == {}
    assert await look(database, incidents.receipt, "i1", "chat") == {"ts": "2"}
    assert await look(database, incidents.receipt, "i2", "chat") == {}


async def test_who_joins_again_is_in_the_incident_once_with_its_new_episode(database: Database) -> None:
    firing = alert()
    [member] = await do(database, opened, "i1", firing)
    await do(database, incidents.end, "i1", member.id, NOW, "")
    later: Alert = replace(firing, starts_at=NOW + MINUTE)
    await do(database, incidents.join, "i1", replace(member, episode=Episode(2, Status.FIRING, NOW + MINUTE)), later)
    [found] = await look(database, incidents.members, "i1")
    assert (found.episode, found.alert.status, found.alert.starts_at) == (2, Status.FIRING, NOW + MINUTE)
