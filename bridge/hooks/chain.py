"""Runs hooks one inside the other, each within its own time and its own failure policy.

The chain trusts no hook: one that raises, is too slow, goes on twice, stops without saying so or answers with
something else is at fault, and its `on_error` decides. What the hooks after it decided is never lost by that.

Two ways through, one rule. A chain without I/O is driven by hand and never suspends, so that it may run inside a
transaction. A chain with I/O gives every hook a timer that stands still while the hooks after it work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from time import perf_counter
from types import CoroutineType
from typing import Literal, cast

from msgspec import Struct

from bridge.domain.errors import BridgeError
from bridge.hooks.api import Drop, Hold, Hook, HookOptions, Notification, Pass, Verdict

CLOSED_HOLD = timedelta(seconds=30)
"""How long a failed hook with `on_error: closed` holds the notification before it is judged again."""


class Outcome(StrEnum):
    """What one hook did."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    DROP = "drop"
    HOLD = "hold"
    ERROR = "error"


class Fault(StrEnum):
    """What a hook did wrong: the reason of a step whose verdict is `error`."""

    RAISED = "raised"
    TIMEOUT = "timeout"
    NOT_FORWARDED = "not_forwarded"
    FORWARDED_TWICE = "forwarded_twice"
    NOT_AWAITED = "not_awaited"
    OVERRULED = "overruled"
    BAD_VERDICT = "bad_verdict"
    WAITED = "waited"


class Step(Struct, frozen=True, gc=False):
    """What one hook did, in `seconds` of its own (the hooks after it excluded). `detail` is for people."""

    hook: str
    verdict: Outcome
    reason: str
    seconds: float
    detail: str = ""


class Judged(Struct, frozen=True):
    """The chain's answer. `hook` is who decided to drop or hold, empty if it passed.

    `trace` has one step for each hook that was reached, in the order of the chain.
    """

    verdict: Verdict
    hook: str
    trace: tuple[Step, ...]


class Link(Struct, frozen=True):
    """A hook as configured: its name, failure policy, and budget in seconds."""

    name: str
    hook: Hook
    on_error: Literal["open", "closed"] = "open"
    budget: float = HookOptions.model_fields["budget"].default.total_seconds()

    @property
    def does_io(self) -> bool:
        """Whether the hook may wait for something; one that does not say so may."""
        return bool(getattr(self.hook, "does_io", True))


class Chain:
    """Hooks in the order in which they see a notification."""

    def __init__(self, hooks: Sequence[Link | Hook]) -> None:
        """A bare hook gets its class's name and the default policy."""
        self.links = tuple(hook if isinstance(hook, Link) else Link(hook.name, hook) for hook in hooks)
        self.does_io: bool = any(link.does_io for link in self.links)

    async def run(self, notification: Notification) -> Judged:
        """Judges the notification. Never suspends unless `does_io`. Raises nothing but cancellation."""
        return await self._wait(0, notification) if self.does_io else self._drive(0, notification)

    def judge(self, notification: Notification) -> Judged:
        """As `run`, outside a coroutine, for a chain without I/O.

        Raises:
            RuntimeError: the chain does I/O.
        """
        if self.does_io:
            raise RuntimeError("a chain that does I/O must be awaited")
        return self._drive(0, notification)

    def _drive(self, index: int, notification: Notification) -> Judged:
        if index == len(self.links):
            return Judged(Pass(notification), "", ())
        link = self.links[index]
        turn = _Turn(self, index, link)
        try:
            answer = _driven(link.hook(notification, turn.forward))
        except BaseException as error:  # noqa: BLE001 - a hook may raise anything, SystemExit and CancelledError too
            answer = error
        return turn.settle(answer, notification.now) or turn.skip(self._drive(index + 1, notification))

    async def _wait(self, index: int, notification: Notification) -> Judged:
        if index == len(self.links):
            return Judged(Pass(notification), "", ())
        link = self.links[index]
        turn = _Turn(self, index, link)
        timer = turn.timer = asyncio.timeout(link.budget)
        answer: object
        try:
            async with timer:
                answer = await link.hook(notification, turn.forward)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            answer = error
        except BaseException as error:  # noqa: BLE001 - as above; the bridge's own signals do not come as exceptions
            answer = error
        if timer.expired():  # also when the hook swallowed the cancellation and answered too late
            answer = _HookFault(Fault.TIMEOUT, f"took longer than {link.budget:g} s")
        return turn.settle(answer, notification.now) or turn.skip(await self._wait(index + 1, notification))


def _driven(coroutine: object) -> object:
    """The result of a coroutine that never suspends."""
    if not isinstance(coroutine, CoroutineType):
        raise _HookFault(Fault.BAD_VERDICT, "its __call__ is no coroutine (async def)")
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise _HookFault(Fault.WAITED, "waited for something although its does_io is False")


class _HookFault(Exception):  # noqa: N818 - a hook that meets it sees just an exception
    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class _Turn:
    """One call of one hook: whether it went on, what came back, how long it took itself."""

    __slots__ = (
        "_calls",
        "_chain",
        "_elsewhere",
        "_index",
        "_inner",
        "_link",
        "_over",
        "_seconds",
        "_started",
        "_step",
        "timer",
    )

    def __init__(self, chain: Chain, index: int, link: Link) -> None:
        self._chain = chain
        self._index = index
        self._link = link
        self._calls = 0
        self._over = False
        self._elsewhere = 0.0
        self._inner: Judged | None = None
        self.timer: asyncio.Timeout | None = None
        self._started = perf_counter()

    async def forward(self, notification: Notification) -> Verdict:
        """What the hook awaits to go on."""
        self._calls += 1
        if self._calls > 1:
            raise _HookFault(Fault.FORWARDED_TWICE, "called forward twice")
        if self._over:
            raise _HookFault(Fault.NOT_AWAITED, "called forward after its end")
        if not isinstance(notification, Notification):
            raise _HookFault(Fault.BAD_VERDICT, f"forwarded a {type(notification).__name__}, not a notification")
        started = perf_counter()
        if self.timer is None:
            self._inner = self._chain._drive(self._index + 1, notification)  # noqa: SLF001 - its other half
        else:
            self._inner = await self._rest(self.timer, notification)
        self._elsewhere += perf_counter() - started
        return self._inner.verdict

    async def _rest(self, timer: asyncio.Timeout, notification: Notification) -> Judged:
        """The hooks after this one, while its own timer stands still."""
        if timer.expired():
            raise TimeoutError
        loop = asyncio.get_running_loop()
        left = (timer.when() or 0.0) - loop.time()
        timer.reschedule(None)
        try:
            return await self._chain._wait(self._index + 1, notification)  # noqa: SLF001 - its other half
        finally:
            if not self._over:
                timer.reschedule(loop.time() + left)

    def settle(self, answer: object, now: datetime) -> Judged | None:
        """What follows from the hook's answer, which is a verdict or what it raised.

        None when the hook is at fault, fails open and never went on: the rest must be run and given to `skip`.
        """
        self._seconds = perf_counter() - self._started - self._elsewhere
        self._over = True
        problem = self._problem_with(answer)
        if problem is None:
            return self._accept(cast("Verdict", answer))
        self._step = Step(self._link.name, Outcome.ERROR, problem.fault.value, self._seconds, str(problem))
        if self._link.on_error == "closed":
            trace = self._inner.trace if self._inner is not None else ()
            hold = Hold(now + CLOSED_HOLD, f"hook_error:{self._link.name}")
            return Judged(hold, self._link.name, (self._step, *trace))
        return None if self._inner is None else self.skip(self._inner)

    def skip(self, rest: Judged) -> Judged:
        """Goes on without the hook at fault."""
        return Judged(rest.verdict, rest.hook, (self._step, *rest.trace))

    def _accept(self, verdict: Verdict) -> Judged:
        name, inner = self._link.name, self._inner
        trace = inner.trace if inner is not None else ()
        if isinstance(verdict, Pass) or (inner is not None and verdict is inner.verdict):
            decided_by = inner.hook if inner is not None else ""
            return Judged(verdict, decided_by, (Step(name, Outcome.PASS, "", self._seconds), *trace))
        outcome = Outcome.DROP if isinstance(verdict, Drop) else Outcome.HOLD
        return Judged(verdict, name, (Step(name, outcome, verdict.reason, self._seconds), *trace))

    def _problem_with(self, answer: object) -> _HookFault | None:
        if self._calls > 1:
            return _HookFault(Fault.FORWARDED_TWICE, "called forward twice")
        if isinstance(answer, BaseException):
            return _raised(answer)
        if isinstance(answer, CoroutineType):
            answer.close()
            return _HookFault(Fault.NOT_AWAITED, "returned a coroutine; await forward(notification)")
        if not _well_formed(answer):
            return _HookFault(Fault.BAD_VERDICT, f"answered with no proper verdict but a {type(answer).__name__}")
        return self._out_of_turn(passes=isinstance(answer, Pass))

    def _out_of_turn(self, *, passes: bool) -> _HookFault | None:
        if self._inner is None:
            if self._calls:
                return _HookFault(Fault.NOT_AWAITED, "did not wait for forward")
            return _HookFault(Fault.NOT_FORWARDED, "passed without calling forward") if passes else None
        if passes and not isinstance(self._inner.verdict, Pass):
            return _HookFault(Fault.OVERRULED, "passed what a later hook stopped")
        return None


def _well_formed(answer: object) -> bool:
    """Structs are not checked when they are made, so a hook may have put anything in."""
    if isinstance(answer, Pass):
        return _is(answer.notification, Notification)
    if isinstance(answer, Drop):
        return _is(answer.reason, str) and answer.reason != ""
    if isinstance(answer, Hold):
        return _is(answer.until, datetime) and answer.until.tzinfo is not None and _is(answer.reason, str)
    return False


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _raised(error: BaseException) -> _HookFault:
    if isinstance(error, _HookFault):
        return error
    # Only our own errors are known to quote no credential.
    text = f": {error}" if isinstance(error, BridgeError) else ""
    return _HookFault(Fault.RAISED, f"raised {type(error).__name__}{text}")
