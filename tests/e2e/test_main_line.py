"""A real Alertmanager's alert comes out at every receiver, once, and so does its end; the audit holds."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.town import SECRETS, Town, alertmanager_config, town
from tests.running_alertmanager import Alertmanager, alertmanager
from tests.running_bridge import eventually

pytestmark = pytest.mark.alertmanager

LABELS = ("alertname=DiskFull", "instance=db-1", "severity=critical", "team=payments")
NOTES = ("summary=disk <b>full</b> & hot",)


async def _add(sender: Alertmanager, **times: str) -> None:
    await asyncio.to_thread(lambda: sender.add(*LABELS, annotations=NOTES, **times))


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _everybody(here: Town, number: int) -> bool:
    return all(count >= number for count in here.counts().values())


async def test_an_alert_and_its_end_reach_every_receiver_once_through_a_restart(tmp_path: Path) -> None:
    """Fire, restart the bridge, resolve: each receiver hears of both, nobody twice."""
    async with town(tmp_path) as here:
        await asyncio.to_thread(here.bridge.start)
        with alertmanager(tmp_path / "am", alertmanager_config(here.bridge)) as sender:
            await _add(sender)
            await eventually(lambda: _everybody(here, 1))

            assert await asyncio.to_thread(here.bridge.stop) == 0
            await asyncio.to_thread(here.bridge.start)
            await _add(sender, end=_now())
            await eventually(lambda: _everybody(here, 2))

        assert here.counts() == dict.fromkeys(here.counts(), 2)
        assert [told.text for told in here.hook.told()] == ["firing DiskFull", "resolved DiskFull"]
        assert here.script_heard() == ["firing opened", "resolved resolved"]
        assert here.pager.incidents == {} or set(here.pager.incidents.values()) == {"resolved"}
        assert here.bot.roots()[0].edits == 1  # the first message says how it ended
        assert len(here.bot.replies(here.bot.roots()[0])) == 1
        assert here.gram.messages[0].edits == 1
        assert here.gram.messages[1].reply_to == here.gram.messages[0].id
        assert all("https://runbooks.example/DiskFull" in mail.part("plain") for mail in here.mail.mails[:1])

        verified = await asyncio.to_thread(here.bridge.command, "audit", "verify")
        assert verified.returncode == 0, verified.stdout
        _nothing_leaks(here)


async def test_a_row_of_the_audit_edited_by_hand_is_found_and_named(tmp_path: Path) -> None:
    """The edit keeps the row plausible; only the chain can tell."""
    async with town(tmp_path) as here:
        await asyncio.to_thread(here.bridge.start)
        with alertmanager(tmp_path / "am", alertmanager_config(here.bridge)) as sender:
            await _add(sender)
            await eventually(lambda: _everybody(here, 1))
        await asyncio.to_thread(here.bridge.stop)
        with sqlite3.connect(tmp_path / "var" / "bridge.db") as database:
            seq = database.execute("SELECT seq FROM audit WHERE kind = 'sent' LIMIT 1").fetchone()[0]
            database.execute("UPDATE audit SET channel = 'nobody' WHERE seq = ?", (seq,))
        database.close()

        verified = await asyncio.to_thread(here.bridge.command, "audit", "verify")

        assert verified.returncode == 1
        assert str(seq) in verified.stdout + verified.stderr


async def test_a_rotated_keyring_opens_what_it_sealed_anew_while_the_bridge_runs(tmp_path: Path) -> None:
    """`secrets rotate` re-seals the files in place; the running bridge reloads and goes on telling."""
    async with town(tmp_path) as here:
        await asyncio.to_thread(here.bridge.start)
        with alertmanager(tmp_path / "am", alertmanager_config(here.bridge)) as sender:
            rotated = await asyncio.to_thread(here.bridge.command, "secrets", "rotate")
            assert rotated.returncode == 0, rotated.stderr
            await _add(sender)
            await eventually(lambda: _everybody(here, 1))
            listed = await asyncio.to_thread(here.bridge.command, "secrets", "list", "--json")

            recorded = await asyncio.to_thread(here.bridge.command, "audit", "list", "--kind", "key_rotated", "--json")

        assert listed.returncode == 0
        assert "key_rotated" in recorded.stdout
        assert len(set(_key_ids(tmp_path / "routes" / "main.yml"))) == 1
        assert here.bridge.get("/-/ready") == {"ready": True, "troubles": []}


async def test_a_broken_team_file_is_refused_alone_and_named(tmp_path: Path) -> None:
    """The team's last good file stays in force, the rest goes on, and `/-/ready` says so."""
    async with town(tmp_path) as here:
        team = tmp_path / "routes" / "team.yml"
        team.write_text("routes:\n  - {name: team, receiver: hook, matchers: ['team=\"web\"']}\n")
        await asyncio.to_thread(here.bridge.start)
        team.write_text("routes:\n  - {name: team, reciever: hook, matchers: ['team=\"web\"']}\n")

        await eventually(lambda: here.bridge.get("/-/ready")["troubles"])
        troubles = here.bridge.get("/-/ready")["troubles"]

        assert ("file_refused", "last_good") in {(found["what"], found["detail"]) for found in troubles}
        tested = await asyncio.to_thread(
            here.bridge.post,
            "/webhook/alertmanager",
            _web_alert(),
            {"Authorization": f"Bearer {SECRETS['sources/alertmanager/auth.bearer']}"},
        )
        assert tested[0] == 200
        await eventually(lambda: len(here.hook.told()) == 1)
        assert here.counts() == {**dict.fromkeys(here.counts(), 0), "hook": 1}


def _web_alert() -> dict[str, object]:
    labels = {"alertname": "Web", "team": "web"}
    alert = {
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": _now(), "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
    }  # fmt: skip
    return {
        "version": "4", "status": "firing", "receiver": "r", "groupKey": "{}:{}", "groupLabels": {}, "commonLabels": labels,
        "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0, "alerts": [alert],
    }  # fmt: skip


def _key_ids(path: Path) -> list[str]:
    return [part.split(":")[0] for part in path.read_text().split("sealed:v1:")[1:]]


def _nothing_leaks(here: Town) -> None:
    """No secret stands in the database, the log or the audit."""
    texts = [here.bridge.log.read_bytes()]
    texts += [path.read_bytes() for path in (here.folder / "var").iterdir() if path.name != "keyring.json"]
    for secret in [*filter(None, SECRETS.values()), "slack-canary-webhook"]:
        assert not any(secret.encode() in text for text in texts), secret
