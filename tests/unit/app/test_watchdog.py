"""The loop's pulse, and the thread that ends a process whose loop stands still. Here the end is a note."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.app import watchdog as watched
from bridge.app.watchdog import EXIT_BLOCKED, LoopPulse, Watchdog


@pytest.fixture
def pulse() -> LoopPulse:
    return LoopPulse()


@pytest.fixture(autouse=True)
def every_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watched, "_LOG_EVERY", 0.0)
    yield
    structlog.reset_defaults()


def block(seconds: float) -> None:
    """Hold the loop as a plugin that waits without `await` would."""
    time.sleep(seconds)


async def watched_while(
    pulse: LoopPulse, seconds: float, limit: float = 60.0
) -> tuple[list[int], list[dict[str, object]]]:
    """Block the loop under a watchdog: (the exit codes asked for, the log)."""
    ends: list[int] = []
    dog = Watchdog(pulse, limit, ends.append)
    pulse.start()
    dog.start()
    with capture_logs() as logs:
        await asyncio.sleep(0.3)
        block(seconds)
        await asyncio.sleep(0.3)
    dog.stop()
    pulse.stop()
    return ends, [dict(entry) for entry in logs]


async def test_a_loop_that_is_late_is_logged_with_where_it_stood(pulse: LoopPulse) -> None:
    ends, logs = await watched_while(pulse, 0.6)
    assert ends == []
    stacks = [str(entry["stack"]) for entry in logs if entry["event"] == "loop_blocked"]
    assert any("time.sleep(seconds)" in stack and "in block" in stack for stack in stacks)
    assert 0.3 < pulse.worst() < 5


async def test_a_loop_that_turns_is_neither_late_nor_ended(pulse: LoopPulse) -> None:
    ends, _logs = await watched_while(pulse, 0.0, limit=10.0)
    assert ends == []
    assert pulse.beats >= 3


async def test_a_loop_that_stands_still_for_too_long_ends_the_process_with_its_own_code(pulse: LoopPulse) -> None:
    ends, logs = await watched_while(pulse, 1.5, limit=0.8)
    assert ends == [EXIT_BLOCKED] == [70]
    (entry,) = [entry for entry in logs if entry["event"] == "loop_blocked_for_good"]
    assert entry["log_level"] == "critical"
    assert "in block" in str(entry["stack"])


async def test_time_in_which_the_thread_did_not_run_either_does_not_count(
    pulse: LoopPulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped, or a machine that slept, wakes up long after; nobody blocked anything."""
    leaps = iter([0.0] * 4 + [600.0] * 100_000)
    monotonic = time.monotonic

    class Leaping:
        monotonic = staticmethod(lambda: monotonic() + next(leaps))

    ends: list[int] = []
    dog = Watchdog(pulse, 0.7, ends.append)
    monkeypatch.setattr(watched, "time", Leaping)
    dog.start()
    block(0.4)
    dog.stop()
    assert ends == []


async def test_a_log_that_takes_no_more_does_not_keep_the_process_alive(
    pulse: LoopPulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop may stand in the log itself, and hold its lock."""
    full = threading.Event()
    ends: list[int] = []
    monkeypatch.setattr(watched, "_LAST_WORDS", 0.05)
    monkeypatch.setattr(watched._log, "critical", lambda *_a, **_k: full.wait(10), raising=False)
    Watchdog(pulse, 1.0, ends.append)._give_up(1.0)
    full.set()
    assert ends == [EXIT_BLOCKED]


async def test_processor_time_without_a_turn_is_bounded_by_the_kernel(pulse: LoopPulse) -> None:
    """For code that holds the interpreter, so that no thread of ours runs."""
    dog = Watchdog(pulse, 30.0, lambda _code: None)
    pulse.start()
    dog.start()
    await asyncio.sleep(0.4)
    left, again = signal.getitimer(signal.ITIMER_PROF)
    dog.stop()
    pulse.stop()
    assert 50 < left < 61
    assert again == 0
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


async def test_a_process_that_was_stopped_was_not_late(pulse: LoopPulse) -> None:
    pulse.start()
    pulse._due -= 30
    with capture_logs() as logs:
        await asyncio.sleep(0.15)
    pulse.stop()
    assert [entry["event"] for entry in logs] == ["process_was_stopped"]
    assert pulse.worst() == 0.0
