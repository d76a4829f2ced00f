"""Bugs in the way channels are used, planted to see whether the checks find them: `python -m tests.faults.channel_bugs NAME serve …`.

Each replaces one thing in the process that runs the bridge; the product has no switch for any of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

BUGS: dict[str, Callable[[], None]] = {}
"""Name → what plants it."""


def bug(plant: Callable[[], None]) -> Callable[[], None]:
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


@bug
def heeds_no_pause() -> None:
    """A service that asks to wait is asked again at once."""
    from bridge.domain.rate import Pace

    Pace.allows = lambda _self, _now: True  # type: ignore[method-assign]


@bug
def learns_no_pace() -> None:
    """After each pause as many go as can."""
    from bridge.domain.rate import Pace
    from bridge.engine.credentials import Credentials

    Pace.spacing = lambda _self, _now: 0.0  # type: ignore[method-assign]
    most = Credentials._most

    def instead(self: Credentials, *rest: Any) -> int:
        self._windows.clear()
        return most(self, *rest)

    Credentials._most = instead  # type: ignore[method-assign]


@bug
def redirects_are_well() -> None:
    """An answer that sends elsewhere counts as taken."""
    from bridge.channels import webhook

    judge = webhook.outcome_of

    def instead(response: Any, *rest: Any) -> None:
        if not 300 <= response.status < 400:
            judge(response, *rest)

    webhook.outcome_of = instead  # type: ignore[assignment]


@bug
def every_failure_is_announced() -> None:
    from bridge.engine import outages
    from bridge.engine.credentials import Credentials

    failed = Credentials.failed

    def instead(self: Credentials, credential: str, *rest: Any) -> bool:
        return failed(self, credential, *rest) or credential in self.open()

    async def news(*_arguments: Any) -> bool:
        return True

    Credentials.failed = instead  # type: ignore[method-assign]
    outages.began = news


@bug
def one_queue_for_all() -> None:
    """Four attempts over all channels: who hangs holds them."""
    from bridge.engine.sender import Sender

    take = Sender._take

    def instead(self: Sender, name: str, lane: Any, now: Any, free: int) -> list[Any]:
        return take(self, name, lane, now, free) if sum(each.in_flight for each in self._lanes.values()) < 4 else []

    following = Sender._next
    Sender._take = instead  # type: ignore[method-assign]
    Sender._next = lambda self, now: max(following(self, now), now + timedelta(milliseconds=20))  # type: ignore[method-assign]


@bug
def bodies_without_end() -> None:
    """Whatever comes is read."""
    from bridge.http.body import BodyReader

    BodyReader.take = lambda _self, _size, _own: None  # type: ignore[method-assign]


@bug
def no_descriptor_is_spared() -> None:
    """Connections are taken as long as there are files."""
    from bridge.app import bridge

    bridge.within_limits = lambda config: config  # type: ignore[assignment]


@bug
def a_storm_swallows() -> None:
    """What a storm absorbs is told nowhere."""
    from bridge.storage import storms

    async def instead(*_arguments: Any, **_options: Any) -> bool:
        return False

    storms.join = instead  # type: ignore[assignment]


@bug
def machines_are_people() -> None:
    from bridge.channels.registry import ChannelRegistry

    ChannelRegistry.for_people = lambda _self, _name: True  # type: ignore[method-assign]


if __name__ == "__main__":
    from bridge.cli.main import main

    BUGS[sys.argv.pop(1)]()
    main()
