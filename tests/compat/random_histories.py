"""Random histories whose outcome does not hang on milliseconds: events keep away from flushes, by both programs' rules."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.compat.alerts import canonical
from tests.compat.history import Alerts, Event, Expire, History, Look, Posted, Silence
from tests.compat.model import DIFFERENCES, Told, predict
from tests.compat.random_settings import Settings
from tests.compat.setting import Matcher, Setting

MARGIN = 0.3
"""Seconds between an event and a flush that it could change."""
ACTIVE = 11.0
END = 25.5
"""The last event and the end of a history. Alertmanager forgets empty groups 30 s after its start: a history is over by then."""
_TRIES = 12


class Histories:
    """Makes histories. `plain` ones have no outcome in which the programs are meant to differ."""

    def __init__(self, rng: random.Random, *, boundary: float) -> None:
        self._rng = rng
        self._boundary = boundary
        self._settings = Settings(rng, boundary=boundary != float("inf"))

    def make(self, name: str, *, plain: bool) -> tuple[Setting, History]:
        while True:
            setting = self._settings.make(name)
            history = self._events(setting, plain=plain)
            if sum(isinstance(event, Alerts) for event in history.events) > 2:
                return setting, history

    def _events(self, setting: Setting, *, plain: bool) -> History:
        made = _Maker(self._rng, self._settings, setting)
        history = History((), END)
        at = 0.0
        while at < ACTIVE:
            for _ in range(_TRIES):
                event = made.event(round(at + self._rng.uniform(0.1, 1.2), 3), history.events)
                trial = History((*history.events, event), END)
                if self._stable(setting, trial, plain=plain):
                    history, at = trial, event.at
                    break
            else:
                at += 0.5
        return history

    def _stable(self, setting: Setting, history: History, *, plain: bool) -> bool:
        theirs = predict(setting, history, (), self._boundary)
        if theirs.close < MARGIN:
            return False
        ours = predict(setting, history, DIFFERENCES, self._boundary)
        if ours.close < MARGIN or (plain and contents(theirs) != contents(ours)):
            return False
        looks = [event.at for event in history.events if isinstance(event, Look)]
        return all(_calm(at, theirs, ours) for at in looks)


def contents(told: Told) -> dict[object, list[object]]:
    return {stream: [one.content for one in sent] for stream, sent in told.streams.items()}


def _calm(at: float, theirs: Told, ours: Told) -> bool:
    """Whether nothing happens around this moment, and both programs have the same alerts."""
    for told in (theirs, ours):
        for key in told.ledger.labels:
            if any(abs(change - at) < MARGIN for change in told.ledger.changes(key)):
                return False
    keys = theirs.ledger.labels.keys() | ours.ledger.labels.keys()
    return all(theirs.ledger.firing(key, at) == ours.ledger.firing(key, at) for key in keys)


class _Maker:
    """What could happen next."""

    def __init__(self, rng: random.Random, settings: Settings, setting: Setting) -> None:
        self._rng = rng
        self._settings = settings
        self._setting = setting

    def event(self, at: float, before: tuple[Event, ...]) -> Event:
        kind = self._rng.choices(("fire", "again", "over", "silence", "edit", "expire", "look"), (6, 4, 5, 2, 1, 1, 2))[
            0
        ]
        posted = {
            canonical(dict(one.labels)): one for event in before if isinstance(event, Alerts) for one in event.alerts
        }
        made = {event.key: event for event in before if isinstance(event, Silence)}
        silences = {key: made[key] for key in made.keys() - {event.edits for event in made.values()}}
        if kind in {"again", "over"} and posted:
            chosen = self._rng.sample(list(posted.values()), min(len(posted), self._rng.choice((1, 1, 2))))
            return Alerts(at, tuple(self._again(at, one) if kind == "again" else self._over(at, one) for one in chosen))
        if kind == "look":
            return Look(at)
        if kind == "silence":
            return self._silence(at, f"silence-{len(made)}")
        if kind in {"edit", "expire"} and silences:
            old = silences[self._rng.choice(sorted(silences))]
            return Expire(at, old.key) if kind == "expire" else self._edit(at, old, f"silence-{len(made)}")
        return Alerts(at, tuple(self._new(at) for _ in range(self._rng.choice((1, 1, 2, 3)))))

    def _new(self, at: float) -> Posted:
        labels = self._settings.labels(self._setting.name)
        ends = self._ends(at)
        return Posted(tuple(sorted(labels.items())), self._annotations(), self._starts(at), ends)

    def _starts(self, at: float) -> float | None:
        return self._rng.choice((None, at, at, round(at - 3600.0, 3)))

    def _ends(self, at: float) -> float | None:
        return self._rng.choice((None, at + 3600.0, at + 3600.0, round(at + self._rng.uniform(1.5, 4.0), 3)))

    def _again(self, at: float, old: Posted) -> Posted:
        annotations = old.annotations if self._rng.random() < 0.5 else self._annotations()
        starts = old.starts if old.ends is None or old.ends > at else self._starts(at)
        return Posted(old.labels, annotations, starts, self._ends(at))

    def _over(self, at: float, old: Posted) -> Posted:
        return Posted(old.labels, old.annotations, self._rng.choice((None, old.starts)), at)

    def _annotations(self) -> tuple[tuple[str, str], ...]:
        return (("summary", f"s{self._rng.randint(0, 9)}"),) if self._rng.random() < 0.7 else ()

    def _silence(self, at: float, key: str) -> Silence:
        matchers = (Matcher("history", "=", self._setting.name), *self._matchers())
        starts = self._rng.choice((None, None, round(at + self._rng.uniform(0.5, 2.0), 3)))
        return Silence(at, key, matchers, starts, round(at + self._rng.uniform(2.5, 7.0), 3))

    def _edit(self, at: float, old: Silence, key: str) -> Silence:
        if self._rng.random() < 0.6:
            return Silence(at, key, old.matchers, old.starts, round(at + self._rng.uniform(1.0, 5.0), 3), edits=old.key)
        return Silence(
            at, key, (old.matchers[0], *self._matchers()), old.starts, max(at, old.ends) + 2.0, edits=old.key
        )

    def _matchers(self) -> Iterator[Matcher]:
        for _ in range(self._rng.choice((0, 1, 1))):
            yield self._settings.matcher()
