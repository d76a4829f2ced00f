"""The section `silences:`, silences that recur by time interval: how it is written, and what it must name."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as SequenceType
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from bridge.config.findings import Findings
from bridge.config.names import Names
from bridge.config.problems import Mark
from bridge.config.routes import MatcherTexts
from bridge.config.sections import Sections
from bridge.config.validation import validate_model
from bridge.config.values import Section
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, without_nulls
from bridge.domain.options import Duration
from bridge.routing.matchers import Matcher, parse_matchers
from bridge.routing.silences import hides_everything

SECTION = "silences"


def _of_something(texts: tuple[str, ...]) -> tuple[str, ...]:
    if hides_everything(matchers_of(texts)):
        raise ValueError("at least one matcher must not match the empty text, or it would hide everything")
    return texts


class NoticeSettings(Section):
    """Who is told that an occurrence ends, and how long before. Without `to` it is the fallback."""

    before: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    to: str | None = Field(default=None, min_length=1, description="a channel or a receiver")


class RecurringSilence(Section):
    """What is hidden from people while one of the time intervals holds, each time it does, and who answers for it."""

    name: str = Field(min_length=1, max_length=200)
    matchers: Annotated[MatcherTexts, AfterValidator(_of_something)]
    time_intervals: Annotated[tuple[str, ...], Field(min_length=1)]
    owner: str = Field(min_length=1, max_length=200)
    comment: str = Field(default="", max_length=4000)
    notice: NoticeSettings | None = None


def matchers_of(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """The matchers of texts that each hold one or several."""
    return tuple(matcher for text in texts for matcher in parse_matchers(text))


def read_silences(sections: Sections, names: Names, findings: Findings) -> tuple[RecurringSilence, ...]:
    """The entries that are valid, in their order; the rest is reported."""
    found: list[RecurringSilence] = []
    known: dict[str, Mark] = {}
    for item in _items(sections):
        _judge_names(item, names, findings)
        entry = validate_model(RecurringSilence, without_nulls(item), item, SECTION, findings)
        if entry is None or not isinstance(item, Mapping):
            continue
        mark = _mark(item, "name")
        first = known.setdefault(entry.name, mark)
        if first is not mark:
            findings.error(mark, f"{SECTION}: {entry.name!r} is defined twice; first at {first}")
        if entry.notice is not None and entry.notice.to is None and "fallback" not in sections.values:
            findings.error(item.key_mark("notice"), "nobody would get this notice: give it `to`, or give a `fallback`")
        found.append(entry)
    return tuple(found)


def _items(sections: Sections) -> SequenceType[Node]:
    return [item for node in sections.lists.get(SECTION, []) for item in node.items]


def _judge_names(item: Node, names: Names, findings: Findings) -> None:
    if not isinstance(item, Mapping):
        return
    intervals = item.get("time_intervals")
    for named in intervals.items if isinstance(intervals, Sequence) else ():
        if isinstance(named, Scalar):
            names.judge(named, "time interval", findings)
    notice = item.get("notice")
    to = notice.get("to") if isinstance(notice, Mapping) else None
    if isinstance(to, Scalar) and not to.is_null:
        names.judge(to, "receiver", findings)


def _mark(item: Mapping, key: str) -> Mark:
    node = item.get(key)
    return item.mark if node is None else node.mark
