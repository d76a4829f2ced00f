"""One deadline for many short waits, at the price of two dictionary operations each.

`asyncio.timeout` arms a timer for every wait. Here all waits are equally long, so they end in the order they began
and one timer, for the oldest, is enough.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

_LATE = float("inf")


class Deadline:
    """`with deadline:` round awaits of the current task; raises TimeoutError after `seconds`. Not to be nested."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[object], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> None:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None or task in self._due:
            raise RuntimeError("a deadline is for one wait of a task")
        due = loop.time() + self._seconds
        self._due[task] = due
        if self._timer is None:
            self._timer = loop.call_at(due, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a deadline ends in the task it began in")
        late = self._due.pop(task) == _LATE
        if late and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for task, due in self._due.items():
            if due == _LATE:
                continue
            if due > now:
                self._timer = loop.call_at(due, self._expire)
                return
            self._due[task] = _LATE
            task.cancel()
