"""Threads for code that may never return.

Each attempt has a thread of its own, so that one that hangs is in nobody's way. One that nobody waits for any more
is left behind: Python cannot end it. Those are counted by workflow over the whole life of the process, because a reload
does not end them either, and a workflow that left too many behind gets no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

_lock = Lock()
_left: dict[str, int] = {}
_left_ever: dict[str, int] = {}


class TooManyLeft(Exception):  # noqa: N818 - it reads as the state it reports
    """`count` threads of this workflow were left behind and run still."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} of its threads were left behind and run still")
        self.count = count


def left_behind() -> Mapping[str, int]:
    """How many threads run that nobody waits for, by workflow; those that have had none are not listed."""
    with _lock:
        return dict(_left)


def left_behind_ever() -> Mapping[str, int]:
    """How many were left behind since the process began, by workflow."""
    with _lock:
        return dict(_left_ever)


async def in_thread(name: str, work: Callable[[], T], *, seconds: float, most_left: int) -> T:
    """What `work` gives, which must raise nothing. Runs in a new thread, which is left behind after `seconds`.

    Raises:
        TooManyLeft: so many of this name are left behind that no other is begun.
        TimeoutError: it has not ended; the thread goes on.
        OSError: the system gives no more threads.
    """
    with _lock:
        count = _left.get(name, 0)
    if count >= most_left:
        raise TooManyLeft(count)
    run: _Run[T] = _Run(name, asyncio.get_running_loop())
    run.start(work)
    try:
        async with asyncio.timeout(seconds):
            return await run.result
    except BaseException:
        run.leave()
        raise


class _Run(Generic[T]):
    """One thread, and whether somebody waits for it."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.result: asyncio.Future[T] = loop.create_future()
        self._name = name
        self._loop = loop
        self._ended = False
        self._is_left = False

    def start(self, work: Callable[[], T]) -> None:
        def body() -> None:
            given = work()
            self._end()
            with suppress(RuntimeError):  # the loop may be closed: the bridge has stopped
                self._loop.call_soon_threadsafe(self._give, given)

        try:
            Thread(target=body, name=f"workflow {self._name}", daemon=True).start()
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def leave(self) -> None:
        with _lock:
            if not self._ended and not self._is_left:
                self._is_left = True
                _left[self._name] = _left.get(self._name, 0) + 1
                _left_ever[self._name] = _left_ever.get(self._name, 0) + 1

    def _end(self) -> None:
        with _lock:
            self._ended = True
            if self._is_left:
                _left[self._name] -= 1

    def _give(self, given: T) -> None:
        if not self.result.done():
            self.result.set_result(given)
