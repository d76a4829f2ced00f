"""The `sendgrid` channel: the mails of the `email` channel through SendGrid's v3 API.

SendGrid has no idempotency key; the Message-ID is the same for every attempt, which some mailboxes heed.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, ClassVar

import msgspec
from msgspec import Struct
from pydantic import BeforeValidator, Field

from bridge.channels.api import (
    ChannelOptions,
    Context,
    Idempotency,
    Message,
    Reason,
    Receipt,
    Secret,
)
from bridge.channels.email_html import page
from bridge.channels.email_message import subject_of, text_of
from bridge.channels.email_options import AddressText, address_of, threads
from bridge.channels.endpoints import Masking, WebAddress, endpoint, read_json, unreadable
from bridge.channels.sizes import one_line, shorten
from bridge.net import Response, outcome_of

_MESSAGE_ID = "message_id"
_SUBJECT = "subject"


def _several(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


class SendGridOptions(ChannelOptions):
    """From whom to whom."""

    api_key: Secret
    from_: AddressText = Field(alias="from")
    to: Annotated[tuple[AddressText, ...], BeforeValidator(_several)] = Field(min_length=1, max_length=1000)
    url: WebAddress = Field(Secret("https://api.sendgrid.com"), description="the base URL; another region's, say")


class _Person(Struct, frozen=True, omit_defaults=True):
    email: str
    name: str = ""


class _Recipients(Struct, frozen=True):
    to: tuple[_Person, ...]


class _Part(Struct, frozen=True):
    type: str
    value: str


class _Mail(Struct, frozen=True, rename={"sender": "from"}):
    personalizations: tuple[_Recipients, ...]
    sender: _Person
    subject: str
    content: tuple[_Part, ...]
    headers: Mapping[str, str]


class _Problem(Struct, frozen=True):
    message: str | None = None
    field: str | None = None


class _Answer(Struct, frozen=True):
    errors: list[_Problem] = []


class SendGridChannel:
    """202, and only that, means that SendGrid took the mail: its 200 is the sandbox, where nothing is sent."""

    Options: ClassVar[type[ChannelOptions]] = SendGridOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: bool = True
    follows_unacknowledgement: bool = True

    def __init__(self, name: str, options: SendGridOptions) -> None:
        self._name = name
        self.follows_acknowledgement = threads(options, Reason.ACKNOWLEDGED)
        self.follows_unacknowledgement = threads(options, Reason.UNACKNOWLEDGED)
        self._url = endpoint(options.url, "/v3/mail/send")
        self._timeout = options.timeout.total_seconds()
        self._headers = {
            "Authorization": f"Bearer {options.api_key.reveal()}",
            "Content-Type": "application/json",
        }
        self._from = _person(options.from_)
        people = {person.email.casefold(): person for person in map(_person, options.to)}
        self._to = (_Recipients(tuple(people.values())),)  # SendGrid refuses an address that comes twice
        self._domain = address_of(options.from_).domain
        self._masked = Masking(options.api_key)

    async def send(self, message: Message, context: Context) -> Receipt:
        """One mail to all. As `Channel.send`."""
        message_id = f"<{_digest(context.idempotency_key)}@{self._domain}>"
        earlier = context.previous.data if context.previous else {}
        subject = one_line(earlier.get(_SUBJECT, "")) or subject_of(message)
        response = await context.http.request(
            "POST",
            self._url,
            body=msgspec.json.encode(self._mail(message, message_id, subject, plain=context.plain)),
            headers=self._headers,
            timeout=self._timeout,
        )
        self._judge(response, context)
        theirs = shorten(one_line(response.headers.get("X-Message-Id", "")), 200)
        receipt = {_MESSAGE_ID: message_id, _SUBJECT: subject, "x_message_id": theirs}
        return Receipt(data=receipt, detail=f"accepted as {theirs}" if theirs else "accepted")

    def _mail(self, message: Message, message_id: str, subject: str, *, plain: bool) -> _Mail:
        """`References` name one root for the incident that no mail has itself, so that all of them thread."""
        root = f"<incident.{_digest(message.dedup)}@{self._domain}>"
        parts = [_Part("text/plain", text_of(message))]
        if not plain:
            parts.append(_Part("text/html", page(message).encode("utf-8", "replace").decode()))
        return _Mail(
            personalizations=self._to,
            sender=self._from,
            subject=subject,
            content=tuple(parts),
            headers={
                "Message-ID": message_id,
                "In-Reply-To": root,
                "References": root,
                "Auto-Submitted": "auto-generated",
            },
        )

    def _judge(self, response: Response, context: Context) -> None:
        answer = read_json(response, _Answer) or _Answer()
        said = "; ".join(f"{error.field or 'request'}: {error.message or ''}" for error in answer.errors)
        outcome_of(response, context.now, self._masked(said))
        if response.status != 202:
            raise unreadable("SendGrid", response, context.attempt)


def _person(text: str) -> _Person:
    address = address_of(text)
    return _Person(address.addr_spec, one_line(address.display_name))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
