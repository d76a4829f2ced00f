"""What a bridge loads: each module that it does not need makes every restart longer, for whoever waits for it."""

from __future__ import annotations

import json

import pytest

from tests.running_bridge import BridgeProcess, free_port

SMALL = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:PLACE/bridge.db"}
channels: {sink: {type: webhook, url: "http://127.0.0.1:9/"}}
route: {receiver: sink}
"""

LOOKS_AT_THE_END = """
import atexit, gc, json, pathlib, sys
from bridge.__main__ import main

def look():
    seen = {"modules": list(sys.modules), "collects": gc.isenabled()}
    pathlib.Path("seen.json").write_text(json.dumps(seen))

atexit.register(look)
main()
"""

FOR_OTHERS = frozenset({
    "asyncpg", "bridge.storage.postgres",  # another database
    "aiosmtplib", "bridge.channels.email", "bridge.channels.slack", "bridge.channels.telegram",  # other channels
    "bridge.hooks.enrich", "bridge.hooks.hold", "bridge.channels.workflow",
    "icalendar", "recurring_ical_events", "pygal", "resvg_py",  # calendars that are fetched, reports
    "rich", "pygments",  # tables of other commands; structlog takes them along where nobody prevents it
    "bridge.cli.check", "bridge.cli.replay", "bridge.cli.report", "bridge.importing",  # other commands
})  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a bridge on SQLite with one webhook channel looked like when it ended."""
    folder = tmp_path_factory.mktemp("small")
    bridge = BridgeProcess(folder, free_port())
    (folder / "routes").mkdir()
    (folder / "routes" / "main.yml").write_text(
        SMALL.replace("PORT", str(bridge.port)).replace("PLACE", str(folder)), encoding="utf-8"
    )
    bridge.program = ["-c", LOOKS_AT_THE_END]
    bridge.start()
    assert bridge.stop() == 0
    found: dict[str, object] = json.loads((folder / "seen.json").read_text())
    return found


def test_a_start_loads_nothing_that_only_other_configurations_and_commands_use(seen: dict[str, list[str]]) -> None:
    assert "bridge.channels.webhook" in seen["modules"]
    assert not FOR_OTHERS.intersection(seen["modules"])


def test_garbage_is_looked_for_again_once_all_is_loaded(seen: dict[str, bool]) -> None:
    assert seen["collects"]
