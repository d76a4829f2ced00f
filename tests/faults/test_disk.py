"""A disk that fails, is full, or is held by somebody else: never a 500, never a loss, and well again by itself.

The oracle is outside the bridge: what got a 2xx, and what the receiver saw.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

import pytest

from tests.faults.forks import ROOT
from tests.faults.receiver import Receiver
from tests.faults.serving import MAIN, alert, ask, bridge_of, ended, post, troubles, until, verified
from tests.faults.traced import attached
from tests.running_bridge import BridgeProcess


@contextmanager
def traceable(folder: Path, text: str, sink: str) -> Iterator[BridgeProcess]:
    """A running bridge whose system calls a tracer may spoil: from when it serves, whatever a start takes here."""
    with bridge_of(folder, text, sink, start=False, PYTHONPATH=str(ROOT)) as bridge:
        bridge.program = ["-m", "tests.faults.bugs", "traceable"]
        bridge.start()
        yield bridge


@contextmanager
def failing_syncs(bridge: BridgeProcess, which: str) -> Iterator[None]:
    """`which` of its syncs fail, counted by thread from now."""
    inject = f"inject=fdatasync,fsync:error=EIO:when={which}"
    with attached(bridge, bridge.folder / "strace.log", inject) as strace:
        yield
        strace.terminate()


@pytest.mark.strace
@pytest.mark.parametrize("which", [pytest.param("6", id="once"), pytest.param("9+", id="from then on")])
def test_a_failed_sync_is_answered_503_and_ends_the_process_and_nothing_accepted_is_lost(
    tmp_path: Path, receiver: Receiver, which: str
) -> None:
    """A failed fsync may not be tried again: the kernel has dropped the pages. strace counts by thread: the writer's."""
    accepted: set[str] = set()
    statuses: list[int] = []
    with traceable(tmp_path, MAIN, receiver.url) as bridge:
        with failing_syncs(bridge, which):
            while bridge._process is not None and bridge._process.poll() is None and len(statuses) < 300:
                name = f"A{len(statuses)}"
                statuses.append(post(bridge, name).status)
                if statuses[-1] == 200:
                    accepted.add(name)
            assert ended(bridge) == 1
        assert "database_failed" in bridge.log.read_text()
        assert accepted
        assert set(statuses) <= {200, 503, 0}  # 0: the process was gone before the request came

        bridge.start()
        until(lambda: accepted <= receiver.names())
        assert bridge.stop() == 0
        verified(bridge)


DROPPING = """
from bridge.hooks.api import Drop, HookOptions

class Dropping:
    name = "drop"
    Options = HookOptions
    does_io = False

    def __init__(self, options, context): ...

    async def __call__(self, notification, forward):
        return Drop("not_wanted")
"""


@pytest.mark.strace
def test_a_request_whose_own_sync_fails_is_answered_503_before_the_process_ends(tmp_path: Path) -> None:
    """Nothing else commits here: what is accepted goes nowhere."""
    text = "plugins: [plugin.py]\n" + MAIN.replace("route: {", "route: {hooks: [drop], ") + "hooks: []\n"
    (tmp_path / "plugin.py").write_text(DROPPING)
    with traceable(tmp_path, text, "http://127.0.0.1:9") as bridge, failing_syncs(bridge, "4+"):
        answers = []
        while not answers or answers[-1].status == 200:
            answers.append(post(bridge, f"A{len(answers)}"))
        assert len(answers) > 1
        assert answers[-1].status == 503
        assert answers[-1].headers["Retry-After"]
        assert ended(bridge) == 1


@contextmanager
def small_disk(disk: Path) -> Iterator[None]:
    """A disk of six megabytes at this path."""
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def ran_as_root(test: str) -> bool:
    """Only root mounts: anybody else runs the test as the root of a user namespace. False if we are root."""
    if os.geteuid() == 0:
        return False
    command = [
        "unshare",
        "--map-root-user",
        "--mount",
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        test,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "1 passed" not in ran.stdout and "1 failed" not in ran.stdout:
        pytest.skip(f"not root, and no user namespace: {ran.stdout[-300:]}{ran.stderr[-300:]}")
    assert ran.returncode == 0, ran.stdout
    return True


def fill(disk: Path, leave: int) -> Path:
    """A file that takes all room but `leave` bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # the bridge may be faster
        while (room := os.statvfs(disk)).f_bavail * room.f_frsize > leave:
            file.write(bytes(4096))
    return ballast


@pytest.mark.parametrize("leave", [0, 400_000])
def test_a_full_disk_is_answered_503_and_all_goes_on_when_there_is_room_again(
    request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver, leave: int
) -> None:
    """What was accepted before and waits for its delivery goes out as soon as outcomes can be recorded again."""
    if ran_as_root(request.node.nodeid):
        return
    text = MAIN.replace("sqlite:bridge.db", "sqlite:disk/bridge.db").replace('/"}', '/", max_in_flight: 2}')
    with small_disk(tmp_path / "disk"), bridge_of(tmp_path, text, receiver.url) as bridge:
        receiver.closed = True
        accepted = {name for name in (f"A{n}" for n in range(5)) if post(bridge, name).status == 200}
        assert len(accepted) == 5
        ballast = fill(tmp_path / "disk", leave)
        statuses: list[int] = []
        ready = 200  # a log that is cut short meanwhile gives room back: then there is more to fill
        while (statuses[-5:] != [503] * 5 or ready != 503) and len(statuses) < 300:
            name = f"B{len(statuses)}"
            answer = post(bridge, name, "x" * (300 if 503 in statuses else 50_000))  # until not even a small one fits
            statuses.append(answer.status)
            if answer.status == 200:
                accepted.add(name)
            elif answer.status == 503:
                assert int(answer.headers["Retry-After"]) > 0
            ready = ask(bridge, "GET", "/-/ready").status
        assert set(statuses) <= {200, 503}
        assert statuses[-1] == ready == 503
        assert ask(bridge, "GET", "/-/healthy").status == 200
        assert ask(bridge, "GET", "/metrics").status == 200

        ballast.unlink()
        receiver.closed = False
        until(lambda: ask(bridge, "GET", "/-/ready").status == 200)
        assert post(bridge, "C").status == 200
        until(lambda: receiver.names() >= {*accepted, "C"})
        assert bridge.stop() == 0
        verified(bridge)


def test_requests_are_refused_before_the_disk_is_full_and_what_was_accepted_is_told_and_recorded(
    request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver
) -> None:
    """Below the mark no request, but outcomes, for which the ballast is given up if need be; it comes back."""
    if ran_as_root(request.node.nodeid):
        return
    text = MAIN.replace("sqlite:bridge.db", "sqlite:disk/bridge.db")
    disk = tmp_path / "disk"
    with small_disk(disk), bridge_of(tmp_path, text, receiver.url) as bridge:
        receiver.closed = True
        accepted = {f"A{number}" for number in range(20)}
        assert {post(bridge, name).status for name in accepted} == {200}
        until((disk / "bridge.db.ballast").exists)

        filler = fill(disk, 600_000)
        names = (f"B{number}" for number in range(1000))
        accepted |= set(takewhile(lambda name: post(bridge, name).status == 200, names))
        until(lambda: "disk_full bridge.db" in troubles(bridge))
        assert ask(bridge, "GET", "/-/ready").status == 503
        receiver.closed = False
        until(lambda: accepted <= receiver.names(), within=90)
        until(lambda: {delivery["state"] for delivery in deliveries(bridge)} == {"sent"})
        assert {name for name in receiver.names() if name.startswith("B")} <= accepted

        filler.unlink()
        until(lambda: post(bridge, "C").status == 200)
        until(lambda: "C" in receiver.names() and (disk / "bridge.db.ballast").exists())
        assert bridge.stop() == 0
        verified(bridge)


def deliveries(bridge: BridgeProcess) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(ask(bridge, "GET", "/api/v1/deliveries?limit=1000").body)["deliveries"]
    return found


def test_a_database_locked_from_outside_is_answered_503_and_no_alert_is_forgotten(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The sender that was told to try again does; its alert is told once, neither lost nor taken for a repeat."""
    text = MAIN.replace('listen: "127.0.0.1:PORT"', 'listen: "127.0.0.1:PORT", accept_timeout: 500ms')
    with bridge_of(tmp_path, text, receiver.url) as bridge:
        assert post(bridge, "A").status == 200
        outside = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
        try:
            outside.execute("BEGIN IMMEDIATE")
            answers = [post(bridge, name) for name in ("B", "C", "B", "C")]
            assert [answer.status for answer in answers] == [503] * 4
            assert all(answer.headers["Retry-After"] for answer in answers)
            assert ask(bridge, "GET", "/-/healthy").status == 200
            assert ask(bridge, "GET", "/api/v1/incidents").status == 200
        finally:
            outside.execute("ROLLBACK")
            outside.close()
        assert [post(bridge, name).status for name in ("B", "C")] == [200, 200]
        until(lambda: receiver.names() == {"A", "B", "C"})
        assert sorted(receiver.told["/"]) == ["A", "B", "C"]
        until(lambda: ask(bridge, "GET", "/-/ready").status == 200)
        assert bridge.stop() == 0
        verified(bridge)


def test_a_request_that_waits_for_a_short_lock_is_accepted(tmp_path: Path, receiver: Receiver) -> None:
    with bridge_of(tmp_path, MAIN, receiver.url) as bridge:
        outside = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / "bridge.db")], stdout=subprocess.PIPE, stdin=subprocess.PIPE
        )
        assert outside.stdout is not None
        assert outside.stdout.readline() == b"held\n"
        assert post(bridge, "A").status == 200
        outside.communicate()
        until(lambda: receiver.names() == {"A"})
        assert bridge.stop() == 0


HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(1)
connection.execute("ROLLBACK")
"""


def test_a_database_that_is_deleted_while_it_runs_ends_the_process_instead_of_accepting_into_nowhere(
    tmp_path: Path, receiver: Receiver
) -> None:
    with bridge_of(tmp_path, MAIN, receiver.url) as bridge:
        assert post(bridge, "A").status == 200
        for file in tmp_path.glob("bridge.db*"):
            if file.suffix not in {".lock", ".keys", ".audit-head"}:
                file.unlink()
        assert ask(bridge, "POST", "/webhook", alert("B")).status in {503, 0}
        assert ended(bridge) == 1
        assert "deleted while it was in use" in bridge.log.read_text()
        bridge.start()
        assert post(bridge, "B").status == 200
        until(lambda: "B" in receiver.names())
        assert bridge.stop() == 0
