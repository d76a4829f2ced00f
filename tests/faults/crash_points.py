"""The table: every crash point, and what is done until the bridge dies there."""

from __future__ import annotations

import signal
import time

from tests.faults.crash_scenarios import Scenario, Stage, flood, leave, nothing

FLIGHT = 32


def escalating(stage: Stage) -> None:
    stage.configure(hooks="dedupe, {escalate: page}")


def until(stage: Stage, path: str, number: int) -> None:
    """Wait until a receiver got so many messages."""
    stage.until(lambda: stage.received(path) >= number, f"fewer than {number} at {path}")


def escalated_once(stage: Stage) -> None:
    until(stage, "/ladder", 1)
    time.sleep(0.5)  # another one would have come by then
    assert stage.received("/ladder") == 1


def one_open(stage: Stage) -> None:
    """One alert that is told and waits for somebody."""
    stage.bridge.start()
    stage.post(1)
    stage.watcher.drained(10)


def acknowledge(stage: Stage) -> None:
    assert stage.acknowledge() == 0 or stage.bridge.running  # it died before it answered


def acknowledged(stage: Stage) -> None:
    """Whoever acknowledges again is told that it is done."""
    stage.until(lambda: stage.acknowledge() == 200, "the acknowledgement is not taken")
    assert stage.incident()["state"] == "acknowledged"


def giving_up(stage: Stage) -> None:
    """The channel refuses everything, and goes on refusing after the crash."""
    stage.configure(give_up="1s")
    stage.watcher.sink("400", path="/")
    stage.watcher.expect("/people")


def slow(stage: Stage) -> None:
    """Attempts last longer than a claim goes without being renewed."""
    stage.configure(timeout="10s")


def over(stage: Stage) -> None:
    """The channel refuses it for good, then it is over: whoever may have heard of it must hear that."""

    def dead() -> bool:
        status, found = stage.ask("/api/v1/deliveries?state=dead")
        return status == 200 and bool(found["deliveries"])

    stage.until(dead, "it is not refused for good")
    stage.watcher.sink("ok", path="/")
    assert stage.post(1, version=1) == 200


def reload(stage: Stage) -> None:
    stage.post(1)
    stage.configure(more="reopen_within: 2h\n")
    stage.bridge.signal(signal.SIGHUP)


def sealed(stage: Stage) -> None:
    """The channel signs with a sealed secret; an alert that is told proves that the secret opens."""
    if not (stage.folder / "keyring.json").exists():
        assert stage.bridge.command("secrets", "keygen", "--keyring", "keyring.json").returncode == 0
    words = ("secrets", "seal", "--for", "channels/sink/signing_secret", "--config", "routes")
    made = stage.bridge.command(*words, stdin="whsec_dGhlIGtleSBvZiB0aGUgcmVjZWl2ZXI=")
    assert made.returncode == 0, made.stderr
    stage.configure(sealed=made.stdout.strip())


def opens(stage: Stage) -> None:
    """What is sealed opens after the crash, and the command can be run again."""
    stage.post(1)
    assert stage.watcher.drained(10)
    ran = stage.bridge.command(*ROTATE)
    assert ran.returncode == 0, ran.stderr
    stage.post(2)
    assert stage.watcher.drained(10)


def aged(stage: Stage) -> None:
    """A history of several lives, each of which signed a checkpoint, longer than it is to be kept."""
    for key in (1, 2, 3):
        stage.bridge.start()
        stage.post(key)
        stage.watcher.drained(10)
        stage.bridge.stop()
    stage.configure(retention="1s")


def pruned(stage: Stage) -> None:
    """What the crash interrupted is done after it."""
    words = ("audit", "export", "--config", "routes", "--kind", "pruned")
    stage.until(lambda: bool(stage.bridge.command(*words).stdout), "nothing was pruned")


ROTATE = ("secrets", "rotate", "--config", "routes")
ALL = ("ok", "hang", "reset")
TABLE = (
    Scenario("ingest.after_read", servers_death=True),
    Scenario("ingest.before_commit", servers_death=True),
    Scenario("ingest.after_commit", servers_death=True),
    Scenario("ingest.after_2xx", servers_death=True),
    Scenario("reduce.mid_batch", servers_death=True),
    Scenario("outbox.after_claim", servers_death=True),
    Scenario("send.before_connect"),
    Scenario("send.after_bytes", copies=1, sinks=ALL),
    Scenario("send.after_bytes", check=over, then="400", sinks=ALL, title="refused for good after it"),
    Scenario("send.after_response", copies=1),
    Scenario("send.after_response", check=over, then="400", title="refused for good after it"),
    Scenario("result.before_commit", copies=1, sinks=(*ALL, "503"), servers_death=True),
    Scenario("result.after_commit", sinks=(*ALL, "503"), servers_death=True),
    Scenario("retry.reschedule", sinks=("503", "hang", "reset")),
    Scenario("dead.before_meta_alert", prepare=giving_up, then="400"),
    Scenario("esc.before_claim", prepare=escalating, check=escalated_once, servers_death=True),
    Scenario("esc.after_claim", prepare=escalating, check=escalated_once, servers_death=True),
    Scenario("ack.before_commit", acknowledge, one_open, acknowledged, servers_death=True),
    Scenario("ack.after_commit", acknowledge, one_open, acknowledged, servers_death=True),
    Scenario("audit.before_checkpoint", leave, nth=2),
    Scenario("audit.after_sign", leave, nth=2),
    Scenario("anchor.after_publish", leave, nth=2),
    Scenario("audit.after_sign", nothing, ready=False, title="at the first start"),
    Scenario("prune.after_header", nothing, aged, pruned),
    Scenario("prune.after_delete", nothing, aged, pruned),
    Scenario("wal.checkpoint", flood, copies=FLIGHT, databases=("sqlite",)),
    Scenario("wal.checkpoint", leave, title="at the end", databases=("sqlite",)),
    Scenario("lease.renew", prepare=slow, sinks=("hang",), databases=("postgresql",), servers_death=True),
    Scenario("migrate.mid", nothing, ready=False, servers_death=True),
    Scenario("reload.after_swap", reload, copies=1),
    Scenario("rekey.after_write", prepare=sealed, check=opens, command=ROTATE, title="of the keyring"),
    Scenario("rekey.after_write", prepare=sealed, check=opens, command=ROTATE, nth=2, title="of a file"),
    Scenario("shutdown.after_stop_accept", leave, copies=1, sinks=ALL),
)
"""At least one scenario for every point, on both databases but for two: PostgreSQL moves its write-ahead log itself
(`wal.checkpoint`), and on SQLite there is no other bridge that a claim must be kept from (`lease.renew`).
"""
