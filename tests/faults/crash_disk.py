"""A disk that can lose its power at any moment: what was not synced may be there, or half there, or not at all.

Files are changed by calls and made durable by fsync; a name (made, removed, renamed) becomes durable when its directory is
synced. Names come back in the order they were made in, as with every journaling file system; a file's blocks in any.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import PurePath

import msgspec

from tests.faults.syscalls import Begun, Call, Done, Event

BLOCK = 4096
Image = dict[str, bytes]
"""What a crash leaves: file name → content."""


class _Change(msgspec.Struct, eq=False):
    """Data at an offset, or a new size (`data` None). `done` when its call has returned."""

    offset: int
    data: bytes | None
    done: bool = False


class _File(msgspec.Struct, eq=False):
    durable: bytearray = msgspec.field(default_factory=bytearray)
    pending: list[_Change] = msgspec.field(default_factory=list)
    end: int = 0


class _Names(msgspec.Struct, eq=False):
    """Names that change together: None removes one."""

    changes: list[tuple[str, _File | None]]
    done: bool = False


class CrashDisk:
    """One folder, followed through the calls of a process and of those that come after it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._names: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._pending: list[_Names] = []
        self._open: dict[int, list[_Change | _Names]] = {}
        self._syncing: dict[int, tuple[_File | None, list[_Change | _Names]]] = {}

    def follow(self, event: Event) -> bool:
        """Take an event in; whether it changed what a crash can leave."""
        if isinstance(event, Begun):
            return self._begin(event.call)
        return self._end(event)

    def images(self, rng: random.Random, random_images: int = 1) -> Iterator[tuple[str, Image]]:
        """What a crash now can leave: everything unsynced lost, kept, the first half kept, any blocks kept."""
        yield "lost", self._image(lambda _number, _of: False)
        if not self._pending and not any(file.pending for file in self._names.values()):
            return
        yield "kept", self._image(lambda _number, _of: True)
        yield "half", self._image(lambda number, of: number < of // 2)
        for _image in range(random_images):
            yield "random", self._image(None, rng)

    def _begin(self, call: Call) -> bool:
        name = self._name(call.path)
        match call.name:
            case "openat":
                return self._open_file(call)
            case "pwrite64" | "write" if name in self._names and call.texts:
                file = self._names[name]
                offset = int(re.findall(r'"", \d+, (\d+)', call.rest)[0]) if call.name == "pwrite64" else file.end
                self._change(call, file, _Change(offset, call.texts[0]))
                file.end = max(file.end, offset + len(call.texts[0]))
            case "ftruncate" if name in self._names:
                size = int(re.findall(r", (\d+)", call.rest)[0])
                self._change(call, self._names[name], _Change(size, None))
                self._names[name].end = size
            case "fallocate":
                return False  # the room it takes is not content
            case "fsync" | "fdatasync":
                file = self._names.get(name)
                within: list[_Change | _Names] = []
                if file is not None:
                    within += [change for change in file.pending if change.done]
                elif call.path == self._folder:
                    within += [change for change in self._pending if change.done]
                self._syncing[call.number] = (file, within)
                return False
            case "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" | "link" | "linkat":
                return self._rename(call)
            case _:
                return False
        return True

    def _end(self, event: Done) -> bool:
        call = event.call
        for change in self._open.pop(call.number, ()):
            change.done = True
        if call.number not in self._syncing:
            return False
        file, within = self._syncing.pop(call.number)
        if call.result != 0:
            return False
        for change in within:
            if isinstance(change, _Names):
                self._apply_names(self._durable, change)
                self._pending.remove(change)
            elif file is not None:
                _apply(file.durable, change)
                file.pending.remove(change)
        return bool(within)

    def _open_file(self, call: Call) -> bool:
        """A new file is known when its opening begins; that it fails does not happen in what is traced here."""
        path = PurePath(call.path, call.texts[0].decode(errors="replace")) if call.texts else PurePath()
        if str(path.parent) != self._folder or ("O_CREAT" not in call.rest and "O_TRUNC" not in call.rest):
            return False
        if path.name not in self._names:
            if "O_CREAT" not in call.rest:
                return False
            self._note(call, _Names([(path.name, _File())]))
        elif "O_TRUNC" in call.rest:
            self._change(call, self._names[path.name], _Change(0, None))
            self._names[path.name].end = 0
        else:
            return False
        return True

    def _rename(self, call: Call) -> bool:
        names = [self._name(text.decode(errors="replace")) for text in call.texts]
        if not names or names[0] not in self._names:
            return False
        file = self._names[names[0]]
        if call.name.startswith("unlink"):
            self._note(call, _Names([(names[0], None)]))
        elif call.name.startswith("link"):
            self._note(call, _Names([(names[1], file)]))
        else:
            self._note(call, _Names([(names[0], None), (names[1], file)]))
        return True

    def _note(self, call: Call, names: _Names) -> None:
        self._apply_names(self._names, names)
        self._pending.append(names)
        self._open.setdefault(call.number, []).append(names)

    def _change(self, call: Call, file: _File, change: _Change) -> None:
        file.pending.append(change)
        self._open.setdefault(call.number, []).append(change)

    def _name(self, path: str) -> str:
        """The name of a file in the folder, empty for one that lies elsewhere."""
        whole = str(PurePath(self._folder, path))
        return whole[len(self._folder) + 1 :] if path and whole.startswith(f"{self._folder}/") else ""

    @staticmethod
    def _apply_names(names: dict[str, _File], change: _Names) -> None:
        for name, file in change.changes:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file

    def _image(self, keeps: object, rng: random.Random | None = None) -> Image:
        names = dict(self._durable)
        kept = len(self._pending) if rng is None else rng.randint(0, len(self._pending))
        for number, change in enumerate(self._pending[:kept]):
            if rng is not None or keeps(number, len(self._pending)):  # type: ignore[operator]
                self._apply_names(names, change)
        image: Image = {}
        for name, file in names.items():
            content = bytearray(file.durable)
            for number, written in enumerate(file.pending):
                if rng is None:
                    if keeps(number, len(file.pending)):  # type: ignore[operator]
                        _apply(content, written)
                else:
                    _apply_some(content, written, rng)
            image[name] = bytes(content)
        return image


def _apply(content: bytearray, change: _Change) -> None:
    if change.data is None:
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


def _apply_some(content: bytearray, change: _Change, rng: random.Random) -> None:
    """Each block of a write on its own, or not: a page may be torn."""
    if change.data is None:
        if rng.random() < 0.5:
            _apply(content, change)
        return
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, (start // BLOCK + 1) * BLOCK)
        if rng.random() < 0.5:
            _apply(content, _Change(start, change.data[start - change.offset : stop - change.offset]))
        start = stop
