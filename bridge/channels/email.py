"""Mail over SMTP: to a smarthost, encrypted, in threads, each recipient once."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec import Struct

from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Permanent,
    Reason,
    Receipt,
    Retryable,
)
from bridge.channels.email_message import Composed, Envelope, compose
from bridge.channels.email_options import EmailOptions, address_of, threads
from bridge.channels.email_session import Credential, Offered, Tls, offer, session, transfer
from bridge.channels.email_socket import open_socket

_REMEMBERED = 10_000
_OWN_SHARE = 0.95
"""Of the attempt's time: who is cut off from outside cannot say whether the mail had left."""


class _Handed(Struct, frozen=True):
    """How one conversation went; `reply` is the server's word on the mail, empty if nobody was accepted."""

    offered: Offered
    reply: str


class EmailChannel:
    """Hands one mail for all recipients to a mail server.

    The receipt holds `message_id` and `subject`, which later mails of the incident repeat. A delivery whose recipients
    were refused in part, for now, is tried again for those alone; who has the mail already is remembered in memory,
    so a restart in between may mail them twice, with the same Message-ID.
    """

    Options: ClassVar[type[ChannelOptions]] = EmailOptions
    idempotency: ClassVar[Idempotency] = "none"
    follows_acknowledgement: bool = True
    follows_unacknowledgement: bool = True

    def __init__(self, name: str, options: EmailOptions) -> None:
        self.name = name
        self._options = options
        self.follows_acknowledgement = threads(options, Reason.ACKNOWLEDGED)
        self.follows_unacknowledgement = threads(options, Reason.UNACKNOWLEDGED)
        self._envelope = Envelope(
            address_of(options.from_), tuple(address_of(text) for text in options.to), options.headers
        )
        self._settled: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def send(self, message: Message, context: Context) -> Receipt:
        subject = context.previous.data.get("subject", "") if context.previous else ""
        mail = compose(
            message,
            self._envelope,
            key=context.idempotency_key,
            now=context.now,
            subject=subject,
            plain=context.plain,
        )
        known = self._settled.get(context.idempotency_key, {})
        wanted = [address.addr_spec for address in self._envelope.recipients if address.addr_spec not in known]
        handed = await self._hand_in(mail, wanted, context)
        settled = {**known, **dict.fromkeys(handed.offered.accepted, ""), **handed.offered.never}
        if handed.offered.later:
            self._remember(context.idempotency_key, settled)
            raise Retryable(FailureReason.TEMPORARY, f"refused for now: {_listed(handed.offered.later)}")
        self._settled.pop(context.idempotency_key, None)
        refused = {recipient: reply for recipient, reply in settled.items() if reply}
        if len(refused) == len(settled):
            raise Permanent(FailureReason.RECIPIENT_REFUSED, f"no recipient was accepted: {_listed(refused)}")
        return Receipt({"message_id": mail.message_id, "subject": mail.subject}, _told(settled, refused, handed.reply))

    async def _hand_in(self, mail: Composed, recipients: Sequence[str], context: Context) -> _Handed:
        """One conversation, within the attempt's time."""
        host, port = self._options.server()
        handed, leaving = None, False
        try:
            async with asyncio.timeout(self._options.timeout.total_seconds() * _OWN_SHARE):
                tls = await asyncio.to_thread(_tls, self._options)
                connection = await open_socket(context.http, host, port)
                async with session(
                    connection, host, tls=tls, credential=self._credential(), helo=self._options.helo
                ) as client:
                    offered = await offer(client, self._envelope.sender.addr_spec, recipients, len(mail.content))
                    leaving = bool(offered.accepted)
                    reply = await transfer(client, mail.content) if leaving else ""
                    handed = _Handed(offered, reply)
        except TimeoutError as error:
            if handed is None:
                raise Retryable(FailureReason.TIMEOUT, f"{host}:{port} took too long", unknown=leaving) from error
        assert handed is not None, "set, unless an error left the block"  # noqa: S101 - for the type checker
        return handed

    def _credential(self) -> Credential | None:
        if self._options.username is None or self._options.password is None:
            return None
        return Credential(self._options.username, self._options.password)

    def _remember(self, key: str, settled: dict[str, str]) -> None:
        self._settled[key] = settled
        self._settled.move_to_end(key)
        while len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)


def _tls(options: EmailOptions) -> Tls:
    """Certificates and host names are always verified.

    Raises:
        Retryable: the file of trusted certificates cannot be read now.
    """
    if options.tls == "none":
        return Tls(None)
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Retryable(FailureReason.TLS, f"ca_file {options.ca_file} holds no readable certificates") from error
    return Tls(context, implicit=options.tls == "implicit")


def _listed(replies: Mapping[str, str]) -> str:
    return "; ".join(f"{recipient} ({reply})" for recipient, reply in list(replies.items())[:5])


def _told(settled: Mapping[str, str], refused: Mapping[str, str], reply: str) -> str:
    said = f"accepted for {len(settled) - len(refused)} of {len(settled)} recipients: {reply}"
    return f"{said}; refused: {_listed(refused)}" if refused else said
