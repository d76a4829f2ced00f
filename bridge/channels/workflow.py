"""workflow: does what a class of the operator's says, in Python.

Every workflow of a plugin file is such a channel under its class's name without being written among the channels;
written there it takes the options of all channels.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import ClassVar

import structlog
from pydantic import Field

from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Permanent,
    Receipt,
    Refused,
    Retryable,
    Secret,
)
from bridge.channels.sizes import one_line
from bridge.domain.errors import ChannelError, ConfigError
from bridge.workflows.api import Action
from bridge.workflows.context import Attempted, context_of
from bridge.workflows.perform import Course, Failed, Progress
from bridge.workflows.threads import TooManyLeft, in_thread

_REMEMBERED = 1000
_BUSY_SECONDS = 30.0
_ENDING_SECONDS = 1.0
_ENDING_SHARE = 0.1
_COROUTINES_SHARE = 0.95  # they can be cancelled, so their threads need not be left behind
_SECRET_NAMES = re.compile(r"key|token|secret|pass|url|auth|cred|webhook|dsn", re.IGNORECASE)
_SHORTEST_SECRET = 4
_DEEPEST = 4
_log = structlog.get_logger("bridge.workflow")


class WorkflowOptions(ChannelOptions):
    """`max_in_flight` bounds the threads: so many attempts at once, and as many again left behind."""

    workflow: str = Field("", description="the class's name; the channel's own name if absent")
    max_in_flight: int = Field(4, ge=1, le=64)


class WorkflowChannel:
    """Runs the workflow's actions in a thread, in order.

    An action that raises ends the attempt; the next attempt goes on with that action, as far as this process remembers.
    """

    Options: ClassVar[type[ChannelOptions]] = WorkflowOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: ClassVar[bool] = False

    def __init__(
        self, name: str, options: WorkflowOptions, *, workflows: Mapping[str, tuple[Action, ...]] | None = None
    ) -> None:
        self.name = name
        self.workflow = options.workflow or name
        actions = (workflows or {}).get(self.workflow)
        if actions is None:
            raise ConfigError(f"channel {name!r}: there is no workflow {self.workflow!r}")
        self._actions = actions
        self._options = options
        self._progress: OrderedDict[str, Progress] = OrderedDict()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What the actions hold that looks like a credential by its name: to be struck out of errors and logs."""
        found = dict.fromkeys(
            text for action in self._actions for text in _texts(_attributes(action.plugin), "", _DEEPEST)
        )
        return tuple(Secret(text) for text in found)

    async def send(self, message: Message, context: Context) -> Receipt:
        attempted = Attempted(self.workflow, context.attempt, context.idempotency_key, context.now, context.plain)
        timeout = self._options.timeout.total_seconds()
        seconds = timeout - min(_ENDING_SECONDS, timeout * _ENDING_SHARE)  # the engine ends the attempt at `timeout`
        course = Course(
            self._actions,
            lambda: context_of(message, attempted),
            self._progress_of(context.idempotency_key),
            seconds * _COROUTINES_SHARE,
        )
        failed = await self._run(course, seconds)
        if failed is not None:
            raise _failure(failed)
        self._progress.pop(context.idempotency_key, None)
        return Receipt(detail=f"{len(self._actions)} actions done")

    async def _run(self, course: Course, seconds: float) -> Failed | None:
        most = self._options.max_in_flight
        try:
            return await in_thread(self.workflow, course.run, seconds=seconds, most_left=most)
        except TooManyLeft as error:
            raise Retryable(FailureReason.BUSY, str(error), retry_after=_BUSY_SECONDS) from None
        except OSError as error:
            if not isinstance(error, TimeoutError):
                raise Retryable(FailureReason.BUSY, str(error), retry_after=_BUSY_SECONDS) from None
            _log.warning("workflow_left_behind", workflow=self.workflow, action=course.at, seconds=seconds)
            detail = f"the action {course.at!r} did not end within {seconds:g} s; its thread is left behind"
            raise Retryable(FailureReason.TIMEOUT, detail, unknown=True) from None
        finally:
            course.left = True

    def _progress_of(self, key: str) -> Progress:
        """How far this delivery came; of the oldest ones it is forgotten."""
        progress = self._progress.setdefault(key, Progress())
        self._progress.move_to_end(key)
        if len(self._progress) > _REMEMBERED:
            self._progress.popitem(last=False)
        return progress


def _failure(failed: Failed) -> ChannelError:
    """The kind of verdict that the action gave stands, in words of ours; everything else is tried again."""
    detail = f"the action {failed.action!r}: {one_line(failed.detail)}"
    match failed.verdict:
        case Permanent(reason=FailureReason() as reason):
            return Permanent(reason, detail)
        case Refused(reason=FailureReason() as reason):
            return Refused(reason, detail)
        case Retryable(reason=FailureReason() as reason, retry_after=(float() | int() | None) as after):
            return Retryable(reason, detail, retry_after=after, unknown=bool(failed.verdict.unknown))
    return Retryable(FailureReason.TIMEOUT if failed.late else FailureReason.PLUGIN_ERROR, detail, unknown=failed.late)


def _attributes(plugin: object) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(plugin, "__dict__", {})
    return found


def _texts(value: object, name: str, deeper: int) -> Iterator[str]:
    """The texts that stand under a name which sounds like a credential, in mappings and lists too."""
    if isinstance(value, str):
        if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST_SECRET:
            yield value
    elif deeper and isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(entry, f"{name}.{key}", deeper - 1)
    elif deeper and isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry, name, deeper - 1)
