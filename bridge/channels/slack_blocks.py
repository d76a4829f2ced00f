"""A notification as Slack shows it: blocks inside Slack's limits, or one plain text.

Limits (Slack's Block Kit reference, and for the sum of all texts what its API was seen to refuse): 50 blocks a message,
3000 characters a section, 150 a header, 10 elements a context, about 13,200 characters over all blocks. Lengths are
counted in UTF-16 units after escaping, the larger of the two ways in which Slack may count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Literal

from msgspec import Struct

from bridge.channels.links import Link, links_of
from bridge.channels.sizes import ELLIPSIS, body, body_lines, longest, notes, one_line, whole_lines
from bridge.domain.alert import Status
from bridge.domain.deed import Deed
from bridge.domain.message import Action, Message, Reason

_HEADER = 150
_SECTION = 3000
_BODY = 8000
_LINKS = 1500
_CONTEXT = 250
_PLAIN = 3500
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPES = str.maketrans(_ENTITIES)
_NEWS = frozenset({Reason.OPENED, Reason.REMINDER, Reason.ESCALATED})
PREFIX = "alertbridge."
"""What the ids of our buttons begin with; the deed follows."""
_STYLES: Mapping[Deed, Literal["", "primary", "danger"]] = {Deed.ACKNOWLEDGE: "primary", Deed.RESOLVE: "danger"}
_RESOLVED = "#2eb67d"
_ACKNOWLEDGED = "#439fe0"
_FIRING = "#d00000"
_SEVERITIES = {"warning": "#f2a600", "info": "#439fe0", "none": "#9aa0a6"}


class Text(Struct, frozen=True):
    """A text object; `text` is already escaped."""

    type: Literal["mrkdwn", "plain_text"]
    text: str


class Header(Struct, frozen=True, tag_field="type", tag="header"):
    text: Text


class Section(Struct, frozen=True, tag_field="type", tag="section"):
    text: Text


class Footnotes(Struct, frozen=True, tag_field="type", tag="context"):
    elements: tuple[Text, ...]


class Button(Struct, frozen=True, tag_field="type", tag="button", omit_defaults=True):
    """`value` comes back when it is pressed."""

    text: Text
    action_id: str
    value: str
    style: Literal["", "primary", "danger"] = ""


class Buttons(Struct, frozen=True, tag_field="type", tag="actions"):
    elements: tuple[Button, ...]


Block = Header | Section | Footnotes | Buttons


class Attachment(Struct, frozen=True):
    """Blocks behind a coloured bar; `color` is `#rrggbb`."""

    color: str
    blocks: tuple[Block, ...]


class Content(Struct, frozen=True):
    """What every Slack method takes alike. `text` is what push notifications and screen readers get.

    Empty `blocks` and `attachments` are sent too: an update that leaves them out keeps the old ones.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def escape(text: str) -> str:
    """Slack's escaping: `&`, `<`, `>` only. It also stops alert text from mentioning people (`<!channel>`)."""
    return text.translate(_ESCAPES)


def fit(text: str, limit: int) -> str:
    """`text` escaped, in at most `limit` UTF-16 units; what was cut is marked by `…`. Never cuts inside an entity."""
    if room(text) <= limit:
        return escape(text)
    return escape(text[: longest(text[:limit], lambda head: room(head) < limit)]) + ELLIPSIS


def room(text: str) -> int:
    """What `text` takes up once it is escaped, in UTF-16 units."""
    return len(escape(text).encode("utf-16-le", "replace")) // 2


def content(message: Message, *, mention: tuple[str, ...] = (), plain: bool = False, buttons: bool = False) -> Content:
    """The whole message. `mention` holds ready mentions (`<!here>`), used only where people are called. With `buttons`
    what can be done is there to be pressed, else as links.
    """
    called = " ".join(mention) if message.reason in _NEWS else ""
    title = one_line(message.title) or "Alert"
    if plain:
        lines = [fit(title, _HEADER), escape(body(message, _PLAIN, room)), escape(_identity(message))]
        return Content("\n".join([called, *lines] if called else lines))
    top: list[Block] = [Header(Text("plain_text", fit(title, _HEADER)))]
    if called:
        top.append(Section(Text("mrkdwn", called)))
    return Content(
        fit(title, _HEADER), tuple(top), (Attachment(colour(message), tuple(_body(message, buttons=buttons))),)
    )


def colour(message: Message) -> str:
    """Green when over, blue when somebody has it, else by severity; an unknown severity is shown as critical."""
    if message.status is Status.RESOLVED:
        return _RESOLVED
    if message.acknowledged_by:
        return _ACKNOWLEDGED
    return _SEVERITIES.get(message.severity.lower(), _FIRING)


def _body(message: Message, *, buttons: bool) -> Iterator[Block]:
    for piece in _sections(whole_lines(body_lines(message), _BODY, room)):
        yield Section(Text("mrkdwn", piece))
    if links := _links(links_of(message)):
        yield Section(Text("mrkdwn", links))
    if buttons and message.actions:
        yield Buttons(tuple(_button(action) for action in message.actions))
    elif acts := _links(tuple(Link(action.label, action.url) for action in message.actions if action.url)):
        yield Section(Text("mrkdwn", acts))
    yield Footnotes(tuple(Text("mrkdwn", fit(line, _CONTEXT)) for line in [*notes(message), _identity(message)]))


def _button(action: Action) -> Button:
    style = _STYLES.get(action.deed, "")
    return Button(Text("plain_text", action.label), f"{PREFIX}{action.deed.value}", action.token, style)


def _sections(text: str) -> Iterator[str]:
    """The text in escaped pieces that fit a section each, cut between lines where possible."""
    while text:
        end = longest(text[:_SECTION], lambda head: room(head) <= _SECTION)
        line_end = text.rfind("\n", 0, end) + 1
        if end < len(text) and line_end > end // 2:
            end = line_end
        if piece := text[:end].strip("\n"):
            yield escape(piece)
        text = text[end:]


def _links(links: tuple[Link, ...]) -> str:
    line = ""
    for link in links:
        more = f"{' · ' if line else ''}<{escape(link.url)}|{fit(one_line(link.label).replace('|', '/'), 75)}>"
        if len(line) + len(more) <= _LINKS:
            line += more
    return line


def _identity(message: Message) -> str:
    return f"Incident {message.incident} since {message.opened_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
