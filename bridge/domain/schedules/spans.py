"""Stretches of time that somebody holds, and what is left of them where others go before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import pairwise

from msgspec import Struct


class Span(Struct, frozen=True):
    """People from `begin` to `end` (out), in UTC. `layer` says where it comes from."""

    begin: datetime
    end: datetime
    people: tuple[str, ...]
    layer: str


def flatten(spans: Sequence[tuple[tuple[int, ...], Span]]) -> list[Span]:
    """One span at a time: of those that hold a moment, the one of the highest rank; of equals, the later in the list.

    What is left of a span in one piece stays in one piece; neighbours that were two spans stay two.
    """
    order = sorted(range(len(spans)), key=lambda index: spans[index][1].begin)
    edges = sorted({edge for _, span in spans for edge in (span.begin, span.end)})
    open_now: list[tuple[tuple[int, ...], int, int]] = []
    found: list[tuple[int, datetime, datetime]] = []
    position = 0
    for begin, end in pairwise(edges):
        while position < len(order) and spans[order[position]][1].begin <= begin:
            index = order[position]
            heappush(open_now, (tuple(-part for part in spans[index][0]), -index, index))
            position += 1
        while open_now and spans[open_now[0][2]][1].end <= begin:
            heappop(open_now)
        if not open_now:
            continue
        holder = open_now[0][2]
        if found and found[-1][0] == holder and found[-1][2] == begin:
            found[-1] = (holder, found[-1][1], end)
        else:
            found.append((holder, begin, end))
    return [Span(begin, end, spans[index][1].people, spans[index][1].layer) for index, begin, end in found]


def together(spans: Iterable[Span], layer: str) -> list[Span]:
    """One span at a time: whoever holds a moment holds it together, in the order of their names."""
    known = list(spans)
    edges = sorted({edge for span in known for edge in (span.begin, span.end)})
    starting = sorted(known, key=lambda span: span.begin, reverse=True)
    holders: list[Span] = []
    found: list[Span] = []
    for begin, end in pairwise(edges):
        while starting and starting[-1].begin <= begin:
            holders.append(starting.pop())
        holders = [span for span in holders if span.end > begin]
        people = tuple(sorted({name for span in holders for name in span.people}))
        if not people:
            continue
        if found and found[-1].end == begin and found[-1].people == people and not _starts(holders, begin):
            found[-1] = Span(found[-1].begin, end, people, layer)
        else:
            found.append(Span(begin, end, people, layer))
    return found


def _starts(spans: Iterable[Span], at: datetime) -> bool:
    return any(span.begin == at for span in spans)
