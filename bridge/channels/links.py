"""The links of a notification that people may follow."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from bridge.domain.message import AlertView, Message

_ANNOTATIONS = {"runbook_url": "Runbook", "runbook": "Runbook", "dashboard_url": "Dashboard"}
_LONGEST = 2000


class Link(Struct, frozen=True):
    """`label` is plain text, `url` begins with http:// or https:// and holds neither blanks nor control characters."""

    label: str
    url: str


def safe_url(text: str) -> str:
    """The URL if it can be offered as a link, else "".

    Alert data may hold `javascript:`, `file:` or worse: only http and https with a host are links, the rest stays text.
    """
    text = text.strip()
    if len(text) > _LONGEST or not text.isprintable() or any(char.isspace() or char in "<>|\"'`\\" for char in text):
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and host else ""


def links_of(message: Message, most: int = 5) -> tuple[Link, ...]:
    """Runbooks, dashboards and sources of the alerts, each URL once, at most `most`."""
    found: dict[str, Link] = {}
    for alert in message.alerts:
        for link in _links_of(alert):
            found.setdefault(link.url, link)
            if len(found) == most:
                return tuple(found.values())
    return tuple(found.values())


def _links_of(alert: AlertView) -> Iterator[Link]:
    for name, label in _ANNOTATIONS.items():
        if url := safe_url(alert.annotations.get(name, "")):
            yield Link(f"{label} {alert.name}", url)
    if url := safe_url(alert.generator_url):
        yield Link(f"Source {alert.name}", url)
