"""Whether the event loop turns: how late it is, what it was doing, and the end of a process whose loop stands still.

A loop that does not turn answers nobody and sends nothing, and nothing inside it can help. So a thread watches: when the
loop has stood still for ten seconds the thread logs where, and ends the process with exit code 70, so that whatever
supervises it starts it anew. Nothing accepted is lost by that. Time in which the thread itself did not run (a machine
asleep, a process stopped) does not count.

Code that holds the interpreter stops the thread too. For that case the kernel is asked to end the process (SIGPROF) when
it has burnt twice as many seconds of processor time without a turn of the loop.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

EXIT_BLOCKED = 70
LIMIT = 10.0
LATE = 0.25
_BEAT = 0.1
_TICK = 0.05
_REMEMBERED = 10.0
_LOG_EVERY = 5.0
_LAST_WORDS = 2.0
_FRAMES = 25
_STDERR = 2
_log = structlog.get_logger("bridge.watchdog")


def thread_of(name: str) -> int:
    """The number of the thread with this name; 0 if there is none."""
    return next((thread.ident or 0 for thread in threading.enumerate() if thread.name == name), 0)


def where(thread: int) -> str:
    """The innermost frames of a thread."""
    frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 - there is no other way to see it
    return "".join(traceback.format_stack(frame)[-_FRAMES:]) if frame is not None else "gone"


class LoopPulse:
    """The event loop's own side: it beats, measures how late each beat is, and keeps what is late.

    `observe` is called with each measurement, in seconds.
    """

    def __init__(self) -> None:
        self.observe: Callable[[float], object] = _unseen
        self._late: deque[tuple[float, float]] = deque()
        self._due = 0.0
        self._used = 0.0
        self._logged_at = 0.0
        self._next: asyncio.TimerHandle | None = None
        self.beats = 0
        self.caught = ""
        """Where the loop stood when the thread found it late; for the log."""

    def start(self) -> None:
        """Beat on the running loop until `stop`."""
        self._expect()

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def worst(self) -> float:
        """How late the loop was at worst within the last ten seconds."""
        self._drop_old(time.monotonic())
        return max((late for _at, late in self._late), default=0.0)

    def _expect(self) -> None:
        self._due = time.monotonic() + _BEAT
        self._used = time.process_time()
        self._next = asyncio.get_running_loop().call_later(_BEAT, self._beat)

    def _beat(self) -> None:
        at = time.monotonic()
        late = max(0.0, at - self._due)
        self.beats += 1
        if late > LATE:
            self._was_late(at, late)
        self.observe(late)
        self.caught = ""
        self._expect()

    def _was_late(self, at: float, late: float) -> None:
        used = time.process_time() - self._used
        if not self.caught and used < late / 10:
            _log.warning("process_was_stopped", seconds=round(late, 2))  # neither we nor the thread ran
            return
        self._drop_old(at)
        self._late.append((at, late))
        if at - self._logged_at >= _LOG_EVERY:
            self._logged_at = at
            _log.warning("loop_blocked", seconds=round(late, 2), stack=self.caught or "not seen")

    def _drop_old(self, at: float) -> None:
        while self._late and at - self._late[0][0] > _REMEMBERED:
            self._late.popleft()


def _unseen(_late: float) -> None:
    return


class Watchdog:
    """The thread's side. Make it in the main thread, where the loop runs.

    `limit` is in seconds; `end` ends the process, for tests another.
    """

    def __init__(self, pulse: LoopPulse, limit: float = LIMIT, end: Callable[[int], object] = os._exit) -> None:
        self._pulse = pulse
        self._limit = limit
        self._end = end
        self._watched = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Watch until `stop`."""
        faulthandler.register(signal.SIGPROF, file=_STDERR, all_threads=True, chain=True)
        signal.setitimer(signal.ITIMER_PROF, 2 * self._limit)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()
        self._thread.join(_LAST_WORDS)
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(signal.SIGPROF)

    def _run(self) -> None:
        seen, still, last = self._pulse.beats, 0.0, time.monotonic()
        while not self._ended.wait(_TICK):
            at = time.monotonic()
            still += min(at - last, 4 * _TICK)
            last = at
            if self._pulse.beats != seen:
                seen, still = self._pulse.beats, 0.0
                signal.setitimer(signal.ITIMER_PROF, 2 * self._limit)
            elif still > self._limit:
                self._give_up(still)
                return
            elif still > _BEAT + LATE and not self._pulse.caught:
                self._pulse.caught = where(self._watched)

    def _give_up(self, still: float) -> None:
        """Say where it stands, if that can be said in time: the loop may stand in the log itself."""
        stack = where(self._watched)

        def speak() -> None:
            _log.critical("loop_blocked_for_good", seconds=round(still, 1), stack=stack, exit_code=EXIT_BLOCKED)
            for handler in logging.getLogger().handlers:
                handler.flush()

        words = threading.Thread(target=speak, daemon=True)
        words.start()
        words.join(_LAST_WORDS)
        self._end(EXIT_BLOCKED)


@contextmanager
def watched_loop() -> Iterator[LoopPulse]:
    """The running loop under a watchdog: its pulse."""
    pulse = LoopPulse()
    watchdog = Watchdog(pulse, LIMIT)
    pulse.start()
    watchdog.start()
    try:
        yield pulse
    finally:
        watchdog.stop()
        pulse.stop()
