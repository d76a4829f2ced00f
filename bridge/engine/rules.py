"""A person's further rules, which wait as timers: in which other ways he is told, and when.

They stop and go on as an escalation's steps do: an acknowledgement pauses them, the end of the incident ends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct

from bridge.domain.duration import format_duration
from bridge.engine.notified import Later
from bridge.engine.work import Work
from bridge.storage import timers

TIMER = "rule"


class DueRule(Struct, frozen=True):
    """A rule that waits: a timer's data. `step` names what the person was called by."""

    person: str
    kinds: tuple[str, ...]
    after_seconds: float
    step: str

    def __str__(self) -> str:
        return f"{self.person}, after {format_duration(timedelta(seconds=self.after_seconds))}: {', '.join(self.kinds)}"


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(DueRule)


def decode(data: str) -> DueRule:
    return _DECODER.decode(data)


async def write(work: Work, incident: str, later: Sequence[Later], step: str) -> None:
    """Write when the rules are due. Those of somebody who has rules that wait stay as they are."""
    if not later:
        return
    waiting = {decode(timer.data).person for timer in await timers.of_incident(work.tx, incident, TIMER)}
    for one in later:
        if one.person not in waiting:
            rule = DueRule(one.person, one.kinds, one.after.total_seconds(), step)
            due = work.now + one.after
            await timers.add(work.tx, TIMER, due, _ENCODER.encode(rule).decode(), incident=incident)
            work.effects.due(due)
