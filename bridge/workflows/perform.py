"""Does a workflow's actions, one after the other. Whatever they raise becomes a word of the outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any

from msgspec import Struct

from bridge.domain.errors import ChannelError
from bridge.domain.raised import why
from bridge.workflows.api import Action

_LONGEST = 500


class Progress(Struct):
    """How far the earlier attempts of one delivery came: so many actions are done. `kept` are the keys they added."""

    done: int = 0
    kept: dict[str, Any] = {}


class Failed(Struct, frozen=True):
    """An action raised. `verdict` is its error if that is one a channel may raise; `late` if its time was over."""

    action: str
    detail: str
    verdict: ChannelError | None = None
    late: bool = False


class Course(Struct):
    """One attempt, whose coroutines are cancelled after `seconds`. `left` says that nobody waits for it any more: then no further action is begun.

    `at` names the action that is being done, for whoever has to say where the time went.
    """

    actions: Sequence[Action]
    make_context: Callable[[], dict[str, Any]]
    progress: Progress
    seconds: float
    left: bool = False
    at: str = ""

    def run(self) -> Failed | None:
        """Go on from the first action that is not done; None if all are. Raises nothing."""
        ends = time.monotonic() + self.seconds
        fresh = self.make_context()
        context = {**self.progress.kept, **fresh}
        for number, action in enumerate(self.actions):
            if number < self.progress.done:
                continue
            if self.left:
                break
            self.at = action.name
            failed = _do(action, context, ends)
            if failed is not None:
                return failed
            self.progress.kept = {key: value for key, value in context.items() if key not in fresh}
            self.progress.done = max(self.progress.done, number + 1)
        return None


def _do(action: Action, context: dict[str, Any], ends: float) -> Failed | None:
    try:
        result = action.plugin.execute(context)
        if isawaitable(result):
            asyncio.run(_within(result, ends - time.monotonic()))
    except ChannelError as error:
        return Failed(action.name, str(error.detail)[:_LONGEST], error)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit too
        late = isinstance(error, TimeoutError) and time.monotonic() >= ends
        return Failed(action.name, why(error)[:_LONGEST], late=late)
    return None


async def _within(result: Awaitable[object], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await result
