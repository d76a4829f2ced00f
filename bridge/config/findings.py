"""Collects problems while a configuration is read, so that all of them are reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from bridge.config.problems import Mark, Problem, did_you_mean, problem

Kind = Literal["receiver", "channel", "escalation", "time interval", "credential", "person", "schedule"]
DEFINED_IN: Mapping[Kind, tuple[str, ...]] = {
    "receiver": ("receivers", "channels"),
    "channel": ("channels",),
    "escalation": ("escalations",),
    "time interval": ("time_intervals", "mute_time_intervals"),
    "credential": ("credentials",),
    "person": ("people",),
    "schedule": ("schedules",),
}


class Unknown(Struct, frozen=True):
    """A name that is used but defined nowhere."""

    kind: Kind
    name: str
    used: Problem


class Findings:
    """Problems in the order in which they were found; the same finding is kept once."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self.unknown: list[Unknown] = []
        self._error_count = 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(found for found in self._problems if found.severity == "error")

    @property
    def error_count(self) -> int:
        return self._error_count

    def extend(self, problems: Iterable[Problem]) -> None:
        for found in problems:
            self._add(found)

    def error(self, mark: Mark, message: str) -> None:
        self._add(problem(mark, message))

    def warning(self, mark: Mark, message: str) -> None:
        self._add(problem(mark, message, "warning"))

    def note(self, mark: Mark, message: str) -> None:
        self._add(problem(mark, message, "note"))

    def unknown_name(self, mark: Mark, kind: Kind, name: str, known: Iterable[str]) -> None:
        """An error that a name is defined nowhere; kept apart as well, so that the edit that removed it can be found."""
        found = problem(mark, f"there is no {kind} {name!r}{did_you_mean(name, known)}")
        self._add(found)
        self.unknown.append(Unknown(kind, name, found))

    def _add(self, found: Problem) -> None:
        if found not in self._problems:
            self._problems[found] = None
            self._error_count += found.severity == "error"
