"""What the contract suite must know of a channel. Each module in `cases/` has one `CASE`.

A new channel joins the suite by adding `cases/<type>.py`; nothing else in the suite changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from bridge.channels.api import Channel, Idempotency, Reason
from tests.simulators.server import Recorded, Told


class Outcome(StrEnum):
    SENT = "sent"
    RETRYABLE = "retryable"
    PERMANENT = "permanent"
    REFUSED = "refused"


class Service(Protocol):
    """A running simulator. Those of HTTP channels inherit `tests.simulators.server.Simulator`."""

    @property
    def url(self) -> str:
        """What `Case.options` points the channel at; empty where that makes no sense."""

    def told(self) -> Sequence[Told]:
        """What people were told, oldest first, markup undone."""


@dataclass(frozen=True)
class Case:
    """One channel type; a type with several ways of sending has a module in `cases/` for each.

    `service` makes the simulator. `options` gets its `url` and gives the options as they stand in YAML, without
    `type`, every secret being one of `canaries` (or holding one). `accepts` are the 2xx statuses that mean success
    when they come with `success_body`; every other 2xx must be retryable. `outcomes` overrides the common table
    (part 9 of the manual's channel page) for a status. `bad_success` are bodies that make a 2xx no success.
    `checks_body` says that a 2xx whose body is cut off or is no JSON is no success. `native_key` finds the
    idempotency key in a request; given exactly if `idempotency` is native. `resolves` tells whether a resolve is
    a message of its own that `told` shows. `follows` are the follow-ups that it shows unasked. `limit` is the most bytes a request's body may have.
    """

    name: str
    channel: type[Channel]
    idempotency: Idempotency
    service: Callable[[], AbstractAsyncContextManager[Service]]
    options: Callable[[str], Mapping[str, Any]]
    canaries: tuple[str, ...]
    http: bool = True
    accepts: frozenset[int] = frozenset(range(200, 209))
    success_body: bytes = b""
    bad_success: tuple[bytes, ...] = ()
    checks_body: bool = False
    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    error_body: Callable[[str], bytes] = str.encode
    """Makes the vendor's error body around a text (the suite puts the canaries there)."""
    native_key: Callable[[Recorded], str] | None = None
    resolves: bool = True
    follows: tuple[Reason, ...] = ()
    limit: int = 10_000_000

    def expected(self, status: int) -> Outcome:
        """What this status must lead to."""
        if status in self.outcomes:
            return self.outcomes[status]
        if 200 <= status < 300:
            empty = status == 204 and self.checks_body  # a 204 cannot have the body that is looked for
            return Outcome.SENT if status in self.accepts and not empty else Outcome.RETRYABLE
        if status in {408, 425, 429} or status >= 500 or 300 <= status < 400:
            return Outcome.RETRYABLE
        return Outcome.REFUSED if status in {401, 403, 404, 410} else Outcome.PERMANENT

    def build(self, url: str, **more: object) -> Channel:
        """The channel, from options in their written form; `more` adds or replaces some."""
        options = self.channel.Options.model_validate({"type": self.name, **self.options(url), **more})
        return self.channel(f"the-{self.name}", options)
