"""The route tree as values."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from bridge.routing.matchers import Matcher


class HookCall(Struct, frozen=True):
    """A hook as a configuration names it: `options` is the JSON text of its options (`{}` if it was given by name alone).

    `where` is `file:line:column`, for messages.
    """

    name: str
    options: str = "{}"
    where: str = ""


class Route(Struct, frozen=True):
    """One node, with everything inherited already filled in (receiver, grouping, timing, hooks).

    `id` is its `name`, else the receiver names from the root plus an ordinal among equals. `group_by` is None where
    neither the route nor an ancestor groups: the sender's grouping is kept; `group_by_all` is `['...']`.
    `continues` is Alertmanager's `continue`. Timing is None where the default depends on how the alert came.
    """

    id: str
    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_by_all: bool = False
    continues: bool = False
    hooks: tuple[HookCall, ...] = ()
    group_wait: timedelta | None = None
    group_interval: timedelta | None = None
    repeat_interval: timedelta | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    where: str = ""
