"""Alertmanager's route tree, inhibition rules and time intervals: the words are ours too, so they are copied."""

from __future__ import annotations

from bridge.config.intervals import InhibitRule, IntervalEntry, TimeInterval
from bridge.importing.ledger import Place
from bridge.importing.output import Output

_LISTS = ("matchers", "group_by", "mute_time_intervals", "active_time_intervals")
_MAPPINGS = ("match", "match_re")
_DURATIONS = ("group_wait", "group_interval", "repeat_interval")
_INTERVALS = ("time_intervals", "mute_time_intervals")


def route(place: Place) -> dict[str, Output]:
    """A route and all below it."""
    found: dict[str, Output] = {}
    children: list[Output] = []
    if not place.pairs():
        place.mapped("route", "a route that takes everything")
    for key, value in place.pairs():
        if key == "routes":
            children = [route(child) for child in value.items()]
        elif not value.is_null:
            _take(found, key, value)
    if children:
        found["routes"] = children
    elif (empty := place.get("routes")) is not None:
        empty.noted("it is empty")
    return found


def _take(found: dict[str, Output], key: str, value: Place) -> None:
    to = f"route.{key}"
    if key == "receiver" and not value.text():
        value.noted("an empty receiver is the parent's")
        return
    if key in {"receiver", *_DURATIONS}:
        found[key] = value.text()
    elif key == "continue":
        found[key] = value.flag()
    elif key in _LISTS:
        found[key] = copied(value)
    elif key in _MAPPINGS:
        found[key] = {name: inner.text() for name, inner in value.pairs()}
    elif key == "labels":
        found[key] = {name: inner.text() for name, inner in value.pairs()}
        value.left("labels of a route are kept in the file", "they have no effect in this version")
        return
    else:
        return
    value.mapped(to)


def inhibit_rules(place: Place) -> list[Output]:
    """The rules as they are."""
    return [_known(rule, frozenset(InhibitRule.model_fields), "inhibit_rules") for rule in place.items()]


def time_intervals(root: Place) -> list[Output]:
    """The named intervals, those under the older name `mute_time_intervals` too."""
    found: list[Output] = []
    for section in _INTERVALS:
        place = root.get(section)
        found += [_interval(interval) for interval in place.items()] if place is not None else []
    return found


def _interval(place: Place) -> Output:
    inner = place.get("time_intervals")
    keys = frozenset(IntervalEntry.model_fields)
    entries: list[Output] = []
    entries += [_known(entry, keys, "time_intervals") for entry in inner.items()] if inner is not None else []
    named = _known(place, frozenset(TimeInterval.model_fields) - {"time_intervals"}, "time_intervals")
    return {**named, "time_intervals": entries}


def _known(place: Place, keys: frozenset[str], to: str) -> dict[str, Output]:
    found: dict[str, Output] = {}
    for key, value in place.pairs():
        if key in keys and not value.is_null:
            found[key] = copied(value)
            value.mapped(f"{to}.{key}")
    return found


def copied(place: Place) -> Output:
    """The texts below a place as they are; keys without a value are left away."""
    if place.is_scalar:
        return place.text()
    if place.is_list:
        return [copied(item) for item in place.items()]
    return {key: copied(value) for key, value in place.pairs() if not value.is_null}
