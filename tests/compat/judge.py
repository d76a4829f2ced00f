"""Whether two programs did the same with one history, and if not, whether exactly the differences are there that are argued for."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct, field

from tests.compat.history import History, Look
from tests.compat.live import Seen, Trace
from tests.compat.model import Notification, Stream, Told, predict
from tests.compat.random_histories import MARGIN
from tests.compat.setting import Setting
from tests.compat.sink import Heard

_LAST = 0.5
"""What one program does in the last seconds of a history, the other may have no time for."""
_SPARE = 0.05
TOLERANCE = 0.75
"""Seconds between the notifications of both programs, or between one and what is predicted."""

Streams = dict[Stream, list[Notification]]


class Verdict(Struct):
    """`differences` counts, for each kind, the groups in which it shows. `apart` are the seconds between the notifications.
    `unforeseen` is what the left program did otherwise than the model says: a defect of the model.
    """

    notifications: int = 0
    groups: int = 0
    looks: int = 0
    suppressed: int = 0
    differences: dict[str, int] = field(default_factory=dict)
    apart: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unforeseen: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not (self.problems or self.unforeseen)


class Program(Struct):
    """What one program did with one history."""

    name: str
    streams: Streams
    trace: Trace


def streams(heard: Iterable[Heard], program: str, begin: float, setting: Setting) -> Streams:
    """What a program sent to the receivers of one history, by receiver and group."""
    found: Streams = {}
    for one in heard:
        if one.program == program and one.stream[0] in setting.receivers:
            found.setdefault(one.stream, []).append(Notification(one.at - begin, one.content))
    return found


def judge(
    setting: Setting,
    history: History,
    left: Program,
    right: Program,
    differing: tuple[str, ...],
    boundary: float,
    tolerance: float = TOLERANCE,
) -> Verdict:
    """`differing` are the differences that `right` may have from `left`: none for another Alertmanager."""
    verdict = Verdict(problems=[*left.trace.problems, *right.trace.problems])
    theirs = predict(setting, history, (), boundary)
    ours = predict(setting, history, differing, boundary)
    until = history.end - _LAST
    for stream in sorted(left.streams.keys() | right.streams.keys() | theirs.streams.keys() | ours.streams.keys()):
        one, other = ((program.name, program.streams.get(stream, [])) for program in (left, right))
        meant, its_own = (("predicted", predicted.streams.get(stream, [])) for predicted in (theirs, ours))
        verdict.groups += 1
        verdict.notifications += len(one[1])
        verdict.unforeseen += _differing(stream, until, meant, one, tolerance)
        if told(theirs, stream) == told(ours, stream):
            verdict.problems += _differing(stream, until, one, other, tolerance)
        else:
            verdict.problems += _differing(stream, until, meant, one, tolerance)
            verdict.problems += _differing(stream, until, its_own, other, tolerance)
            for kind in _kinds(setting, history, stream, differing, boundary):
                verdict.differences[kind] = verdict.differences.get(kind, 0) + 1
            one = its_own
        verdict.apart += [abs(first.at - second.at) for first, second in zip(one[1], other[1], strict=False)]
    if left.trace.kept != right.trace.kept:
        verdict.problems.append(f"ids of edited silences kept: {left.trace.kept} and {right.trace.kept}")
    for seen, its in zip(left.trace.seen, right.trace.seen, strict=False):
        _look(verdict, theirs, seen, its)
    return verdict


def patience(setting: Setting, history: History, differing: tuple[str, ...], boundary: float) -> float:
    """By how many seconds a request may be late and still come before the flush that it is meant to come before."""
    close = min(predict(setting, history, rules, boundary).close for rules in ((), differing))
    looks = any(isinstance(event, Look) for event in history.events)
    return min(close, MARGIN if looks else TOLERANCE) - _SPARE


def told(predicted: Told, stream: Stream) -> list[tuple[float, object]]:
    return [(round(one.at, 2), one.content) for one in predicted.streams.get(stream, [])]


def _kinds(
    setting: Setting, history: History, stream: Stream, differing: tuple[str, ...], boundary: float
) -> list[str]:
    """The differences without which this group would be told otherwise."""
    whole = told(predict(setting, history, differing, boundary), stream)
    found = []
    for kind in differing:
        rest = tuple(other for other in differing if other != kind)
        if told(predict(setting, history, rest, boundary), stream) != whole:
            found.append(kind)
    return found or ["several-at-once"]


Sent = tuple[str, list[Notification]]
"""(who sent it, or who says it should be sent; what)."""


def _differing(stream: Stream, until: float, one: Sent, other: Sent, tolerance: float) -> list[str]:
    """What differs, as one text; nothing if all that is sent before `until` corresponds."""
    both = list(zip(one[1], other[1], strict=False))
    alone = [notification for notification in (*one[1][len(both) :], *other[1][len(both) :]) if notification.at < until]
    same = all(first.content == second.content and abs(first.at - second.at) <= tolerance for first, second in both)
    if same and not alone:
        return []
    lines = [f"{stream[0]} {dict(stream[1])}:"]
    for name, sent in (one, other):
        lines += [f"  {name}:", *(f"    {shown(notification)}" for notification in sent)]
    return ["\n".join(lines)]


def shown(notification: Notification) -> str:
    alerts = "; ".join(f"{status} {labels} {dict(said) or ''}" for labels, status, said in notification.content)
    return f"{notification.at:6.2f} {alerts}"


def _look(verdict: Verdict, predicted: Told, one: Seen, other: Seen) -> None:
    verdict.looks += 1
    at = one.at
    if one.groups != other.groups:
        verdict.problems.append(f"groups at {at}:\n  {one.groups}\n  {other.groups}")
    if one.alerts.keys() != other.alerts.keys():
        verdict.problems.append(f"alerts at {at}: {sorted(one.alerts)} and {sorted(other.alerts)}")
        return
    for key, (state, silenced, inhibited, receivers) in one.alerts.items():
        verdict.suppressed += state == "suppressed"
        its = other.alerts[key]
        if (state, silenced, bool(inhibited), receivers) != (its[0], its[1], bool(its[2]), its[3]):
            verdict.problems.append(f"{key} at {at}: {one.alerts[key]} and {its}")
        sources = {other.fingerprints.get(print_, print_) for print_ in its[2]}
        if not sources <= predicted.ledger.inhibitors(key, at):
            verdict.problems.append(f"{key} at {at} is said to be inhibited by {sources}")


def farthest(verdicts: Iterable[Verdict]) -> tuple[float, float, float]:
    """Median, 99th percentile and maximum of the seconds between notifications that correspond."""
    apart = sorted(seconds for verdict in verdicts for seconds in verdict.apart)
    if not apart:
        return (math.nan, math.nan, math.nan)
    return (apart[len(apart) // 2], apart[len(apart) * 99 // 100], apart[-1])
