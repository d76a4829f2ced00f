"""Runs a chain of hooks so that one can see what each of them did, those that were not reached included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from bridge.engine.explaining_views import Added, HookVerdict
from bridge.hooks.api import Drop, Forward, Hold, HookOptions, Notification, Pass, Verdict
from bridge.hooks.chain import Chain, Judged, Link, Step


class Watched(Struct, frozen=True):
    """The chain's answer; `seen` is the notification as the last hook that was reached passed it on."""

    judged: Judged
    hooks: tuple[HookVerdict, ...]
    seen: Notification


class _Probe:
    """Stands between two hooks and keeps what comes through."""

    name: ClassVar[str] = "probe"
    Options: ClassVar[type[HookOptions]] = HookOptions
    does_io = False

    def __init__(self) -> None:
        self.seen: Notification | None = None

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        self.seen = notification
        return await forward(notification)


async def watch(chain: Chain, notification: Notification, *, io: bool) -> Watched:
    """Judge a notification. Without `io` hooks that may wait for something are left out."""
    notification = replace(notification, dry_run=True)
    run = [(link, _Probe()) for link in chain.links if io or not link.does_io]
    judged = await Chain([one for link, probe in run for one in (link, Link(probe.name, probe))]).run(notification)
    probes = iter([probe for _link, probe in run])
    steps = iter(judged.trace[::2])  # every other one is a probe's
    seen, found = notification, []
    for link in chain.links:
        if not io and link.does_io:
            found.append(HookVerdict(link.name, "not_run"))
            continue
        step, after = next(steps, None), next(probes).seen or seen
        found.append(HookVerdict(link.name, "not_reached") if step is None else _verdict(step, judged, seen, after))
        seen = after
    return Watched(judged, tuple(found), judged.verdict.notification if isinstance(judged.verdict, Pass) else seen)


def _verdict(step: Step, judged: Judged, before: Notification, after: Notification) -> HookVerdict:
    verdict = judged.verdict
    return HookVerdict(
        hook=step.hook,
        verdict=step.verdict.value,
        reason=step.reason,
        detail=step.detail or (verdict.detail if isinstance(verdict, Drop) and judged.hook == step.hook else ""),
        seconds=round(step.seconds, 6),
        until=verdict.until if isinstance(verdict, Hold) and judged.hook == step.hook else None,
        labels=_news(before.labels, after.labels),
        annotations=_news(before.annotations, after.annotations),
        escalation=after.escalation if after.escalation != before.escalation else "",
    )


def _news(before: Added, after: Added) -> Added:
    """What is in `after` and was not, or not so, in `before`."""
    found: dict[str, Mapping[str, str]] = {}
    for fingerprint, pairs in after.items():
        known = before.get(fingerprint, {})
        if news := {name: value for name, value in pairs.items() if known.get(name) != value}:
            found[fingerprint] = news
    return found
