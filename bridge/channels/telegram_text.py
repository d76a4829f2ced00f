"""A notification as Telegram shows it: one text in Telegram's HTML, or plain.

A message has room for 4096 characters, counted in UTF-16 units after the markup is parsed. Telegram makes links of
what looks like one in any text, and calls whoever an `@name` names: a word joiner behind the `@` keeps alert text
from doing so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from html import escape as escape_attribute

from msgspec.structs import replace

from bridge.channels.links import Link, links_of
from bridge.channels.sizes import body, longest, one_line, shorten
from bridge.domain.alert import Status
from bridge.domain.message import Message

_TITLE = 256
_BODY = 3200
_LABEL = 75
_LINKS = 2000
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPES = str.maketrans(_ENTITIES)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_RESOLVED = "🟢"
_ACKNOWLEDGED = "🔵"
_FIRING = "🔴"
_SEVERITIES = {"warning": "🟡", "info": "🔵", "none": "⚪"}


def shown(message: Message, *, plain: bool = False, buttons: bool = False) -> str:
    """The whole message, in HTML unless `plain`; never longer than Telegram takes.

    Where `buttons` stand under it, the actions are not in the text; in plain text they always are.
    """
    write = guarded if plain else escape
    title = _title(message)
    parts = [write(title) if plain else f"<b>{write(title)}</b>"]
    if text := body(message if plain else replace(message, actions=()), _BODY, room):
        parts.append(write(text))
    if not plain:
        actions = () if buttons else tuple(Link(each.label, each.url) for each in message.actions if each.url)
        parts += [line for line in (_links(links_of(message)), _links(actions)) if line]
    parts.append(_identity(message, write))
    return "\n".join(parts)


def guarded(text: str) -> str:
    """`text` with nobody called by it: `@name` looks the same and names nobody."""
    return _MENTION.sub("@\u2060", text)


def escape(text: str) -> str:
    """Telegram's HTML: `&`, `<` and `>` escaped, nobody called."""
    return guarded(text).translate(_ESCAPES)


def room(text: str) -> int:
    """What `text` takes up of a message, in UTF-16 units: markup does not count."""
    return len(guarded(text).encode("utf-16-le", "replace")) // 2


def sign(message: Message) -> str:
    """The state at a glance: green when over, blue when somebody has it, else by severity; red if that is unknown."""
    if message.status is Status.RESOLVED:
        return _RESOLVED
    if message.acknowledged_by:
        return _ACKNOWLEDGED
    return _SEVERITIES.get(message.severity.lower(), _FIRING)


def _title(message: Message) -> str:
    text = f"{sign(message)} {one_line(message.title) or 'Alert'}"
    return shorten(text, max(1, longest(text, lambda head: room(head) <= _TITLE)))


def _links(links: tuple[Link, ...]) -> str:
    line = ""
    for link in links:
        label = escape(shorten(one_line(link.label), _LABEL))
        more = f'{" · " if line else ""}<a href="{escape_attribute(link.url)}">{label}</a>'
        if len(line) + len(more) <= _LINKS:
            line += more
    return line


def _identity(message: Message, write: Callable[[str], str]) -> str:
    since = f"{message.opened_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return write(f"Incident {one_line(message.incident)} since {since}")
