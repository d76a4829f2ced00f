"""Retention as an operator sees it: old incidents are gone, the log verifies before and after, and what goes on is there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.serving import alert, ask, audit, bridge_of, until, verified
from tests.running_bridge import BridgeProcess

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db", retention: KEPT}
channels: {console: {type: console}}
route: {receiver: console}
"""


def names(bridge: BridgeProcess) -> list[str]:
    """The incidents that are kept."""
    found = json.loads(ask(bridge, "GET", "/api/v1/incidents").body)["incidents"]
    return sorted(one["group_labels"]["alertname"] for one in found)


def live(bridge: BridgeProcess, *over: str, stays: str = "") -> None:
    """A life of a bridge, from start to stop, so that there are checkpoints."""
    bridge.start()
    for name in (*over, *filter(None, [stays])):
        assert ask(bridge, "POST", "/webhook", alert(name)).status == 200
    for name in over:
        assert ask(bridge, "POST", "/webhook", alert(name, status="resolved")).status == 200
    until(lambda: not json.loads(ask(bridge, "GET", "/api/v1/deliveries?state=pending").body)["deliveries"])
    assert bridge.stop() == 0


def test_what_is_over_goes_and_what_goes_on_stays_and_the_log_holds_all_the_time(tmp_path: Path) -> None:
    with bridge_of(tmp_path, CONFIG.replace("KEPT", "90d"), start=False) as bridge:
        live(bridge, "Old", "Old too", stays="Still there")
        live(bridge, "Newer")
        before = len(audit(bridge))
        verified(bridge)
        main = tmp_path / "routes" / "main.yml"
        main.write_text(main.read_text().replace("90d", "1s"))
        bridge.start()
        until(lambda: audit(bridge, "pruned"), 30)
        until(lambda: "Old" not in names(bridge), 30)
        assert "Still there" in names(bridge)
        verified(bridge)
        assert bridge.stop() == 0
        after = audit(bridge)
        assert len(after) < before
        assert after[0]["seq"] > 1
        assert "the audit log holds" in verified(bridge)
        bridge.start()
        assert ask(bridge, "POST", "/webhook", alert("Still there", status="resolved")).status == 200
        until(lambda: any(one["kind"] == "sent" and one["reason"] == "resolved" for one in audit(bridge)[-5:]))
        verified(bridge)
