"""Silences: who asked for quiet about which alerts, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from bridge.routing.index import Index
from bridge.routing.matchers import Matcher
from bridge.routing.memory import Memory, names_in

State = Literal["active", "pending", "expired"]


class Silence(Struct, frozen=True):
    """One silence. It holds for alerts that meet all its matchers, from `starts_at` until just before `ends_at`."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    created_by: str = ""
    comment: str = ""
    annotations: Mapping[str, str] = {}

    def state(self, now: datetime) -> State:
        """What it is at this moment."""
        if now < self.starts_at:
            return "pending"
        return "active" if now < self.ends_at else "expired"


class Silences:
    """A set of silences that does not change, and which of them hold for an alert. Of two with one id the later counts."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        by_id = {silence.id: silence for silence in silences}
        self._by_id = dict(sorted(by_id.items()))
        self._index = Index(self._by_id.values(), _matchers)
        self._memory: Memory[tuple[Silence, ...]] = Memory(names_in(*map(_matchers, by_id.values())))

    def matching(self, labels: Mapping[str, str], now: datetime) -> tuple[Silence, ...]:
        """Those that are active and hold for these labels, by id."""
        memory = self._memory
        key = tuple(map(labels.get, memory.names))
        found = memory.answers.get(key)
        if found is None:
            found = memory.keep(key, self._for(labels))
        if not found:
            return ()
        return tuple(silence for silence in found if silence.starts_at <= now < silence.ends_at)

    def get(self, silence_id: str) -> Silence | None:
        """The silence with this id, whatever its state."""
        return self._by_id.get(silence_id)

    def forget(self) -> None:
        """Drops remembered answers; they come out as before, at the cost of a new alert."""
        self._memory.answers.clear()

    def __iter__(self) -> Iterator[Silence]:
        """All, by id."""
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def _for(self, labels: Mapping[str, str]) -> tuple[Silence, ...]:
        """Those whose matchers match, whatever their state."""
        found = []
        for silence in self._index.candidates(labels):
            for matcher in silence.matchers:  # a call of `match_all` for each costs as much as the matching
                if not matcher.matches(labels):
                    break
            else:
                found.append(silence)
        return tuple(found)


def hides_everything(matchers: Iterable[Matcher]) -> bool:
    """Whether these are no matchers for a silence: none is about a label that an alert must have.

    Negative matchers count as ones that are, as in Alertmanager.
    """
    return all(matcher.op in {"=", "=~"} and matcher.accepts("") for matcher in matchers)


def _matchers(silence: Silence) -> Sequence[Matcher]:
    return silence.matchers
