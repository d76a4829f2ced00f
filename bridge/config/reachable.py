"""Judges that somebody is reached wherever people are named: never nobody, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.config.findings import Findings
from bridge.config.model import Config
from bridge.config.sections import Sections
from bridge.domain.target import Target, TargetKind
from bridge.routing.route import Route


def judge_reachable(config: Config, sections: Sections, findings: Findings) -> None:
    """Of people who are named each has a channel; of schedules that a route tells each has a fallback, which is none itself."""
    people, schedules = sections.entries("people"), sections.entries("schedules")
    told = dict(_told(config))
    for word, who in {**dict(_called(config)), **told}.items():
        target = Target.of(word)
        if target.kind is TargetKind.PERSON and target.name in config.people and not config.people[target.name].rules:
            findings.error(people[target.name][0].mark, f"{who} tells {target.name}, who has no channels")
    for word, who in told.items():
        target = Target.of(word)
        found = config.schedules.get(target.name) if target.kind is TargetKind.ON_CALL else None
        if found is not None and not found.fallback and not config.fallback:
            findings.error(
                schedules[target.name][0].mark,
                f"{who} tells whoever is on call, and when that is nobody nobody is told: give the schedule a `fallback`",
            )
    for name, schedule in config.schedules.items():
        behind = config.receivers.get(schedule.fallback or "", ())
        if any(Target.of(word).kind is TargetKind.ON_CALL for word in behind):
            findings.error(
                schedules[name][0].mark,
                f"its fallback {schedule.fallback} tells whoever is on call: name channels or people",
            )


def _called(config: Config) -> Iterator[tuple[str, str]]:
    """(word, who names it) of every step."""
    for name, steps in config.escalations.items():
        for step in steps:
            yield from ((word, f"escalations.{name}") for word in step.notify)


def _told(config: Config) -> Iterator[tuple[str, str]]:
    """(word, who names it) of every receiver and route."""
    for name, words in config.receivers.items():
        yield from ((word, f"receivers.{name}") for word in words)
    yield from _routed(config.route)


def _routed(route: Route) -> Iterator[tuple[str, str]]:
    yield route.receiver, f"the route {route.id}" if route.id else "the route"
    for child in route.routes:
        yield from _routed(child)
