"""What amtool 0.25 asked a real Alertmanager, asked again of a bridge: the answers are the same but for times and ids.

The recordings are one history, so they are played in one order against one bridge, whose clock stands where theirs did.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from yarl import URL

from bridge.app.bridge import Bridge
from tests.bridge_bench import Dial
from tests.unit.http.real import port_of

FOLDER = Path(__file__).parents[2] / "payloads" / "amtool-0.25"
HISTORY = [
    "version-check",
    "alert-query-empty",
    "alert-add",
    "alert-add-start-end",
    "alert-add-unicode",
    "alert-add-bare-name",
    "alert-add-resolve",
    "alert-add-end-before-start",
    "alert-query-all",
    "alert-query-json",
    "alert-query-extended",
    "alert-query-bad-receiver",
    "alert-query-bad-regex",
    "alert-query-bare-name",
    "alert-query-inhibited",
    "alert-query-matchers",
    "alert-query-receiver",
    "alert-query-unicode",
    "silence-add",
    "silence-add-negative-matchers",
    "silence-add-bare-name",
    "silence-add-start-end",
    "silence-add-long-duration",
    "silence-add-end-in-past",
    "silence-add-matches-empty",
    "alert-query-after-silence",
    "alert-query-silenced",
    "alert-query-all-states",
    "silence-query",
    "silence-query-json",
    "silence-query-extended",
    "silence-query-quiet",
    "silence-query-within",
    "silence-query-created-by",
    "silence-query-matchers",
    "silence-update",
    "silence-update-end",
    "silence-update-unknown",
    "silence-expire",
    "silence-expire-again",
    "silence-expire-many",
    "silence-expire-not-uuid",
    "silence-expire-unknown",
    "silence-query-expired",
    "silence-import-force",
    "silence-import",
    "cluster-show",
    "cluster-show-json",
    "config-show",
    "config-routes-show",
    "config-routes-test",
    "alert-query-path-prefix",
    "alert-query-basic-auth",
    "alert-query-userinfo",
    "alert-query-version-check-off",
    "cluster-show-bearer",
]
NEWER = {"mutedBy", "routeLabels"}
"""Keys that Alertmanager has had since."""
CHANGED = {
    "silence-expire-unknown": (404, None),
    "silence-add-matches-empty": (
        400, "invalid silence: matcher set 0: at least one matcher must not match the empty string",
    ),
    "alert-query-bad-receiver": (
        400, "failed to parse receiver param: error parsing regexp: bad regular expression '(' (RE2 syntax): missing ): ^(?:()$",
    ),
    "alert-query-path-prefix": (404, ...),
}  # fmt: skip
"""Where 0.34, or RE2 itself, says it otherwise than 0.25 did: status, body (... for any)."""
TIMES = {"startsAt", "endsAt", "updatedAt", "uptime"}


def recording(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def bridge_yml(folder: Path) -> str:
    """The recorded Alertmanager's configuration as one of ours: each receiver is a channel."""
    original = yaml.safe_load(recording("version-check")["exchanges"][0]["reply"]["body"]["config"]["original"])
    document = {
        "server": {"listen": "127.0.0.1:0"},
        "storage": {"url": f"sqlite:{folder}/bridge.db"},
        "channels": {found["name"]: {"type": "exec", "command": ["true"]} for found in original["receivers"]},
        "exec": {"directories": ["/usr/bin", "/bin"]},
        **{key: original[key] for key in ("route", "inhibit_rules", "time_intervals")},
    }
    return yaml.safe_dump(document, allow_unicode=True)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[tuple[Bridge, Dial]]:
    path = tmp_path / "bridge.yml"
    path.write_text(bridge_yml(tmp_path), encoding="utf-8")
    clock = Dial(now_of(recording("version-check")["exchanges"][0]))
    running = await Bridge.start(path, clock, fatal=lambda _error: None)
    try:
        yield running, clock
    finally:
        await running.stop()


def now_of(exchange: dict[str, Any]) -> Any:
    """The end of the second in which it was answered."""
    return parsedate_to_datetime(exchange["reply"]["headers"]["Date"]) + timedelta(seconds=0.999)


class Player:
    """Asks what was asked; recorded ids of silences become ours."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._base = f"http://127.0.0.1:{port}"
        self._ids: dict[str, str] = {}

    def ours(self, text: str) -> str:
        for theirs, mine in self._ids.items():
            text = text.replace(theirs, mine)
        return text

    async def play(self, exchange: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        url = URL(self._base + self.ours(exchange["path"]), encoded=True)
        headers = {
            name: exchange["headers"][name] for name in ("Content-Type", "Accept") if name in exchange["headers"]
        }
        data = self.ours(exchange["body_raw"]).encode() or None
        async with self._session.request(exchange["method"], url, data=data, headers=headers) as answer:
            content = await answer.read()
            found = json.loads(content) if content and "json" in answer.headers.get("Content-Type", "") else None
            self._learn(exchange["reply"]["body"], found)
            return answer.status, found, dict(answer.headers)

    def _learn(self, theirs: Any, ours: Any) -> None:
        if isinstance(theirs, dict) and isinstance(ours, dict) and "silenceID" in theirs:
            self._ids[theirs["silenceID"]] = ours["silenceID"]


def comparable(found: Any, player: Player | None = None) -> Any:
    """Without times and newer keys; of a status only what it has."""
    if isinstance(found, dict):
        if "versionInfo" in found:
            return {**dict.fromkeys(found), "versionInfo": sorted(found["versionInfo"])}
        kept = {key: comparable(value, player) for key, value in found.items() if key not in TIMES | NEWER}
        return {**kept, **dict.fromkeys(TIMES & found.keys(), "a time")}
    if isinstance(found, list):
        return [comparable(one, player) for one in found]
    return player.ours(found) if player is not None and isinstance(found, str) else found


async def test_the_whole_history_is_answered_as_alertmanager_answered_it(bridge: tuple[Bridge, Dial]) -> None:
    running, clock = bridge
    async with aiohttp.ClientSession() as session:
        player = Player(session, port_of(running))
        played = 0
        for name in HISTORY:
            for exchange in recording(name)["exchanges"]:
                clock.time = max(clock.time, now_of(exchange))
                status, found, headers = await player.play(exchange)
                reply = exchange["reply"]
                wanted_status, wanted = CHANGED.get(name, (reply["status"], reply["body"]))
                assert status == wanted_status, name
                if wanted is not ...:
                    assert by_id(comparable(found)) == by_id(comparable(wanted, player)), name
                    assert headers["Vary"] == "Origin"
                    assert headers["Cache-Control"] == "no-store"
                    if name not in CHANGED:
                        assert headers.get("Content-Type") == reply["headers"].get("Content-Type")
                played += 1
        assert played > 60


def by_id(found: Any) -> Any:
    """Silences that end within the same second may come in either order."""
    if isinstance(found, list) and found and isinstance(found[0], dict) and "matchers" in found[0]:
        return sorted(found, key=lambda silence: str(silence["id"]))
    return found


def test_every_recording_with_an_exchange_is_played() -> None:
    recorded = {
        path.stem
        for path in FOLDER.glob("*.json")
        if any(exchange["reply"] for exchange in json.loads(path.read_text(encoding="utf-8")).get("exchanges", []))
    }
    assert recorded == set(HISTORY)
