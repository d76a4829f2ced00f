"""The seam every hook stands behind, built in or third-party.

A hook is a class with an options model and one coroutine `__call__(notification, forward) -> Verdict`. It goes on by
awaiting `forward(notification)`, perhaps with a changed notification, and returns that verdict; or it returns `Drop`
or `Hold` itself. What it adds is kept; what it drops is recorded with its reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field

from bridge.domain.alert import Alert
from bridge.domain.options import Duration

if TYPE_CHECKING:
    from bridge.net import HttpClient

__all__ = [
    "Drop",
    "Forward",
    "Hold",
    "Hook",
    "HookContext",
    "HookOptions",
    "Notification",
    "Pass",
    "Transition",
    "Verdict",
]


class Transition(StrEnum):
    """What the planner found: only the first three are news."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"
    REPEAT = "repeat"
    STALE = "stale"


class Notification(Struct, frozen=True):
    """What is about to be told about one incident (after routing) or one alert (before routing).

    `alerts` are those this event is about. Before routing `incident`, `route` and `receiver` are empty.
    `told_at` is when anybody was last told, or queued to be told, about the incident; None if never.
    `acknowledged` is the incident's state; `from_webhook` whether a sender's own timer repeats it; `due` says of a repeat
    that the bridge's own time for it has come: it is no duplicate. `dry_run`: somebody only asks what would be said of
    alerts that may not exist; a hook that acts or remembers leaves that.
    `labels` and `annotations` are what hooks added, by alert fingerprint. `escalation` is set by `escalate`.
    """

    now: datetime
    transition: Transition
    alerts: tuple[Alert, ...]
    source: str
    incident: str = ""
    route: str = ""
    receiver: str = ""
    group_labels: Mapping[str, str] = {}
    severity: str = ""
    told_at: datetime | None = None
    acknowledged: bool = False
    from_webhook: bool = True
    due: bool = False
    dry_run: bool = False
    labels: Mapping[str, Mapping[str, str]] = {}
    annotations: Mapping[str, Mapping[str, str]] = {}
    escalation: str = ""

    def with_labels(self, fingerprint: str, added: Mapping[str, str]) -> Notification:
        """A copy with labels added to one alert; later hooks win over earlier ones."""
        return replace(self, labels={**self.labels, fingerprint: {**self.labels.get(fingerprint, {}), **added}})

    def with_annotations(self, fingerprint: str, added: Mapping[str, str]) -> Notification:
        """A copy with annotations added to one alert."""
        merged = {**self.annotations.get(fingerprint, {}), **added}
        return replace(self, annotations={**self.annotations, fingerprint: merged})


class Pass(Struct, frozen=True):
    """Tell it, in this form. The innermost `forward` returns it."""

    notification: Notification


class Drop(Struct, frozen=True):
    """Tell nobody. `reason` is a short word (`duplicate`, `stale`, …) that is recorded and labels a metric."""

    reason: str
    detail: str = ""


class Hold(Struct, frozen=True):
    """Judge again at `until` (a time with a zone). `drops`: of what is over by then nobody hears, unless he was told before."""

    until: datetime
    reason: str
    drops: bool = False


Verdict = Pass | Drop | Hold
Forward = Callable[[Notification], Awaitable[Verdict]]


class HookOptions(BaseModel):
    """What every hook takes. `on_error: open` goes on without the hook, `closed` holds the notification and tries again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on_error: Literal["open", "closed"] = "open"
    budget: Duration = Field(
        timedelta(seconds=5), description="how long the hook may take, the hooks after it excluded"
    )


def _always(_names: Sequence[str], at: datetime) -> datetime:
    return at


class HookContext(Struct, frozen=True):
    """What a hook may use: handed to its constructor.

    `opens(names, at)`: the first moment from `at` on that is in one of these time intervals of the configuration; `at` itself
    if there is none of one of these names, None if none of them ever begins.
    """

    http: HttpClient
    opens: Callable[[Sequence[str], datetime], datetime | None] = _always


class Hook(Protocol):
    """One configured hook. The constructor takes (options, context).

    `does_io` says whether it may wait for anything; such hooks run outside the accepting transaction. An attribute of
    the instance may override the class's. Say True when in doubt.
    """

    name: ClassVar[str]
    Options: ClassVar[type[HookOptions]]
    does_io: bool

    def __init__(self, options: Any, context: HookContext) -> None: ...

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        """Judge the notification; await `forward(notification)` to go on."""
