"""`alertbridge fire` against a whole bridge: what is posted, and what it says became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import typer

from bridge.cli.samples import pairs, sample, sample_labels
from bridge.ingest.webhook import parse
from tests.unit.cli.command import alertbridge
from tests.unit.http import real
from tests.unit.http.real import client, port_of, whole_bridge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def url(port: int) -> dict[str, str]:
    return {"ALERTBRIDGE_URL": f"http://127.0.0.1:{port}"}


def test_the_sample_is_what_alertmanager_sends() -> None:
    labels = {"alertname": "HighCPU", "instance": "web-1:9100", "severity": "critical"}
    body = msgspec.json.encode(sample(labels, {"a": "b"}, now=NOW, resolved=False))
    webhook = parse("alertmanager", body, "s", NOW)
    (alert,) = webhook.alerts
    assert not webhook.quarantined
    assert (alert.status.value, alert.fingerprint, alert.ends_at) == ("firing", "cc6e49118c0ea32b", None)
    assert (alert.labels, alert.annotations["a"], alert.starts_at) == (labels, "b", NOW)
    ended = parse("auto", msgspec.json.encode(sample(labels, {}, now=NOW, resolved=True)), "s", NOW).alerts[0]
    assert (ended.status.value, ended.fingerprint, ended.ends_at) == ("resolved", alert.fingerprint, NOW)
    assert ended.starts_at < NOW


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["a=b"], {"alertname": "TestAlert", "a": "b"}),
        (["DiskFull"], {"alertname": "DiskFull"}),
        (["alertname=X", "q=a=b"], {"alertname": "X", "q": "a=b"}),
        (["DiskFull", "alertname=Y"], {"alertname": "Y"}),
    ],
)
def test_labels_are_read_as_they_are_written(texts: list[str], labels: dict[str, str]) -> None:
    assert sample_labels(texts) == labels


@pytest.mark.parametrize("text", ["a", "=b", ""])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        pairs([text])


async def test_an_alert_that_arrives_is_0_and_shown_with_its_deliveries(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, channel="{type: console}") as bridge:
        ran = await alertbridge("fire", "DiskFull", "host=a", "--json", **url(port_of(bridge)))
        assert ran.code == 0, ran.err
        (outcome,) = ran.documents
        assert outcome["request"]["accepted"] == 1
        assert [(sent["channel"], sent["state"]) for sent in outcome["deliveries"]] == [("nowhere", "sent")]
        async with client(bridge) as api:
            detail = await api.get(f"/api/v1/incidents/{outcome['incident']}")
        assert detail["alerts"][0]["labels"] == {"alertname": "DiskFull", "host": "a"}


async def test_an_alert_that_does_not_arrive_is_1(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        ran = await alertbridge("fire", "DiskFull", **url(port_of(bridge)))
        assert ran.code == 1
        assert "accepted 1" in ran.out
        assert "nowhere" in ran.out


async def test_resolving_ends_the_same_alert_once_however_often_it_is_said(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, channel="{type: console}") as bridge, client(bridge) as api:
        where = url(port_of(bridge))
        first = (await alertbridge("fire", "DiskFull", "--json", **where)).documents[0]
        again = (await alertbridge("fire", "DiskFull", "--json", **where)).documents[0]
        assert again["request"]["duplicates"] == 1
        assert again["deliveries"] == []
        ended = (await alertbridge("fire", "DiskFull", "--resolve", "--json", **where)).documents[0]
        assert (ended["incident"], ended["state"]) == (first["incident"], "resolved")
        assert [sent["reason"] for sent in ended["deliveries"]] == ["resolved"]
        ran = await alertbridge("fire", "DiskFull", "--resolve", **where)
        assert ran.code == 0
        assert "no news" in ran.out
        later = (await alertbridge("fire", "DiskFull", "--json", **where)).documents[0]
        assert later["incident"] != first["incident"]
        assert len((await api.get("/api/v1/incidents"))["incidents"]) == 2


async def test_a_source_has_its_own_path_and_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE", "s0urce")
    monkeypatch.setenv("VIEW", "v1ew")
    extra = (
        'sources: {am: {type: alertmanager, auth: {bearer: "env:SOURCE"}}}\n'
        'access: {tokens: [{name: ui, roles: [viewer], token: "env:VIEW"}]}\n'
    )
    async with whole_bridge(tmp_path, extra, channel="{type: console}") as bridge:
        where = url(port_of(bridge))
        tokens = {"ALERTBRIDGE_TOKEN": "v1ew", "ALERTBRIDGE_SOURCE_TOKEN": "s0urce"}
        ran = await alertbridge("fire", "A", "--source", "am", "--json", **where, **tokens)
        assert (ran.code, ran.documents[0]["deliveries"][0]["state"]) == (0, "sent")
        ran = await alertbridge("fire", "B", "--source", "am", "--token", "s0urce", **where)
        assert ran.code == 0, "accepted, though we may not look"
        assert "viewer" in ran.out
        ran = await alertbridge("fire", "A", "--source", "am", "--token", "wrong", **where)
        assert ran.code == 1
        assert "not authenticated" in ran.err


async def test_what_a_hook_holds_is_said_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = "{enrich: {on_error: closed, annotations: {x: '{{ 1 / 0 }}'}}}".replace("{", "{{").replace("}", "}}")
    monkeypatch.setattr(real, "CONFIG", real.CONFIG.replace("receiver: nowhere", f"receiver: nowhere, hooks: [{hook}]"))
    async with whole_bridge(tmp_path, channel="{type: console}") as bridge:
        where = url(port_of(bridge))
        ran = await alertbridge("fire", "DiskFull", "--wait", "1", **where)
        assert "nobody was told: held (hook_error:enrich)" in ran.out
