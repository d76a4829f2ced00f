"""What users are told of an incident's life, as a small model of its own: it knows the rules and nothing of the engine.

Times are seconds since the beginning. One alert is one incident at a time; the pager is what escalations call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

STEPS = ((300, 0, 0), (1200, 900, 2))
"""(after, every, times) of each step, in seconds."""
EDITED = ((60, 0, 0),)
REOPEN_WITHIN = 3600


@dataclass
class Step:
    """`left` is what is left of its wait while the clock stands still, None while it runs to `due`."""

    due: int
    every: int
    times: int
    done: int = 0
    left: int | None = None


@dataclass
class Life:
    """One incident. `unheard`: nothing of it was shown yet, so that its escalation has not begun."""

    name: str
    state: str = "open"
    by: str = ""
    until: int | None = None
    hidden: bool = False
    unheard: bool = False
    ended: int = 0
    steps: list[Step] = field(default_factory=list)


@dataclass
class Model:
    """Everything at `now`. `pages` are (when, name) of each call of the pager."""

    now: int = 0
    policy: tuple[tuple[int, int, int], ...] = STEPS
    lives: dict[str, Life] = field(default_factory=dict)
    firing: set[str] = field(default_factory=set)
    silences: dict[str, int] = field(default_factory=dict)
    pages: list[tuple[int, str]] = field(default_factory=list)

    def fire(self, name: str) -> None:
        life = self.lives.get(name)
        if name not in self.firing:
            self.firing.add(name)
            self._open(name)
        elif life is not None and life.state == "resolved" and self.now - life.ended >= REOPEN_WITHIN:
            self._open(name)

    def end(self, name: str) -> None:
        if name in self.firing:
            self.firing.discard(name)
            self._over(self.lives[name])

    def by_hand(self, name: str) -> None:
        if (life := self.lives.get(name)) is not None and life.state != "resolved":
            self._over(life)

    def acknowledge(self, name: str, by: str) -> bool:
        """Whether he has it now, or it is over and nobody needs to."""
        return self._hush(name, by, None)

    def snooze(self, name: str, by: str, until: int) -> bool:
        return self._hush(name, by, until)

    def unacknowledge(self, name: str) -> None:
        if (life := self.lives.get(name)) is not None and life.state in {"acknowledged", "snoozed"}:
            self._rouse(life)

    def silence(self, name: str, until: int) -> None:
        self.silences[name] = max(until, self.silences.get(name, 0))
        if (life := self.lives.get(name)) is not None and life.state != "resolved":
            life.hidden = True
            self._set(life)

    def until(self, now: int) -> None:
        """Time passes, and nobody looks before it has."""
        self.now = now
        while (due := self._next()) is not None and due[0] <= now:
            self._happen(due[1])

    def paged(self) -> list[tuple[int, str]]:
        """The calls as they are heard: steps that are late together are one call."""
        return sorted(set(self.pages))

    def next(self) -> int | None:
        """When something happens by itself."""
        found = self._next()
        return None if found is None else found[0]

    def _open(self, name: str) -> None:
        life = self.lives[name] = Life(name, hidden=name in self.silences, unheard=name in self.silences)
        if not life.unheard:
            self._begin(life)

    def _begin(self, life: Life) -> None:
        life.unheard = False
        life.steps = [Step(self.now + after, every, times) for after, every, times in self.policy]

    def _over(self, life: Life) -> None:
        life.state, life.ended, life.steps, life.until = "resolved", self.now, [], None

    def _hush(self, name: str, by: str, until: int | None) -> bool:
        life = self.lives.get(name)
        if life is None or life.state == "resolved":
            return True
        if life.state != "open" and by != life.by:
            return False
        life.state, life.by, life.until = ("snoozed" if until else "acknowledged"), by, until
        self._set(life)
        return True

    def _rouse(self, life: Life) -> None:
        life.state, life.by, life.until = "open", "", None
        self._set(life)

    def _set(self, life: Life) -> None:
        """The clock of the steps runs while the incident is open and shown, and stands still otherwise."""
        runs = life.state == "open" and not life.hidden
        for step in life.steps:
            if runs and step.left is not None:
                step.due, step.left = self.now + step.left, None
            elif not runs and step.left is None:
                step.left = max(0, step.due - self.now)

    def _coming(self) -> Iterator[tuple[int, object]]:
        yield from ((until, name) for name, until in self.silences.items())
        for life in self.lives.values():
            if life.until is not None:
                yield life.until, life
            yield from ((step.due, (life, step)) for step in life.steps if step.left is None)

    def _next(self) -> tuple[int, object] | None:
        return min(self._coming(), key=lambda one: one[0], default=None)

    def _happen(self, what: object) -> None:
        match what:
            case str() as name:
                del self.silences[name]
                self._shown(name)
            case Life() as life:
                self._rouse(life)
            case (Life() as life, Step() as step):
                self._call(life, step)

    def _shown(self, name: str) -> None:
        life = self.lives.get(name)
        if life is not None and life.state != "resolved":
            life.hidden = False
            if life.unheard:
                self._begin(life)
            self._set(life)

    def _call(self, life: Life, step: Step) -> None:
        self.pages.append((self.now, life.name))
        if step.done >= step.times:
            life.steps.remove(step)
            return
        step.done += 1
        step.due += step.every
        if step.due <= self.now:
            step.due = self.now + step.every
