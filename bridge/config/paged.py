"""Judges that pages come through: whoever is called by a step, or by hand, has a channel that takes such a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bridge.config.findings import Findings
from bridge.config.model import Config
from bridge.config.problems import Mark
from bridge.config.sections import Sections
from bridge.config.yaml_nodes import Mapping, Node, Sequence
from bridge.domain.duration import format_duration
from bridge.domain.message import Reason
from bridge.domain.target import Target, TargetKind


def judge_pages(config: Config, sections: Sections, findings: Findings) -> None:
    """A warning for every person, rule, fallback and step that no page comes through to."""
    for mark, message in (
        *_people(config, sections),
        *_fallbacks(config, sections),
        *_steps(config, sections),
    ):
        findings.warning(mark, f"{message}: see `send_on`")


def _people(config: Config, sections: Sections) -> Iterator[tuple[Mark, str]]:
    for name, person in config.people.items():
        if not person.rules:
            continue
        key, node = sections.entries("people")[name]
        told = [person.told(rule.kinds) for rule in person.rules]
        if not _takes(config, (channel for channels in told for channel in channels)):
            yield key.mark, f"no channel of {name} takes `escalated`, so that whoever pages them reaches the fallback"
            continue
        written = node.get("rules") if isinstance(node, Mapping) else None
        for index, (rule, channels) in enumerate(zip(person.rules, told, strict=True)):
            if rule.after and not _takes(config, channels):
                after = format_duration(rule.after)
                yield _item(written or node, index), f"{name}'s rule after {after} tells nobody `escalated`"


def _fallbacks(config: Config, sections: Sections) -> Iterator[tuple[Mark, str]]:
    own = sections.values.get("fallback")
    if own is not None and config.fallback and not _takes(config, (config.fallback,)):
        yield (
            own.mark,
            f"the fallback {config.fallback} does not take `escalated`, and stands in for nobody who is paged",
        )
    for name, schedule in config.schedules.items():
        if schedule.fallback and not _reached(config, schedule.fallback):
            mark = sections.entries("schedules")[name][0].mark
            yield (
                mark,
                f"its fallback {schedule.fallback} does not take `escalated`, and stands in for nobody who is paged",
            )


def _steps(config: Config, sections: Sections) -> Iterator[tuple[Mark, str]]:
    for name, steps in config.escalations.items():
        node = sections.entries("escalations")[name][1]
        for index, step in enumerate(steps):
            for word in step.notify:
                if Target.of(word).kind is TargetKind.RECEIVER and not _reached(config, word):
                    yield _item(node, index), f"escalations.{name} tells {word}, which does not take `escalated`"


def _reached(config: Config, receiver: str) -> bool:
    """Whether somebody behind a receiver takes pages; people are judged by themselves."""
    words = config.channels_of(receiver)
    people = any(Target.of(word).kind is not TargetKind.RECEIVER for word in words)
    return people or not words or _takes(config, words)


def _takes(config: Config, channels: Iterable[str]) -> bool:
    """Whether one of the channels takes pages; one that is not there, or not readable, is an error of its own."""
    entries = (config.channels.get(channel) for channel in channels)
    return any(entry is None or entry.options is None or Reason.ESCALATED in entry.options.send_on for entry in entries)


def _item(node: Node, index: int) -> Mark:
    return node.items[index].mark if isinstance(node, Sequence) and index < len(node.items) else node.mark
