"""The seam every channel stands behind, built in or third-party.

A channel is a class with a typed options model and one coroutine, `send(message, context) -> Receipt`, which raises
`Retryable`, `Permanent` or `Refused` (see `bridge.domain.errors`). It is built once for each configuration
generation and used by many sends at once; it knows neither storage nor keys, and keeps no state that a restart
would need.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from bridge.domain.errors import FailureReason, Permanent, Refused, Retryable
from bridge.domain.message import FOLLOW_UPS, Message, Reason
from bridge.domain.options import Duration
from bridge.domain.secret import PlainAllowed, Secret

if TYPE_CHECKING:
    from bridge.net import HttpClient

__all__ = [
    "Channel",
    "ChannelOptions",
    "Context",
    "Duration",
    "FailureReason",
    "Idempotency",
    "Message",
    "Permanent",
    "PlainAllowed",
    "Reason",
    "Receipt",
    "Refused",
    "Retryable",
    "Secret",
]

Idempotency = Literal["native", "window", "none"]


class ChannelOptions(BaseModel):
    """What every channel takes. A channel's own model inherits it and adds its fields; `Secret` fields are sealed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    title: str | None = Field(None, description="template of the title; the built-in one if absent")
    text: str | None = Field(None, description="template of the body; the built-in one if absent")
    send_resolved: bool = True
    timeout: Duration = Field(timedelta(seconds=15), description="for one attempt, connecting included")
    max_in_flight: int = Field(32, ge=1, le=1000)
    rate: float | None = Field(None, gt=0, description="messages a second; unlimited if absent")
    give_up_after: Duration = Field(timedelta(hours=24), description="then the delivery is dead")
    fallback: str | None = Field(None, description="the channel that hears what this one could not deliver")
    send_on: tuple[Reason, ...] = tuple(reason for reason in Reason if reason not in FOLLOW_UPS)


class Receipt(Struct, frozen=True):
    """What the service gave us for a later update: `data` is small, flat, and holds no secret (Slack `ts`, message id).

    `detail` is for people and the audit ("accepted as SM123"). `digest` is the SHA-256, in hex, of what was sent, for
    the audit; without it the audit has that of title, text and alerts.
    """

    data: Mapping[str, str] = {}
    detail: str = ""
    digest: str = ""


class Context(Struct, frozen=True):
    """What a channel may use besides the message.

    `idempotency_key` is the same for every attempt of one delivery and new for the next. `previous` is the receipt of
    the last message of the same incident on this channel. `plain` asks for the simplest form: the rich one was
    refused. `attempt` counts from 1.
    """

    http: HttpClient
    now: datetime
    idempotency_key: str
    attempt: int = 1
    previous: Receipt | None = None
    plain: bool = False


class Channel(Protocol):
    """One configured channel. The constructor takes (name, options).

    A class that can also show that an acknowledgement was taken back says `follows_unacknowledgement = True`; it then is
    asked to send the reason `unacknowledged`, too.

    A class whose messages no person reads says `people = False`: it gets every message of a storm, people get digests.
    """

    Options: ClassVar[type[ChannelOptions]]
    idempotency: ClassVar[Idempotency]

    @property
    def follows_acknowledgement(self) -> bool:
        """Whether an acknowledgement can be shown on what was already sent, without a new message to people.

        A class attribute will do.
        """

    def __init__(self, name: str, options: Any) -> None: ...

    async def send(self, message: Message, context: Context) -> Receipt:
        """Deliver once. Cancelled when the attempt's time is over.

        Raises:
            Retryable: try again later.
            Permanent: the content is refused.
            Refused: the credential or the destination is refused.
        """
