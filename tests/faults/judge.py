"""The judge: reads an oracle's file and nothing else, and says what was accepted, delivered, lost, told twice or out of order.

`python -m tests.faults.judge FILE` prints one JSON object, and exits 1 if anything accepted was lost, told out of order, or
told twice without a kill between the two copies.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec

_EXAMPLES = 5
_READ_LATE = 100_000_000
Told = tuple[str, int, int]
"""(path, key, version)."""


class Verdict(msgspec.Struct):
    """`accepted` counts (alert, version) that got a 2xx; `delivered` those of them that every receiver got, or a later
    state of the same episode instead; `collapsed` how many of these. `unexplained` are copies without a kill before them,
    `most_per_kill` the most copies that follow one kill. `maybe` counts what a receiver got and left unanswered, `odd` the answers to senders that are neither 200 nor 503.
    """

    sent: int = 0
    accepted: int = 0
    delivered: int = 0
    collapsed: int = 0
    lost: int = 0
    duplicated: int = 0
    unexplained: int = 0
    out_of_order: int = 0
    kills: int = 0
    most_per_kill: int = 0
    maybe: int = 0
    odd: int = 0
    examples: list[str] = []

    @property
    def holds(self) -> bool:
        return not (self.lost or self.unexplained or self.out_of_order or self.odd)


class _Read(msgspec.Struct):
    sent: int = 0
    accepted: set[tuple[int, int]] = msgspec.field(default_factory=set)
    copies: dict[Told, list[int]] = msgspec.field(default_factory=lambda: defaultdict(list))
    unanswered: int = 0
    odd: int = 0
    in_order: dict[tuple[str, int], list[int]] = msgspec.field(default_factory=lambda: defaultdict(list))
    kills: list[tuple[int, int]] = []
    paths: tuple[str, ...] = ("/",)


def judge(path: Path) -> Verdict:
    """Judge a file."""
    read = _read(path)
    verdict = Verdict(
        sent=read.sent, accepted=len(read.accepted), kills=len(read.kills), maybe=read.unanswered, odd=read.odd
    )
    for key, version in sorted(read.accepted):
        missing = [where for where in read.paths if not _reached(read, where, key, version)]
        if missing:
            verdict.lost += 1
            _example(verdict, f"lost: alert {key} version {version} at {', '.join(missing)}")
            continue
        verdict.delivered += 1
        verdict.collapsed += any((where, key, version) not in read.copies for where in read.paths)
    per_kill: Counter[int] = Counter()
    for told, times in read.copies.items():
        for before, again in itertools.pairwise(times):
            verdict.duplicated += 1
            kill = _kill_between(read.kills, before, again)
            per_kill[kill] += 1
            if kill < 0:
                verdict.unexplained += 1
                _example(verdict, f"told twice without a kill: alert {told[1]} version {told[2]} at {told[0]}")
    verdict.most_per_kill = max((number for kill, number in per_kill.items() if kill >= 0), default=0)
    for (where, key), versions in read.in_order.items():
        if any(later < earlier and later // 2 == earlier // 2 for earlier, later in itertools.pairwise(versions)):
            verdict.out_of_order += 1
            _example(verdict, f"out of order: alert {key} at {where}: {versions}")
    return verdict


def _reached(read: _Read, where: str, key: int, version: int) -> bool:
    """Whether the state was told there, or where it is a firing, its end (the firing was over before it could be told)."""
    return (where, key, version) in read.copies or (where, key, version | 1) in read.copies


def _kill_between(kills: list[tuple[int, int]], before: int, again: int) -> int:
    """The first kill that lies between two copies: it found the first one in flight. -1 if there is none."""
    for number, (begun, done) in enumerate(kills):
        if begun <= again and done >= before:
            return number
    return -1


def _read(path: Path) -> _Read:
    read = _Read()
    with path.open() as file:
        for line in file:
            what, at, rest = line.rstrip("\n").split(" ", 2)
            words = rest.split(" ")
            if what == "sent":
                read.sent += 1
            elif what == "answered":
                read.odd += words[2] not in {"200", "503"}
                if words[2] == "200":
                    read.accepted.add((int(words[0]), int(words[1])))
            elif what == "received":
                where, key, version = words[0], int(words[1]), int(words[2])
                read.unanswered += words[3] == "0"
                if words[3] == "200":
                    read.copies[where, key, version].append(int(at))
                    read.in_order[where, key].append(version)
            elif what == "note":
                _note(read, json.loads(rest), int(at))
    return read


def _note(read: _Read, fact: dict[str, Any], at: int) -> None:
    if "kill" in fact:  # what had come before it may be read a moment after it
        read.kills.append((fact["kill"][0], max(fact["kill"][1], at + _READ_LATE)))
    if "paths" in fact:
        read.paths = tuple(fact["paths"])


def _example(verdict: Verdict, text: str) -> None:
    if len(verdict.examples) < _EXAMPLES:
        verdict.examples.append(text)


if __name__ == "__main__":
    found = judge(Path(sys.argv[1]))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    sys.exit(0 if found.holds else 1)
