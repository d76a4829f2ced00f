"""Power loss at every system call: a bridge works under strace, and its disk is rebuilt as each moment could have left it.

SIGKILL says nothing about fsync, because the kernel's cache survives it. Here everything that was not synced is lost, kept,
half kept or torn; every rebuilt disk is opened, checked, and compared with the requests that had been answered 200 by then.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from bridge.audit.checkpoint import first_missing
from tests.faults.crash_disk import CrashDisk, Image
from tests.faults.oracle_process import oracle
from tests.faults.syscalls import CALLS, Begun, Event, events
from tests.faults.traced import TracedBridge
from tests.running_bridge import free_port

_MEMORY = Path("/dev/shm")
_KEPT = {"bridge.db", "bridge.db-wal", "bridge.db-journal", "bridge.db.audit-head"}
_ANSWER = re.compile(rb'^HTTP/1\.1 200 .*\r\n\r\n\{"id":"(\d+)","accepted":', re.DOTALL)
_LIVES = 3


class Lost(msgspec.Struct):
    """What a run found. `rebuilt` counts disks, `different` those with different content; `lost` and `corrupt` are disks."""

    acknowledged: int = 0
    checkpoints: int = 0
    rebuilt: int = 0
    different: int = 0
    lost: int = 0
    corrupt: int = 0
    examples: list[str] = []

    @property
    def problems(self) -> list[str]:
        found = []
        if self.lost:
            found.append(f"{self.lost} of {self.rebuilt} rebuilt disks lost answered requests")
        if self.corrupt:
            found.append(f"{self.corrupt} of {self.rebuilt} rebuilt disks are damaged")
        if not self.acknowledged or not self.checkpoints:
            found.append("the trace has no answered request, or no checkpoint")
        return found + self.examples if found else []


def run(folder: Path, posts: int, seed: int, states: int, planted: str = "") -> Lost:
    """Record a bridge that takes so many alerts, then judge about so many disks that a power loss could have left."""
    logs = record(folder, posts, ",".join(filter(None, ("checkpoint-often", planted))))
    moments = sum(isinstance(event, Begun) for log in logs for event in _of_interest(log, folder / "data"))
    return replay(folder / "data", logs, seed, max(1, moments * 4 // states))


def record(folder: Path, posts: int, planted: str) -> list[Path]:
    """Three lives on one disk: the first ends in order, the others by SIGKILL. Gives their traces."""
    logs = []
    with oracle(folder) as watcher:
        bridge = TracedBridge(folder, free_port(), watcher.url, planted)
        for life in range(_LIVES):
            logs.append(folder / f"trace{life}")
            bridge.start_traced(logs[-1], "-y", "-xx", "-s", "4000000", "-e", f"trace={','.join(CALLS)}")
            watcher.load([bridge.url], connections=3)
            assert watcher.accepted(posts * (life + 1) // _LIVES), "the bridge takes nothing"
            watcher.stop()
            bridge.signal_bridge(signal.SIGKILL if life else signal.SIGTERM)
    return logs


def replay(folder: Path, logs: list[Path], seed: int, every: int) -> Lost:
    """Follow the traces, and judge what a power loss after each `every`th change would have left."""
    found = Lost()
    rng = random.Random(seed)
    disk = CrashDisk(str(folder))
    acknowledged: set[int] = set()
    moments = 0
    with _judge(folder) as judge:
        for log in logs:
            for event in _of_interest(log, folder):
                if (number := _acknowledgement(event)) is not None:
                    acknowledged.add(number)
                changed = disk.follow(event)
                call = event.call
                found.checkpoints += isinstance(event, Begun) and call.name == "fdatasync" and call.path.endswith(".db")
                moments += changed
                if changed and moments % every == 0:
                    for how, image in disk.images(rng):
                        judge.judge(image, acknowledged, found, f"{how} at {moments}")
    found.acknowledged = len(acknowledged)
    return found


def _of_interest(log: Path, folder: Path) -> Iterator[Event]:
    """The events about the folder, and the answers; what else a process does is most of a trace."""
    marks = ["".join(f"\\x{byte:02x}" for byte in text) for text in (str(folder).encode(), b"HTTP/1.1 200")]
    with log.open() as file:
        yield from events(line for line in file if "resumed>" in line or any(mark in line for mark in marks))


def _acknowledgement(event: Event) -> int | None:
    """The number of the request that is answered 200 here."""
    if not isinstance(event, Begun) or event.call.name not in {"write", "sendto"} or not event.call.texts:
        return None
    answer = _ANSWER.match(event.call.texts[0])
    return int(answer[1]) if answer else None


class Judge:
    """Opens rebuilt disks as a bridge would. The same content is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[bytes, tuple[str, frozenset[int]]] = {}

    def judge(self, image: Image, acknowledged: set[int], found: Lost, what: str) -> None:
        kept = {name: image[name] for name in sorted(image.keys() & _KEPT)}
        digest = hashlib.blake2b(digest_size=16)
        for name, content in kept.items():
            digest.update(f"{name} {len(content)} ".encode() + content)
        key = digest.digest()
        if key not in self._known:
            self._known[key] = self._read(kept)
            found.different += 1
        problem, requests = self._known[key]
        found.rebuilt += 1
        if problem:
            found.corrupt += 1
            _example(found, f"{what}: {problem}")
        missing = acknowledged - requests
        if missing:
            found.lost += 1
            _example(found, f"{what}: {len(missing)} of {len(acknowledged)} are gone, such as request {min(missing)}")

    def _read(self, image: Image) -> tuple[str, frozenset[int]]:
        """(what is wrong, the requests that are there)."""
        for file in self._folder.iterdir():
            file.unlink()
        for name, content in image.items():
            (self._folder / name).write_bytes(content)
        try:
            with closing(sqlite3.connect(self._folder / "bridge.db")) as connection:
                return _sound(connection, image.get("bridge.db.audit-head", b""))
        except sqlite3.Error as error:
            return str(error), frozenset()


def _sound(connection: sqlite3.Connection, head: bytes) -> tuple[str, frozenset[int]]:
    integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if integrity != "ok":
        return f"integrity_check: {integrity}", frozenset()
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return "", frozenset()
    requests = frozenset(row[0] for row in connection.execute("SELECT id FROM requests"))
    deliveries, received = (
        connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]  # one alert, one delivery, one record each
        for what in ("deliveries", "audit WHERE kind = 'received'")
    )
    if not len(requests) == deliveries == received:
        return f"{len(requests)} requests, {deliveries} deliveries, {received} records", requests
    records = {row[0]: (row[1], row[2]) for row in connection.execute("SELECT seq, chain, hash FROM audit")}
    missing = first_missing(head.decode(), records.get) if head else None
    return ("" if missing is None else f"record {missing} is signed in the head file and gone"), requests


@contextmanager
def _judge(folder: Path) -> Iterator[Judge]:
    place = Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if _MEMORY.is_dir() else folder.parent))
    try:
        yield Judge(place)
    finally:
        shutil.rmtree(place)


def _example(found: Lost, text: str) -> None:
    if len(found.examples) < 5:
        found.examples.append(text)
