"""What each crash point is driven through, and what a crash there may cost.

A scenario prepares a bridge, then drives it until it dies at its point. `run` starts it again and judges: everything that was
accepted arrives, nothing twice beyond what the point allows, nothing out of order, the audit log holds.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import msgspec

from tests.faults.fates import Fate, bridge_dies
from tests.faults.forks import QuickBridge
from tests.faults.kills import finished, problems_of
from tests.faults.oracle_process import OracleProcess
from tests.running_bridge import free_port

_PATIENCE = 45.0
_SHARED_PATIENCE = 60.0
"""Seconds; on a shared database what a dead bridge had claimed is its for twelve."""
_AFTERWARDS = 99
_DOOMED = 5.0
"""For what is never to come."""

CONFIG = """
server: {listen: "127.0.0.1:PORT", drain_timeout: 2s}
storage: {url: "URL", retention: KEPT}
log: {level: error}
secrets: {keyring: keyring.json}
channels:
  sink: {type: webhook, url: "SINK/", give_up_after: GIVE_UP, timeout: TIMEOUT SEALED}
  ladder: {type: webhook, url: "SINK/ladder"}
  people: {type: webhook, url: "SINK/people"}
fallback: people
escalations:
  page: [{after: 2s, notify: [ladder]}]
route: {receiver: sink, hooks: [HOOKS]}
"""


class Stage:
    """One scenario on its way: the bridge, the oracle, and what was posted and not accepted yet."""

    def __init__(self, folder: Path, watcher: OracleProcess, url: str, planted: str = "") -> None:
        self.folder = folder
        self.watcher = watcher
        self.bridge = QuickBridge(folder, free_port(), planted=planted)
        shared = url.startswith("postgresql")
        self.patience = _DOOMED if planted else _SHARED_PATIENCE if shared else _PATIENCE
        self._url = url
        self._unaccepted: list[tuple[int, int]] = []
        (folder / "routes").mkdir(parents=True, exist_ok=True)
        self.configure()
        if shared:
            made = self.bridge.command("secrets", "keygen", "--keyring", "keyring.json")
            assert made.returncode == 0, made.stderr

    def configure(
        self,
        *,
        hooks: str = "dedupe",
        give_up: str = "24h",
        timeout: str = "1s",
        sealed: str = "",
        retention: str = "90d",
        more: str = "",
    ) -> None:
        text = CONFIG.replace("PORT", str(self.bridge.port)).replace("SINK", self.watcher.url)
        text = (
            text.replace("URL", self._url)
            .replace("HOOKS", hooks)
            .replace("GIVE_UP", give_up)
            .replace("KEPT", retention)
            .replace("TIMEOUT", timeout)
        )
        text = text.replace("SEALED", f', signing_secret: "{sealed}"' if sealed else "")
        (self.folder / "routes" / "main.yml").write_text(text + more)

    def post(self, key: int, version: int = 0) -> int:
        """Send an alert; what is not accepted is sent again after the crash, as Alertmanager does."""
        status = self.watcher.post(self.bridge.url, key, version)
        if status != 200:
            self._unaccepted.append((key, version))
        return status

    def post_again(self) -> None:
        for key, version in self._unaccepted:
            while self.watcher.post(self.bridge.url, key, version) != 200:
                time.sleep(0.02)
        self._unaccepted.clear()

    def ask(self, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        """A request to the API, POST if there is a body; (0, {}) if no answer came."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.bridge.url}{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except HTTPError as error:
            with error:
                return error.code, {}
        except (OSError, ValueError):
            return 0, {}

    def incident(self) -> dict[str, object]:
        """The only incident."""
        status, found = self.ask("/api/v1/incidents")
        incidents = found["incidents"] if isinstance(found, dict) else found
        assert status == 200
        assert isinstance(incidents, list)
        assert len(incidents) == 1, incidents
        incident: dict[str, object] = incidents[0]
        return incident

    def acknowledge(self) -> int:
        return self.ask(f"/api/v1/incidents/{self.incident()['id']}/acknowledge", {"by": "ada"})[0]

    def received(self, path: str) -> int:
        """How often a receiver answered 200 there, by the oracle's file."""
        lines = (line.split(" ") for line in self.watcher.file.read_text().splitlines())
        return sum(words[0] == "received" and words[2] == path and words[5] == "200" for words in lines)

    def until(self, happened: Callable[[], bool], otherwise: str) -> None:
        """Wait as long as what a dead bridge held may stay held."""
        end = time.monotonic() + self.patience
        while not happened():
            assert time.monotonic() < end, otherwise
            time.sleep(0.02)


Act = Callable[[Stage], None]


def nothing(_stage: Stage) -> None:
    """There is nothing to do."""


def one(stage: Stage) -> None:
    stage.post(1)


def flood(stage: Stage) -> None:
    stage.watcher.load([stage.bridge.url], connections=16)


def leave(stage: Stage) -> None:
    """An alert, and the end while it is on its way."""
    stage.post(1)
    stage.bridge.terminate()


class Scenario(msgspec.Struct, frozen=True):
    """`prepare` runs on a bridge that is not armed and is stopped after it; without it the first start is the armed one.

    `drive` runs on the armed one until it dies at the `nth` passing, or `command` dies in its place; `check` after the
    restart. `sinks` are the ways receivers may behave until the crash, as far as they make a difference here; of what they
    answered (`ok`) so many `copies` are allowed. After the crash the channel's receiver answers `then`. `servers_death` says that it makes a difference whether a PostgreSQL server
    dies at that moment, with the bridge or alone; what a bridge that lives on told is never told again.
    """

    point: str
    drive: Act = one
    prepare: Act | None = None
    check: Act = nothing
    command: tuple[str, ...] = ()
    nth: int = 1
    sinks: tuple[str, ...] = ("ok",)
    copies: int = 0
    ready: bool = True
    title: str = ""
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    servers_death: bool = False
    then: str = "ok"


def run(
    folder: Path,
    scenario: Scenario,
    sink: str,
    watcher: OracleProcess,
    url: str,
    planted: str = "",
    fate: Fate = bridge_dies,
) -> list[str]:
    """Die there and come back; what was wrong, nothing if all is well."""
    stage = Stage(folder, watcher, url, planted)
    bridge = stage.bridge
    try:
        return _run(stage, scenario, sink, fate)
    finally:
        if bridge.running:
            bridge.kill()


def _run(stage: Stage, scenario: Scenario, sink: str, fate: Fate) -> list[str]:
    bridge, watcher = stage.bridge, stage.watcher
    if scenario.prepare is not None:
        scenario.prepare(stage)
        if bridge.running:
            bridge.stop()
    watcher.sink(sink)
    begun = time.monotonic_ns()
    if not fate(stage, scenario):
        return [f"it did not come to its end at {scenario.point}: {bridge.log.read_text()[-500:]}"]
    watcher.killed(begun, time.monotonic_ns())
    watcher.sink("ok")
    watcher.sink(scenario.then, path="/")
    lives = bridge.running
    if not lives:
        bridge.start()
    watcher.stop()
    stage.post_again()
    scenario.check(stage)
    if lives:  # it takes alerts again, and so has its server back before it is told to stop
        stage.post(_AFTERWARDS)
        stage.post_again()
    problems = [] if watcher.drained(stage.patience) else [f"not everything was delivered in {stage.patience:g} s"]
    problems += finished(bridge)
    problems += problems_of(watcher.verdict(), scenario.copies if sink == "ok" and not lives else 0)
    return [*problems, bridge.log.read_text()[-1000:]] if problems else []
