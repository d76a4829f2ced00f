"""The drill: a bridge is backed up while it works hard, is lost with everything it had, and lives on elsewhere.

Everything it had accepted before the backup is delivered, by the one bridge or the other; what came later its senders send
again. The verdict is the oracle's, who knows nothing of any database.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.forks import QuickBridge
from tests.faults.oracle_process import OracleProcess, oracle
from tests.faults.serving import troubles, until
from tests.running_bridge import free_port

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "URL"}
secrets: {keyring: KEYRING}
log: {level: error}
channels:
  sink: {type: webhook, url: "SINK/"}
route: {receiver: sink, hooks: [dedupe]}
"""
Alerts = set[tuple[int, int]]
Place = Callable[[str], str]
"""Makes the place of a database, and gives its URL."""


def bridge_at(folder: Path, sink: str, url: str, keyring: str = "none.json") -> QuickBridge:
    (folder / "routes").mkdir(parents=True)
    bridge = QuickBridge(folder, free_port())
    text = CONFIG.replace("PORT", str(bridge.port)).replace("SINK", sink).replace("URL", url)
    (folder / "routes" / "main.yml").write_text(text.replace("KEYRING", keyring))
    return bridge


def noted(watcher: OracleProcess, what: str, until: int = 0) -> Alerts:
    """(key, version) of what was accepted (`answered`), or delivered (`received`), by the oracle's file."""
    found: Alerts = set()
    for line in watcher.file.read_text().splitlines():
        kind, at, *words = line.split(" ")
        if kind == what and words[-1] == "200" and not (until and int(at) >= until):
            key, version = words[-3:-1]
            found.add((int(key), int(version)))
    return found


def missing(wanted: Alerts, watcher: OracleProcess) -> Alerts:
    """What of it has not been told, or its end instead."""
    there = noted(watcher, "received")
    return {(key, version) for key, version in wanted if not {(key, version), (key, version | 1)} & there}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "sqlite":
        yield lambda _name: "sqlite:var/bridge.db"
        return
    cluster = request.getfixturevalue("postgres")
    made: list[str] = []

    def make(_name: str) -> str:
        made.append(cluster.create())
        url: str = cluster.dsn(made[-1])
        return url

    yield make
    for name in made:
        cluster.drop(name)


def work_and_be_lost(folder: Path, watcher: OracleProcess, url: str, backup: Path) -> int:
    """A bridge under load is backed up while its receivers are down, works on, and is lost with its folder.

    Gives the time (CLOCK_MONOTONIC, ns) just before the backup.
    """
    lost = bridge_at(folder, watcher.url, url, "keyring.json")
    on_a_server = not url.startswith("sqlite")
    if on_a_server:
        assert lost.command("secrets", "keygen", "--keyring", "keyring.json").returncode == 0
        shutil.copy(lost.folder / "keyring.json", backup.parent)
    lost.start()
    watcher.load([lost.url], connections=12, resolve=0.2, repeat=0.1, seed=5, pause=0.002)
    assert watcher.accepted(150)
    watcher.sink("503")  # from here on nothing gets through, and all that is accepted waits
    watcher.more(100)
    before = time.monotonic_ns()
    words = ["backup", str(backup), "--config", "routes", "--url", lost.url, "--by", "ada", "--json"]
    ran = lost.command(*words, *([] if on_a_server else ["--with-keys"]))
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["recorded"], ran.stdout
    watcher.more(50)  # what comes after the backup is lost
    watcher.stop()
    begun = time.monotonic_ns()
    lost.kill()
    watcher.killed(begun, time.monotonic_ns())
    shutil.rmtree(lost.folder)
    return before


def restored(bridge: QuickBridge, backup: Path) -> None:
    """Put the backup in place of the bridge's database; only an empty place will do."""
    ran = bridge.command("restore", str(backup), "--config", "routes")
    assert ran.returncode == 0, ran.stderr
    again = bridge.command("restore", str(backup), "--config", "routes")
    assert again.returncode == 3
    assert "empty" in again.stderr


def test_everything_accepted_before_the_backup_is_told_though_the_bridge_is_lost_with_all_it_had(
    tmp_path: Path, place: Place
) -> None:
    backup = tmp_path / "safe" / "bridge-backup.db"
    backup.parent.mkdir()
    with oracle(tmp_path) as watcher:
        before = work_and_be_lost(tmp_path / "first", watcher, place("first"), backup)
        wanted = noted(watcher, "answered", until=before)
        assert len(wanted) > 100
        assert len(missing(wanted, watcher)) > 10, "the backup was made while nothing waited"

        bridge = bridge_at(tmp_path / "second", watcher.url, place("second"), str(backup.parent / "keyring.json"))
        restored(bridge, backup)
        watcher.sink("ok")
        bridge.start()
        assert any("database_restored" in name for name in troubles(bridge))
        until(lambda: not missing(wanted, watcher), 60)

        for key, version in sorted(noted(watcher, "answered") - wanted):  # Alertmanager goes on saying what fires
            assert watcher.post(bridge.url, key, version) == 200
        assert watcher.drained(60)
        assert bridge.stop() == 0
        ran = bridge.command("audit", "verify", "--config", "routes")
        assert ran.returncode == 0, ran.stderr
        assert "the bridge started on a restored backup" in ran.stdout
        ran = bridge.command("audit", "export", "--config", "routes", "--kind", "restored")
        assert [json.loads(line)["reason"] for line in ran.stdout.splitlines()] == ["backup"]
        verdict = watcher.verdict()
        assert (verdict.lost, verdict.unexplained, verdict.out_of_order, verdict.odd) == (0, 0, 0, 0), verdict
