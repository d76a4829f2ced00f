"""Whom words for targets come to at a moment: the channels that are told now, for whom, and the rules that come later.

Somebody is always told: where nobody is on call, or who is cannot be reached, it is the schedule's fallback, else the
bridge's, else those whom the incident's route tells. Who is paged can be reached if a channel of theirs takes such a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.config.model import Config
from bridge.domain.message import Reason
from bridge.domain.person import Person
from bridge.domain.schedules import on_call
from bridge.domain.target import Target, TargetKind, together
from bridge.engine.on_call import Shifts, schedule_of

NOBODY_ON_CALL = "nobody_on_call"
UNREACHABLE = "unreachable"
GONE = "gone"


class Later(Struct, frozen=True):
    """A rule of a person's that is not for now."""

    person: str
    after: timedelta
    kinds: tuple[str, ...]


class Missing(Struct, frozen=True):
    """A target that comes to nobody, and whom it comes to instead. `why`: `nobody_on_call`; `unreachable`: whoever it is
    has no channel, or none that takes pages; `gone`: the configuration does not have it any more.
    """

    target: str
    why: str
    instead: str

    def __str__(self) -> str:
        about = Target.of(self.target)
        if self.why == NOBODY_ON_CALL:
            return f"Nobody is on call for {about.name}."
        if self.why == GONE:
            return f"{about} is not in the configuration any more."
        return f"No channel reaches {about.name}."

    @property
    def answer(self) -> str:
        """What somebody hears who asked for them."""
        return f"{self} {self.instead} is told instead." if self.instead else f"{self} Nobody else can be told."


class Whom(Struct, frozen=True):
    """`channels` are told now, each with the names of the people it is for, joined by `/`, or nothing. Those in `instead`
    stand in for somebody, each for the reason it has there. `called`: the people behind each `on_call` word.
    """

    channels: Mapping[str, str]
    instead: Mapping[str, str]
    later: tuple[Later, ...]
    called: Mapping[str, tuple[str, ...]]
    missing: tuple[Missing, ...]

    def named(self, words: Iterable[str]) -> str:
        """The words, with who is behind them."""
        return ", ".join(f"{word} ({', '.join(self.called[word])})" if word in self.called else word for word in words)


def plainly(channels: Iterable[str]) -> Whom:
    """What channels come to: themselves, and nobody in particular."""
    return Whom(dict.fromkeys(channels, ""), {}, (), {}, ())


def whom(
    config: Config,
    shifts: Shifts,
    words: Iterable[str],
    at: datetime,
    otherwise: tuple[str, ...] = (),
    page: Reason | None = None,
) -> Whom:
    """Whom the words come to. `otherwise`: the receivers for when there is no fallback, the first that is another one.

    `page`: they are paged by such a word, so that who takes no such word is stood in for; else what channels take is not asked.
    """
    finding = _Finding(config, shifts, at, otherwise, page)
    for word in words:
        finding.add(word, "")
    return Whom(finding.channels, finding.instead, tuple(finding.later), finding.called, tuple(finding.missing))


def naming(config: Config, schedule: str) -> tuple[frozenset[str], frozenset[str]]:
    """The receivers and the escalations through which whoever is on call for a schedule is told."""
    word = str(Target(TargetKind.ON_CALL, schedule))
    receivers = {word, *(name for name, words in config.receivers.items() if word in words)}
    escalations = {
        name for name, steps in config.escalations.items() if any(receivers.intersection(step.notify) for step in steps)
    }
    return frozenset(receivers), frozenset(escalations)


class _Finding:
    def __init__(
        self, config: Config, shifts: Shifts, at: datetime, otherwise: tuple[str, ...], page: Reason | None
    ) -> None:
        self._config = config
        self._shifts = shifts
        self._at = at
        self._otherwise = otherwise
        self._page = page
        self._seen: set[str] = set()
        self._missed: set[str] = set()
        self._people: set[str] = set()
        self.channels: dict[str, str] = {}
        self.instead: dict[str, str] = {}
        self.later: list[Later] = []
        self.called: dict[str, tuple[str, ...]] = {}
        self.missing: list[Missing] = []

    def add(self, word: str, why: str) -> None:
        """`why`: whom it stands in for, if it does."""
        if word in self._seen:
            return
        self._seen.add(word)
        target = Target.of(word)
        if target.kind is TargetKind.PERSON:
            self._call(word, (target.name,))
        elif target.kind is TargetKind.ON_CALL:
            self._call_whoever(word, target.name)
        else:
            for name in self._config.channels_of(word) or (word,):
                if Target.of(name).kind is not TargetKind.RECEIVER:
                    self.add(name, why)
                    continue
                self.channels.setdefault(name, "")
                if why:
                    self.instead[name] = f"{self.instead[name]} {why}" if name in self.instead else why

    def _call_whoever(self, word: str, schedule: str) -> None:
        found = schedule_of(self._config, self._shifts, schedule)
        people = on_call(found, self._at) if found is not None else ()
        if people:
            self.called[word] = people
            self._call(word, people, found.fallback if found else None)
        else:
            self._miss(word, GONE if found is None else NOBODY_ON_CALL, found.fallback if found else None)

    def _call(self, word: str, people: tuple[str, ...], fallback: str | None = None) -> None:
        known = [self._config.people[name] for name in people if name in self._config.people]
        reached = [person for person in known if self._reaches(person)]
        for person in known:
            if person.name in self._people:
                continue
            self._people.add(person.name)
            for rule in person.rules:
                if not rule.after:  # also where none takes it: that it was not told is on record
                    for channel in person.told(rule.kinds):
                        self.channels[channel] = together(self.channels.get(channel, ""), person.name)
                elif person in reached:
                    self.later.append(Later(person.name, rule.after, rule.kinds))
        if not reached:
            self._miss(word, UNREACHABLE if known else GONE, fallback)

    def _reaches(self, person: Person) -> bool:
        """Whether the person hears of it, now or by a later rule, if nobody acknowledges."""
        if self._page is None:
            return bool(person.rules)
        return any(
            self._takes(channel, Reason.ESCALATED if rule.after else self._page)
            for rule in person.rules
            for channel in person.told(rule.kinds)
        )

    def _takes(self, channel: str, reason: Reason) -> bool:
        """Whether a channel takes such a word; one that is not usable counts as if it did, for then its own fallback hears it."""
        entry = self._config.channels.get(channel)
        return entry is None or entry.options is None or reason in entry.options.send_on

    def _miss(self, word: str, why: str, fallback: str | None) -> None:
        self._missed.add(word)
        choices = (fallback or self._config.fallback or "", *self._otherwise)
        instead = next((name for name in choices if name and not self._in_vain(name)), "")
        missing = Missing(word, why, instead)
        self.missing.append(missing)
        if instead:
            self._seen.discard(instead)
            self.add(instead, str(missing))

    def _in_vain(self, word: str) -> bool:
        """Whether the word stands for people who were asked for already, or for a receiver that reaches nobody either."""
        if Target.of(word).kind is not TargetKind.RECEIVER:
            return word in self._seen
        return all(self._reaches_nobody(name) for name in self._config.channels_of(word) or (word,))

    def _reaches_nobody(self, member: str) -> bool:
        target = Target.of(member)
        if target.kind is TargetKind.PERSON:
            person = self._config.people.get(target.name)
            return person is None or not self._reaches(person)
        if target.kind is TargetKind.ON_CALL:
            return member in self._missed
        return self._page is not None and not self._takes(member, self._page)
