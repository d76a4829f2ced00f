"""What is to be told of a history, by rules: Alertmanager's, and those in which the bridge differs on purpose.

It does two things. It finds histories whose outcome a few milliseconds decide (`Told.close`): these are not asked. And where
the two programs are meant to differ it says how, so that a difference is expected only if it is exactly this one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from tests.compat.alerts import Ledger
from tests.compat.history import History
from tests.compat.setting import INTERVALS, Leaf, Setting, group_labels, leaves

ANNOUNCED_AGAIN = "announced-again"
END_TOLD = "end-told"
GRACE = "grace"
UNSEEN_END = "unseen-end"
GROUP_ANEW = "group-anew"
END_ONCE = "end-once"
UNSHOWN_END = "unshown-end"
DIFFERENCES = (ANNOUNCED_AGAIN, END_TOLD, GRACE, UNSEEN_END, GROUP_ANEW, END_ONCE, UNSHOWN_END)
"""docs/alertmanager-differences.md argues for each."""

Stream = tuple[str, tuple[tuple[str, str], ...]]
"""(receiver, group labels)."""
Content = tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]
"""(labels, status, annotations) of each alert, in order."""


class Notification(Struct, frozen=True):
    at: float
    content: Content


class Told(Struct):
    """`close`: the least time between a flush and something that would change it, but for what it waits for."""

    ledger: Ledger
    streams: dict[Stream, list[Notification]]
    groups: dict[Stream, Group]
    close: float = math.inf


def predict(setting: Setting, history: History, differing: Iterable[str], boundary: float = math.inf) -> Told:
    """What each receiver hears of each group, with these differences from Alertmanager."""
    rules = frozenset(differing)
    ledger = Ledger(
        setting, history,
        grace=GRACE in rules, unseen_ends=UNSEEN_END not in rules, ends_again=END_ONCE not in rules,
    )  # fmt: skip
    told = Told(ledger, {}, {})
    for stream, (leaf, members) in _groups(setting, ledger).items():
        group = Group(leaf, members, ledger, rules, boundary, sends_ends=setting.receivers[leaf.receiver])
        group.run(history.end)
        told.groups[stream] = group
        if group.sent:
            told.streams[stream] = group.sent
        told.close = min(told.close, group.close)
    return told


def _groups(setting: Setting, ledger: Ledger) -> dict[Stream, tuple[Leaf, list[str]]]:
    found: dict[Stream, tuple[Leaf, list[str]]] = {}
    for key, labels in ledger.labels.items():
        for leaf in leaves(setting.route, labels):
            found.setdefault((leaf.receiver, group_labels(leaf, labels)), (leaf, []))[1].append(key)
    return found


class Group:
    """The alerts of one route that have the group labels in common; `sent` is what was told of them."""

    def __init__(
        self,
        leaf: Leaf,
        members: list[str],
        ledger: Ledger,
        rules: frozenset[str],
        boundary: float,
        *,
        sends_ends: bool,
    ) -> None:
        self.sent: list[Notification] = []
        self.close = math.inf
        self.members = members
        self._leaf = leaf
        self._ledger = ledger
        self._rules = rules
        self._boundary = boundary
        self._sends_ends = sends_ends
        self._present: set[str] = set()
        self._flushed = False
        self._tick = math.inf
        self._cause = math.nan
        self._last = math.nan
        self._log: tuple[float, set[str], set[str]] | None = None
        self._owed: set[str] = set()
        self._unshown: set[str] = set()
        self._changes = sorted({at for key in members for at in ledger.changes(key)})
        if any(INTERVALS[kind].kind in {"until", "from"} for kind in (*leaf.mute, *leaf.active)):
            self._changes.append(boundary)

    def run(self, end: float) -> None:
        inserted = sorted((at, key) for key in self.members for at in self._ledger.inserted[key])
        while True:
            if inserted and inserted[0][0] <= min(self._tick, end):
                self._insert(*inserted.pop(0))
            elif self._tick <= end:
                self._flush(self._tick)
            else:
                return

    def muted(self, at: float) -> bool:
        def within(kinds: tuple[str, ...]) -> bool:
            return any(INTERVALS[kind].contains(at, self._boundary) for kind in kinds)

        return within(self._leaf.mute) or (bool(self._leaf.active) and not within(self._leaf.active))

    def _insert(self, at: float, key: str) -> None:
        version = self._ledger.version(key, at)
        assert version is not None
        self._present.add(key)
        before = self._tick
        if self._tick == math.inf:
            self._flushed = False
            self._tick = at + self._leaf.wait
        if not self._flushed and version.starts + self._leaf.wait < at:
            self._tick = at
        if self._tick == at != before:  # else it only happens to come at the tick
            self._cause = at

    def _flush(self, at: float) -> None:
        self._measure(at)
        self._flushed = True
        self._tick = at + self._leaf.interval
        firing = {key for key in self._present if self._ledger.firing(key, at)}
        resolved = self._present - firing
        hidden = {key for key in self._present if self._hidden(key, at)}
        if UNSHOWN_END in self._rules:
            hidden |= resolved & self._unshown
        self._unshown = firing & hidden
        shown = firing - hidden
        if ANNOUNCED_AGAIN in self._rules and self._log is not None:
            self._log[1].difference_update(key for key in firing if self._was_quiet(key, self._last, at))
        over = resolved - hidden
        if END_TOLD in self._rules:
            over |= resolved & self._owed
            if self._log is not None:
                self._log[1].difference_update(resolved & hidden - self._owed)
        if (shown or over) and self._needed(at, shown, over):
            self._log = (at, set(shown), set(over))
            self._owed = (self._owed | shown) - over
            self._send(at, shown, over)
        self._present -= resolved
        self._last = at
        if GROUP_ANEW in self._rules and not self._present:
            self._tick, self._log, self._owed = math.inf, None, set()

    def _needed(self, at: float, firing: set[str], resolved: set[str]) -> bool:
        if END_TOLD in self._rules and self._sends_ends and resolved & self._owed:
            return True
        if self._log is None:
            return bool(firing)
        since, told_firing, told_resolved = self._log
        if not firing <= told_firing:
            return True
        if not firing:
            return bool(told_firing)
        if self._sends_ends and not resolved <= told_resolved:
            return True
        self.close = min(self.close, abs(at - since - self._leaf.repeat))
        return at - since > self._leaf.repeat

    def _send(self, at: float, firing: set[str], resolved: set[str]) -> None:
        listed = {
            **dict.fromkeys(firing, "firing"),
            **(dict.fromkeys(resolved, "resolved") if self._sends_ends else {}),
        }
        if listed:
            self.sent.append(
                Notification(at, tuple(sorted((key, how, self._said(key, at)) for key, how in listed.items())))
            )

    def _said(self, key: str, at: float) -> tuple[tuple[str, str], ...]:
        version = self._ledger.version(key, at)
        assert version is not None
        return version.annotations

    def _hidden(self, key: str, at: float) -> bool:
        return bool(self._ledger.inhibitors(key, at)) or self._quiet(key, at)

    def _quiet(self, key: str, at: float) -> bool:
        """Whether people asked for quiet."""
        return self.muted(at) or bool(self._ledger.silenced(key, at))

    def _was_quiet(self, key: str, since: float, until: float) -> bool:
        """Whether they did at any moment since the last flush, while nothing inhibited the alert anyway."""
        moments = [since, until, *(at for at in self._changes if since < at < until)]
        return any(self._quiet(key, at) and not self._ledger.inhibitors(key, at) for at in moments)

    def _measure(self, at: float) -> None:
        for change in self._changes:
            if change != at or self._cause != at:
                self.close = min(self.close, abs(change - at))
