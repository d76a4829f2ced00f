"""Structured logs on standard error: one line an event, JSON or console.

Label text is hostile, so everything that came from outside is escaped and cut before it is written, and every known
credential is struck out by `redact`. Locals of a traceback are never shown.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.observe.log_thread import LogThread

MAX_VALUE = 4096
MAX_TRACE = 16_384
MAX_ITEMS = 64
MAX_DEPTH = 4

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Set by the HTTP server for each request; its task has a context of its own."""

INCIDENT_ID: ContextVar[str] = ContextVar("incident_id", default="")
"""Set by the engine around work on one incident."""

Redact = Callable[[str], str]
Format = Literal["json", "console"]

# Everything a terminal or a log viewer may act on: C0, DEL, C1, line separators, bidirectional controls.
_UNSAFE = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        0x7F,
        *range(0x80, 0xA0),
        0x061C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
        *range(0xD800, 0xE000),
    )
}
_UNSAFE |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
_UNSAFE_IN_TRACE = {code: text for code, text in _UNSAFE.items() if code != ord("\n")}


def escape(text: str, limit: int = MAX_VALUE) -> str:
    """The text on one line, without anything that a terminal would act on, at most about `limit` characters long."""
    return _cut(text, limit).translate(_UNSAFE)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more)"


def _identify(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if request := REQUEST_ID.get():
        event.setdefault("request_id", request)
    if incident := INCIDENT_ID.get():
        event.setdefault("incident_id", incident)
    return event


def cleaner(redact: Redact) -> Processor:
    """A processor that redacts, cuts and escapes every text of an event, however nested. Redaction comes first."""

    def text(value: str, limit: int = MAX_VALUE) -> str:
        return escape(redact(value), limit)

    def clean(value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return text(value)
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            return {text(str(key)): clean(item, depth + 1) for key, item in list(value.items())[:MAX_ITEMS]}
        if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
            return [clean(item, depth + 1) for item in list(value)[:MAX_ITEMS]]
        return text(str(value))

    def process(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> EventDict:
        trace = event.pop("exception", None)
        cleaned: EventDict = {
            text(str(key)): value if str(key).startswith("_") else clean(value, 0) for key, value in event.items()
        }
        if trace is not None:
            cleaned["exception"] = _cut(redact(str(trace)), MAX_TRACE).translate(_UNSAFE_IN_TRACE)
        return cleaned

    return process


def configure(
    *,
    format: Format = "json",  # noqa: A002 - the word of the command line
    level: str = "info",
    redact: Redact = str,
    stream: TextIO | None = None,
    detached: bool = False,
) -> None:
    """Send structlog's and the standard library's events to `stream` (standard error), in one form.

    May be called again: the last call rules. `level` is `debug`, `info`, `warning` or `error`. `detached`: to standard
    error by way of `log_thread()`, so that a log that nobody reads holds up nothing.
    """
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _identify,
        structlog.processors.format_exc_info,
        cleaner(redact),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="at"
        )
    )
    handler = log_thread() if detached else logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every event, also of our own database
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@cache
def log_thread() -> LogThread:
    """What writes the log of a process that must not wait for it."""
    return LogThread(sys.stderr)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part. Events are short and constant; what varies goes into named values."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
