"""Hooks that tests steer: loaded by `plugins:` as a user's would be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import ClassVar

from bridge.hooks.api import Drop, Forward, Hold, HookContext, HookOptions, Notification, Transition, Verdict


class SlowLook:
    """Waits once, as a look-up over the network would, and adds what it found."""

    name: ClassVar = "slow_look"
    Options: ClassVar = HookOptions
    does_io = True

    def __init__(self, _options: HookOptions, _context: HookContext) -> None:
        pass

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        await asyncio.sleep(0)
        for alert in notification.alerts:
            notification = notification.with_labels(alert.fingerprint, {"team": "found"})
        return await forward(notification)


class HoldNews:
    """Holds what opens for ten minutes, and drops alerts labelled `noise`."""

    name: ClassVar = "hold_news"
    Options: ClassVar = HookOptions
    does_io = False

    def __init__(self, _options: HookOptions, _context: HookContext) -> None:
        self._held: set[str] = set()

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        if any("noise" in alert.labels for alert in notification.alerts):
            return Drop("noise")
        opening = notification.transition is Transition.OPENED
        if opening and notification.incident not in self._held:
            self._held.add(notification.incident)
            return Hold(notification.now + timedelta(minutes=10), "not_yet")
        return await forward(notification)
