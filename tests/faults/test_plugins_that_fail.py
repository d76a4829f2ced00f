"""Plugins that raise whatever they like: the bridge stays, and no alert is lost. As a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.receiver import Receiver
from tests.faults.serving import MAIN, audit, bridge_of, metric, post, until, verified

PLUGIN = """
import asyncio
from bridge.hooks.api import HookOptions

FAULTS = {
    "exit": SystemExit(3),
    "cancel": asyncio.CancelledError(),
    "error": RuntimeError(),
    "close": GeneratorExit(),
    "interrupt": KeyboardInterrupt(),
}

class Faulty:
    name = "faulty"
    Options = HookOptions
    does_io = DOES_IO
    def __init__(self, options, context): ...
    async def __call__(self, notification, forward):
        for alert in notification.alerts:
            fault = alert.labels.get("fault", "")
            if fault in FAULTS:
                raise FAULTS[fault]
            if fault == "unstorable":
                notification = notification.with_labels(alert.fingerprint, {"team": 7j})
        return await forward(notification)
"""


def with_plugin(folder: Path, text: str, *, does_io: bool) -> str:
    (folder / "plugin.py").write_text(PLUGIN.replace("DOES_IO", str(does_io)))
    return "plugins: [plugin.py]\n" + text


@pytest.mark.parametrize("does_io", [False, True])
def test_a_hook_that_raises_anything_neither_ends_the_bridge_nor_loses_an_alert(
    tmp_path: Path, receiver: Receiver, does_io: bool
) -> None:
    """`on_error: open` is the default: the alert passes a hook that failed, whatever it raised."""
    hooks = "hooks: [faulty]\nroute: {receiver: sink, hooks: [faulty]}"
    text = with_plugin(tmp_path, MAIN.replace("route: {receiver: sink}", hooks), does_io=does_io)
    faults = ("exit", "cancel", "error", "close", "interrupt")
    with bridge_of(tmp_path, text, receiver.url) as bridge:
        for fault in faults:
            assert post(bridge, fault, fault=fault).status == 200
        assert post(bridge, "fine").status == 200
        until(lambda: receiver.names() == {*faults, "fine"})
        assert bridge.stop() == 0
        verified(bridge)


def test_an_alert_that_cannot_be_planned_is_kept_and_put_aside_and_the_others_go_on(
    tmp_path: Path, receiver: Receiver
) -> None:
    """What a hook adds to it cannot be stored. It is accepted, tried a few times, also after a crash, then announced."""
    main = MAIN.replace(
        "route:", "  people: {type: webhook, url: SINK/people}\nfallback: people\nhooks: [faulty]\nroute:"
    )
    with bridge_of(tmp_path, with_plugin(tmp_path, main, does_io=False), receiver.url) as bridge:
        assert post(bridge, "A", fault="unstorable").status == 200
        bridge.kill()
        bridge.start()
        assert post(bridge, "B").status == 200
        until(lambda: receiver.names() == {"B"})
        until(lambda: any("cannot be planned" in summary for summary in receiver.summaries))
        poisoned = [record for record in audit(bridge) if record["reason"] == "poisoned"]
        assert [record["kind"] for record in poisoned] == ["quarantined"]
        assert bridge.stop() == 0
        bridge.start()
        assert metric(bridge, "alertbridge_journal_pending") == 0
        assert bridge.stop() == 0
        assert receiver.told["/people"] == ["AlertbridgeNotice"]
        verified(bridge)
