"""The mail itself: headers that thread, a text part and an HTML part.

Sources: RFC 5322 (headers, threads), RFC 2046 (alternative parts), RFC 3834 (Auto-Submitted). All mails of an incident
name one root in `References` that no mail has itself, and bear one subject: clients that compare subjects would
split `[FIRING] X` from `[RESOLVED] X`, so the state stands in the first line of the body instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from msgspec import Struct

from bridge.channels.email_html import page, state_of
from bridge.channels.sizes import body, one_line
from bridge.domain.message import Message

_LONGEST_SUBJECT = 200
_LONGEST_TEXT = 200_000
_STATE_PREFIX = re.compile(r"^\s*(?:\[[^\]]*\]\s*)+(?=\S)")


class Envelope(Struct, frozen=True):
    """Who mails whom. `headers` are the operator's own, checked when the configuration was read."""

    sender: Address
    recipients: tuple[Address, ...]
    headers: Mapping[str, str] = {}


class Composed(Struct, frozen=True):
    """A mail ready for DATA. `subject` is what the thread's next mail has to repeat."""

    message_id: str
    subject: str
    content: bytes


def compose(
    message: Message, envelope: Envelope, *, key: str, now: datetime, subject: str = "", plain: bool = False
) -> Composed:
    """The mail for one delivery. `key` decides the Message-ID: the same for every attempt.

    `subject` is the thread's, if it has one. `plain` leaves the HTML part out.
    """
    domain = envelope.sender.domain
    subject = one_line(subject) or subject_of(message)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = envelope.sender
    mail["To"] = envelope.recipients
    mail["Subject"] = subject
    mail["Date"] = format_datetime(now)
    message_id = f"<{_digest(key)}@{domain}>"
    root = f"<incident.{_digest(message.dedup)}@{domain}>"
    for name, value in (("Message-ID", message_id), ("In-Reply-To", root), ("References", root)):
        mail[name] = value
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    for name, value in envelope.headers.items():
        mail[name] = one_line(value)
    mail.set_content(text_of(message), cte="quoted-printable")
    if not plain:
        mail.add_alternative(page(message).encode("utf-8", "replace").decode(), subtype="html", cte="quoted-printable")
    return Composed(message_id, subject, mail.as_bytes())


def subject_of(message: Message) -> str:
    """The title without its leading `[…]`, which names a state that the thread outlives."""
    title = one_line(message.title)
    return _STATE_PREFIX.sub("", title)[:_LONGEST_SUBJECT].strip() or "Alert"


def text_of(message: Message) -> str:
    """The text part: state, title, text, then what the bridge itself has to say."""
    lines = [
        one_line(state_of(message)),
        one_line(message.title),
        "",
        body(message, _LONGEST_TEXT),
        "",
        f"Incident {message.incident}, sent to {one_line(message.receiver)}",
    ]
    return "\n".join(lines).encode("utf-8", "replace").decode() + "\n"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
