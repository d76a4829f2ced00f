"""exec: hands the notification to a program of the operator's as JSON on standard input.

There is no shell, the program must lie in a directory that `exec.directories` allows, and nothing of an alert stands
in its arguments. Its environment holds `ALERTBRIDGE_*`, the option `environment` and a fixed PATH, nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import msgspec
from pydantic import Field, StringConstraints, field_validator, model_validator

from bridge.channels import webhook_v4
from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Permanent,
    PlainAllowed,
    Receipt,
    Refused,
    Retryable,
    Secret,
)
from bridge.channels.exec_program import Finished, run
from bridge.channels.sizes import one_line

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
_ENDING_SECONDS = 2.0
_ENDING_SHARE = 0.2
_GRACE_SHARE = 0.75
_LONGEST_VALUE = 1024
_BUSY_SECONDS = 1.0

Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")]


class ExecOptions(ChannelOptions):
    """`max_in_flight` is `max_running` unless given."""

    command: tuple[Argument, ...] = Field(
        min_length=1, description="the program and its arguments; no shell reads them"
    )
    max_running: int = Field(4, ge=1, le=256, description="how many may run at a time")
    environment: Mapping[VariableName, Annotated[Secret, PlainAllowed()]] = Field(
        default_factory=dict, description="further variables of its environment"
    )

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_may_run(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "max_in_flight" not in given and "max_running" in given:
            return {**given, "max_in_flight": given["max_running"]}
        return {"max_in_flight": 4, **given} if isinstance(given, Mapping) else given

    @field_validator("environment")
    @classmethod
    def _ours_stay_ours(cls, environment: Mapping[str, Secret]) -> Mapping[str, Secret]:
        for name in environment:
            if name.startswith("ALERTBRIDGE_"):
                raise ValueError(f"the variable {name} is set by the channel itself")
        return environment

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.command[0].strip():
            raise ValueError("command begins with the program's path")
        return self


class ExecChannel:
    """Runs a program for each notification.

    Exit code 0 is delivered, 75 is tried again, every other is refused for good. Ended by the time limit or by a
    signal: tried again, and it may have done its work.
    """

    Options: ClassVar[type[ChannelOptions]] = ExecOptions
    idempotency: ClassVar[Idempotency] = "none"
    people: ClassVar[bool] = False
    follows_acknowledgement: ClassVar[bool] = False

    def __init__(self, name: str, options: ExecOptions, *, exec_directories: tuple[Path, ...] = ()) -> None:
        self.name = name
        self._options = options
        self._directories = exec_directories
        self._running = 0

    async def send(self, message: Message, context: Context) -> Receipt:
        program = find_program(self._options.command[0], self._directories)
        if self._running >= self._options.max_running:
            raise Retryable(FailureReason.BUSY, f"{self._running} of it are running already", retry_after=_BUSY_SECONDS)
        self._running += 1
        timeout = self._options.timeout.total_seconds()
        ending = min(_ENDING_SECONDS, timeout * _ENDING_SHARE)  # whoever called ends the attempt itself at `timeout`
        try:
            finished = await run(
                program,
                self._options.command,
                data=document(message, context.now),
                environment=_environment(message, context, self.name, self._options.environment),
                limit=timeout - ending,
                grace=ending * _GRACE_SHARE,
            )
        except OSError as error:
            raise _not_started(program, error) from error
        finally:
            self._running -= 1
        return _judge(finished)


def find_program(named: str, directories: tuple[Path, ...]) -> Path:
    """The file to run, links resolved. A name without a slash is looked up in `directories`.

    It is judged before every run, because files and links change.

    Raises:
        Refused: it is not there, no program, or not in one of `directories`.
    """
    allowed = [directory.resolve() for directory in directories]
    if not allowed:
        raise Refused(FailureReason.DESTINATION_GONE, "exec.directories of the configuration allows no directory")
    candidates = [Path(named)] if "/" in named else [directory / named for directory in allowed]
    for candidate in candidates:
        program = Path(os.path.realpath(candidate))
        if not program.is_file():
            continue
        if not any(program.is_relative_to(directory) for directory in allowed):
            raise Refused(FailureReason.DESTINATION_GONE, f"{candidate} is not in a directory of exec.directories")
        if not os.access(program, os.X_OK):
            raise Refused(FailureReason.DESTINATION_GONE, f"{candidate} is not executable")
        return program
    raise Refused(FailureReason.DESTINATION_GONE, f"there is no program {named}")


def document(message: Message, now: datetime) -> bytes:
    """Alertmanager's payload as the webhook channel sends it, with the bridge's own words added."""
    payload = msgspec.json.decode(webhook_v4.encode(message, now), type=dict[str, msgspec.Raw])
    ours = {
        "reason": message.reason.value,
        "incident": message.incident,
        "source": message.source,
        "route": message.route,
        "severity": message.severity,
        "title": message.title,
        "text": message.text,
        "note": message.note,
        "acknowledgedBy": message.acknowledged_by,
        "actions": [
            {"action": action.deed.value, "label": action.label, "url": action.url} for action in message.actions
        ],
        "standing": message.standing,
    }
    return msgspec.json.encode({**payload, **ours})


def _environment(message: Message, context: Context, channel: str, extra: Mapping[str, Secret]) -> dict[str, str]:
    ours = {
        "STATUS": message.status.value,
        "REASON": message.reason.value,
        "INCIDENT": message.incident,
        "RECEIVER": message.receiver,
        "SOURCE": message.source,
        "ROUTE": message.route,
        "SEVERITY": message.severity,
        "CHANNEL": channel,
        "ATTEMPT": str(context.attempt),
        "IDEMPOTENCY_KEY": context.idempotency_key,
        "GROUP_KEY": message.dedup,
    }
    named = {f"ALERTBRIDGE_{name}": one_line(value)[:_LONGEST_VALUE] for name, value in ours.items()}
    return {"PATH": _PATH, **{name: value.reveal() for name, value in extra.items()}, **named}


def _judge(finished: Finished) -> Receipt:
    if finished.out_of_time:
        raise Retryable(FailureReason.TIMEOUT, _because("it ran too long and was ended", finished), unknown=True)
    if finished.code == 0:
        return Receipt(detail="the program ended with 0")
    if finished.code < 0:
        said = _because(f"it was ended by signal {-finished.code}", finished)
        raise Retryable(FailureReason.TEMPORARY, said, unknown=True)
    said = _because(f"it ended with {finished.code}", finished)
    if finished.code == _TRY_AGAIN:
        raise Retryable(FailureReason.TEMPORARY, said)
    raise Permanent(FailureReason.CONTENT_REFUSED, said)


def _because(what: str, finished: Finished) -> str:
    """With the end of what the program wrote on standard error, as it wrote it: what it prints there is shown."""
    errors = one_line(finished.errors)
    return f"{what}: {errors}" if errors else what


def _not_started(program: Path, error: OSError) -> Retryable | Refused:
    if isinstance(error, (FileNotFoundError, PermissionError)) or error.errno in {8, 20}:  # no program, no directory
        return Refused(FailureReason.DESTINATION_GONE, f"{program} cannot be started: {error.strerror}")
    return Retryable(FailureReason.TEMPORARY, f"{program} cannot be started now: {error.strerror}")
