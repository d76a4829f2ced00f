"""What happens when a bridge comes to its crash point: it dies, its PostgreSQL server dies, or both do.

A server takes a second to come back. So scenarios meet it together: once all of them are at their points it dies as after a
crash, once, and starts again.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tests.faults.stopping import STOPS, resume, stopped

if TYPE_CHECKING:
    from tests.faults.crash_scenarios import Scenario, Stage

_GATHERS_WITHIN = 120.0
_ANSWERS_WITHIN = 30.0


class Fate(Protocol):
    """Drives a bridge to its point, and lets happen there what is to happen. Gives whether it did."""

    def __call__(self, stage: Stage, scenario: Scenario) -> bool: ...


class Gathering:
    """`number` bridges whose server dies, by `restart`, when each of them either is at its point or will not come to it."""

    def __init__(self, restart: Callable[[], None], number: int) -> None:
        self._restart = restart
        self._missing = number
        self._back = False
        self._news = threading.Condition()

    def arrive(self) -> None:
        """One more is at its point, or will not come."""
        with self._news:
            self._missing -= 1
            if self._missing == 0:
                try:
                    self._restart()
                finally:
                    self._back = True
                    self._news.notify_all()

    def wait(self) -> None:
        """Until the server is back."""
        with self._news:
            assert self._news.wait_for(lambda: self._back, _GATHERS_WITHIN), "the others did not come to their points"


class OfServer:
    """The server dies: after the bridge if `both` die, else while it is at the point, and it goes on or ends by itself.

    To be left when the scenario is over, whether it came to its point or not.
    """

    def __init__(self, gathering: Gathering, *, both: bool) -> None:
        self._gathering = gathering
        self._both = both
        self._arrived = False

    def __call__(self, stage: Stage, scenario: Scenario) -> bool:
        return self._with_bridge(stage, scenario) if self._both else self._alone(stage, scenario)

    def leave(self) -> None:
        if not self._arrived:
            self._arrived = True
            self._gathering.arrive()

    def _with_bridge(self, stage: Stage, scenario: Scenario) -> bool:
        died = bridge_dies(stage, scenario)
        self._die()
        return died

    def _alone(self, stage: Stage, scenario: Scenario) -> bool:
        bridge = stage.bridge
        planted, bridge.planted = bridge.planted, ",".join(filter(None, (bridge.planted, STOPS)))
        bridge.start(ready=scenario.ready, point=f"{scenario.point}:{scenario.nth}")
        bridge.planted = planted
        driving = threading.Thread(target=scenario.drive, args=(stage,), daemon=True)
        driving.start()
        came = stopped(bridge, stage.patience)
        self._die()
        if came:
            resume(bridge)
        driving.join(_ANSWERS_WITHIN)
        end = time.monotonic() + _ANSWERS_WITHIN
        while bridge.running and not bridge.is_ready() and time.monotonic() < end:
            time.sleep(0.02)
        return came and not driving.is_alive()

    def _die(self) -> None:
        self._arrived = True
        self._gathering.arrive()
        self._gathering.wait()


def bridge_dies(stage: Stage, scenario: Scenario) -> bool:
    """It dies at the `nth` passing, or the scenario's command does."""
    point = f"{scenario.point}:{scenario.nth}"
    if scenario.command:
        return stage.bridge.command(*scenario.command, point=point).returncode == -signal.SIGKILL
    stage.bridge.start(ready=scenario.ready, point=point)
    scenario.drive(stage)
    return stage.bridge.died(stage.patience)
