"""Power loss: the bridge's system calls are traced, and the disk is rebuilt as it may have been at each of them.

SIGKILL says nothing of fsync: the page cache survives it. So a bridge runs under strace while alerts are posted one by one; then,
at every call, files are made anew with what was synced and some of what was not (nothing, all, the first half, a random
part with torn pages), opened by SQLite, checked, and compared with what had been answered 200 by then.

`weak()` is the self-test: the same bridge with `synchronous = NORMAL`, of which states must lose what was answered.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from tests.faults.serving import MAIN, bridge_of, post
from tests.programs import find
from tests.running_bridge import BridgeProcess

ROOT = Path(__file__).resolve().parents[2]
_CALLS = "openat,pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync,ftruncate,unlink"
_LINE = re.compile(
    r"^\d+ +(?P<call>\w+)\((?:(?P<fd>\d+)<(?P<file>[^>]*)>|AT_FDCWD<[^>]*>)?(?:, )?(?P<rest>.*)\) += (?P<result>-?\d+)"
)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_SECTOR = 512
_MEMORY = Path("/dev/shm")


class Step(msgspec.Struct, frozen=True):
    """One call that matters: `write` (offset, data), `truncate` (offset), `sync`, `sync_folder`, `make`, `unlink`, `answer`."""

    kind: str
    file: str = ""
    offset: int = 0
    data: bytes = b""


class File:
    """What is on the disk for certain, and what may be."""

    def __init__(self) -> None:
        self.synced = bytearray()
        self.named = False
        self.pending: list[Step] = []

    def sync(self) -> None:
        for step in self.pending:
            _apply(self.synced, step)
        self.pending.clear()


class Found(msgspec.Struct):
    """What a run gave."""

    answered: int = 0
    calls: int = 0
    states: int = 0
    lost: int = 0
    corrupt: int = 0


def trace(folder: Path, alerts: int, *, weak: bool = False) -> list[Step]:
    """Run a bridge under strace from the first creation of its database; post alerts one by one; end it by SIGKILL."""
    strace = find("strace")
    assert strace is not None
    text = MAIN.replace("sqlite:bridge.db", "sqlite:data/bridge.db") + "log: {level: error}\n"
    module = "tests.faults.weak" if weak else "bridge"
    with bridge_of(folder, text, "http://127.0.0.1:9", start=False) as bridge:
        command = [
            strace, "-f", "-qq", "--seccomp-bpf", "-y", "-xx", "-s", "200000", "-o", str(folder / "trace"), "-e",
            f"trace={_CALLS}", sys.executable, "-m", module, "serve", "--config", "routes",
        ]  # fmt: skip
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        with bridge.log.open("ab") as log:
            bridge._process = subprocess.Popen(
                command, cwd=folder, env={**bridge._environment, "PYTHONPATH": path}, stdout=log, stderr=log
            )
        bridge.wait_ready()
        for number in range(alerts):
            assert post(bridge, f"A{number}", "x" * (number * 97 % 3000)).status == 200
        _kill_traced(bridge)
    return list(_steps(folder / "trace", folder / "data"))


def rebuild(steps: list[Step], seed: int, most: int = 0) -> Found:
    """Judge the disk at every call; `most` bounds the number of states (0: all), spread over the run."""
    rng = random.Random(seed)
    found = Found(calls=len(steps))
    files: dict[str, File] = {}
    every = max(1, 4 * len(steps) // most) if most else 1
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as place:
        for number, step in enumerate(steps):
            if step.kind == "answer":
                found.answered += 1
            else:
                _note(files, step)
            if number % every == 0:
                for way in ("nothing", "all", "half", "torn"):
                    _judge(Path(place), files, way, rng, found)
    return found


def _kill_traced(bridge: BridgeProcess) -> None:
    """The bridge is the child of strace."""
    assert bridge._process is not None
    children = Path(f"/proc/{bridge._process.pid}/task/{bridge._process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    bridge._process.wait()


def _steps(path: Path, folder: Path) -> Iterator[Step]:
    """The calls on files of this folder, and the answers. A call that was interrupted by another thread's is put together."""
    begun: dict[str, str] = {}
    with path.open() as lines:
        for line in lines:
            pid = line.split(" ", 1)[0]
            if "<unfinished ...>" in line:
                begun[pid] = line.replace(" <unfinished ...>\n", "")
                continue
            if "resumed>" in line:
                line = begun.pop(pid, "") + line.partition("resumed>")[2]  # noqa: PLW2901 - the whole line
            match = _LINE.match(line)
            if match is not None and int(match["result"]) >= 0:
                step = _step(match, folder)
                if step is not None:
                    yield step


def _step(match: re.Match[str], folder: Path) -> Step | None:
    call, rest = match["call"], match["rest"]
    texts = [_bytes(text) for text in _TEXT.findall(rest)]
    if call in {"write", "writev", "sendto", "sendmsg"}:
        data = b"".join(texts)
        return Step("answer") if b"HTTP/1.1 200" in data and b'"accepted"' in data else None
    if call in {"openat", "unlink"}:
        return _named(call, rest, Path(os.fsdecode(texts[0])), folder)
    file = Path(os.fsdecode(_bytes(match["file"] or "")))
    if file == folder:
        return Step("sync_folder") if "sync" in call else None
    if file.parent != folder or file.name not in {"bridge.db", "bridge.db-wal"}:
        return None
    return _changed(call, rest, file.name, texts)


def _named(call: str, rest: str, path: Path, folder: Path) -> Step | None:
    """A name that is made or taken away."""
    if path.parent.name != folder.name or not path.name.startswith("bridge.db"):
        return None
    if call == "unlink":
        return Step("unlink", path.name)
    return Step("make", path.name) if "O_CREAT" in rest else None


def _changed(call: str, rest: str, name: str, texts: list[bytes]) -> Step | None:
    """A call on an open file of the database."""
    numbers = [int(number) for number in re.findall(r", (\d+)(?=,|$)", _TEXT.sub("", rest) or "")]
    if call == "pwrite64":
        return Step("write", name, numbers[-1], texts[0])
    if call == "ftruncate":
        return Step("truncate", name, int(rest.rpartition(" ")[2]))
    return Step("sync", name) if "sync" in call else None


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _note(files: dict[str, File], step: Step) -> None:
    if step.kind == "sync_folder":
        for file in files.values():
            file.named = True
        return
    file = files.setdefault(step.file, File())
    if step.kind == "unlink":
        del files[step.file]
    elif step.kind == "sync":
        file.sync()
    elif step.kind in {"write", "truncate"}:
        file.pending.append(step)


def _apply(data: bytearray, step: Step) -> None:
    if step.kind == "truncate":
        del data[step.offset :]
        data.extend(bytes(step.offset - len(data)))
        return
    if len(data) < step.offset:
        data.extend(bytes(step.offset - len(data)))
    data[step.offset : step.offset + len(step.data)] = step.data


def _content(file: File, way: str, rng: random.Random) -> bytes:
    """What the disk may hold of a file. `torn` loses whole writes and single sectors of others, in any order."""
    data = bytearray(file.synced)
    pending = file.pending
    if way == "nothing":
        return bytes(data)
    if way == "half":
        pending = pending[: len(pending) // 2]
    for step in pending:
        if way == "torn" and rng.random() < 0.4:
            continue
        if way == "torn" and step.kind == "write" and rng.random() < 0.3:
            at = rng.randrange(0, max(1, len(step.data)), _SECTOR)
            _apply(data, Step("write", step.file, step.offset, step.data[:at]))
            continue
        _apply(data, step)
    return bytes(data)


def _judge(place: Path, files: dict[str, File], way: str, rng: random.Random, found: Found) -> None:
    """Build, open, check, and count the requests against the answers."""
    if found.answered == 0 and not files:
        return
    found.states += 1
    folder = place / "state"
    folder.mkdir()
    try:
        for name, file in files.items():
            if name in {"bridge.db", "bridge.db-wal"} and (file.named or way != "nothing" or file.synced):
                (folder / name).write_bytes(_content(file, way, rng))
        kept = _kept(folder / "bridge.db")
        if kept is None:
            found.corrupt += 1
        elif kept < found.answered:
            found.lost += 1
    finally:
        shutil.rmtree(folder)


def _kept(database: Path) -> int | None:
    """How many requests the database holds; None if it is damaged."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
                return None
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'requests'").fetchone():
                return 0
            return int(connection.execute("SELECT count(*) FROM requests").fetchone()[0])
    except sqlite3.DatabaseError:
        return None
