"""Matching as it is meant, one after the other and nothing remembered: what the index must agree with, and be quicker than."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from bridge.routing.route import Route
from bridge.routing.silences import Silence


def walk(route: Route, labels: Mapping[str, str]) -> list[Route]:
    """The routes that take an alert with these labels."""
    for matcher in route.matchers:
        if not matcher.matches(labels):
            return []
    found: list[Route] = []
    for child in route.routes:
        below = walk(child, labels)
        found += below
        if below and not child.continues:
            break
    return found or [route]


def silences(known: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> list[Silence]:
    """The active silences that hold for these labels."""
    found = []
    for silence in known:
        if not silence.starts_at <= now < silence.ends_at:
            continue
        for matcher in silence.matchers:
            if not matcher.matches(labels):
                break
        else:
            found.append(silence)
    return found
