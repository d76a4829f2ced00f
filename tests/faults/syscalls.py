"""What a traced process did to files and said to sockets: the lines of `strace -f -y -xx` as events, in the kernel's order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

CALLS = (
    "openat", "creat", "pwrite64", "write", "writev", "sendto", "sendmsg", "fdatasync", "fsync", "ftruncate", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "fallocate",
)  # fmt: skip
"""The system calls that change a file, make it durable, or answer a sender."""

_LINE = re.compile(r"^(\d+)\s+(.*)$", re.DOTALL)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_OF_A_FILE = re.compile(r"^(?:AT_FDCWD|-?\d+)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")


class Call(msgspec.Struct):
    """One system call. `path` is that of its first descriptor, `texts` its strings; `number` tells two halves of one apart."""

    number: int
    name: str
    path: str
    texts: list[bytes]
    rest: str
    result: int = 0


class Begun(msgspec.Struct, frozen=True):
    """The call was entered: from here on it may have had its effect."""

    call: Call


class Done(msgspec.Struct, frozen=True):
    """The call has returned, with its `result`."""

    call: Call


Event = Begun | Done


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Every call's beginning and end, in order; a call that never returned has only a beginning."""
    waiting: dict[str, Call] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        thread, text = found.groups()
        if text.startswith("<... "):
            call = waiting.pop(thread, None)
            if call is not None:
                call.result = _result(text)
                yield Done(call)
            continue
        name, parenthesis, rest = text.partition("(")
        if not parenthesis or name not in CALLS:
            continue
        call = _call(number, name, rest)
        yield Begun(call)
        if rest.endswith("<unfinished ...>"):
            waiting[thread] = call
        else:
            call.result = _result(text)
            yield Done(call)


def _call(number: int, name: str, rest: str) -> Call:
    texts = []
    for text, cut in _TEXT.findall(rest):
        if cut:
            raise ValueError(f"strace cut the data of a {name}: raise -s")
        texts.append(_bytes(text))
    place = _OF_A_FILE.match(rest)
    path = "" if place is None or place[2] else _bytes(place[1]).decode(errors="replace")
    return Call(number, name, path, texts, _TEXT.sub('""', rest))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _result(text: str) -> int:
    found = re.search(r"\)\s+= (-?\d+)", text[-200:])
    return int(found[1]) if found else -1
