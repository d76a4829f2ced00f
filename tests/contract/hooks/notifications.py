"""Notifications and hooks that tests of hooks are made of."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bridge.domain.alert import Alert, Status
from bridge.hooks.api import Hook, HookContext, HookOptions, Notification, Transition
from bridge.net import Egress, HttpClient

T = TypeVar("T")
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def alert(status: Status = Status.FIRING, fingerprint: str = "a1", **labels: str) -> Alert:
    return Alert(
        source="prod",
        org="",
        fingerprint=fingerprint,
        status=status,
        labels={"alertname": "HighCPU", "instance": "web-1", **labels},
        annotations={"summary": "CPU is high"},
        starts_at=NOW - timedelta(minutes=3),
        ends_at=None if status is Status.FIRING else NOW,
        generator_url="https://prometheus.example.com/graph",
    )


def notification(transition: Transition = Transition.OPENED, *alerts: Alert, **fields: Any) -> Notification:
    """What a route's hooks see; by default one firing alert of a webhook source."""
    status = Status.RESOLVED if transition is Transition.RESOLVED else Status.FIRING
    return Notification(
        **{
            "now": NOW,
            "transition": transition,
            "alerts": alerts or (alert(status),),
            "source": "prod",
            "incident": "i1",
            "route": "web",
            "receiver": "team",
            "group_labels": {"alertname": "HighCPU"},
            "severity": "critical",
            **fields,
        }
    )


def before_routing(*alerts: Alert, **fields: Any) -> Notification:
    """What the hooks before routing see: one alert, nowhere yet."""
    return notification(
        Transition.OPENED, *alerts, **{"incident": "", "route": "", "receiver": "", "group_labels": {}, **fields}
    )


def without_suspending(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result; fails if it waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("it suspended")


def make(hook: type[Hook], options: object = None, http: HttpClient | None = None) -> Hook:
    """The hook as the registry makes it, from options as they stand in YAML."""
    model: type[HookOptions] = hook.Options
    return hook(model.model_validate(options if options is not None else {}), HookContext(http or HttpClient(Egress())))
