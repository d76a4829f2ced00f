"""`telegram_configs`."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from bridge.importing.conversion import Conversion, Options, given, send_resolved, timeout, unused
from bridge.importing.http_config import leave_authentication, transport
from bridge.importing.ledger import Place
from bridge.importing.output import Output

_HOME = "https://api.telegram.org"
_LINK = re.compile(r"""<a\s+href\s*=\s*(?:"([^"]*)"|'([^']*)')\s*>(.*?)</a>""", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:b|strong|i|em|u|ins|s|strike|del|code|pre|blockquote|tg-spoiler|span)(?:\s[^<>]*)?>", re.IGNORECASE
)
_ACTION = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_ESCAPED = re.compile(r"\\([_*\[\]()~`>#+\-=|{}.!\\])")
_MARKS = re.compile(r"[*_`~]|\]\(")


def telegram(conversion: Conversion, config: Place, channel: str) -> Options | None:
    """The options, or None if there is no bot, or no chat it writes to."""
    where = _where(conversion, config, channel)
    token = _token(conversion, config, channel) if where is not None else None
    if where is None or token is None:
        return None
    transport(conversion, config, channel)
    leave_authentication(conversion, config)
    return {
        "type": "telegram",
        "token": token,
        "chat_id": where,
        **_topic(config, channel),
        **_silent(config, channel),
        **_url(conversion, config, channel),
        **_text(conversion, config, channel),
        **timeout(config, channel),
        **send_resolved(config, channel, default=True),
    }


def _token(conversion: Conversion, config: Place, channel: str) -> str | None:
    """As Alertmanager chooses: the integration's own, in the text or in a file, before the global one."""
    at = ("channels", channel, "token")
    general = conversion.globals
    for section, prefix in ((config, ""), (general, "telegram_")):
        if section is None:
            continue
        token, file = given(section, f"{prefix}bot_token"), given(section, f"{prefix}bot_token_file")
        if token is not None:
            unused(section, f"{prefix}bot_token_file")
            return conversion.credentials.keep(token, at)
        if file is not None:
            return conversion.credentials.in_file(file, at)
    return None


def _where(conversion: Conversion, config: Place, channel: str) -> Output | None:
    chat, file = given(config, "chat_id"), given(config, "chat_id_file")
    if chat is not None and _number(chat) != 0:
        unused(config, "chat_id_file")
        chat.mapped(f"channels.{channel}.chat_id")
        return _number(chat) or chat.text()
    return None if file is None else conversion.credentials.in_file(file, ("channels", channel, "chat_id"))


def _topic(config: Place, channel: str) -> Options:
    place = given(config, "message_thread_id")
    if place is None:
        return {}
    if (topic := _number(place)) is None or topic <= 0:
        place.noted("messages go to no topic of their own, as here")
        return {}
    place.mapped(f"channels.{channel}.message_thread_id")
    return {"message_thread_id": topic}


def _silent(config: Place, channel: str) -> Options:
    place = given(config, "disable_notifications")
    if place is None:
        return {}
    place.mapped(f"channels.{channel}.silent")
    return {"silent": True} if place.flag() else {}


def _url(conversion: Conversion, config: Place, channel: str) -> Options:
    place = conversion.inherited(config, "api_url", "telegram_api_url")
    if place is None:
        return {}
    url = place.text().rstrip("/")
    if url == _HOME:
        place.noted("it is Telegram's own")
        return {}
    place.mapped(f"channels.{channel}.url")
    return {"url": url}


def _text(conversion: Conversion, config: Place, channel: str) -> Options:
    """The words without their marks: whatever a template makes is escaped here, so that marks would be shown as written."""
    place, mode = config.get("message"), config.get("parse_mode")
    named = "HTML" if mode is None else mode.text()
    if mode is not None:
        mode.noted("messages have the built-in look: a bold title, links, and the text as it is")
    if place is None:
        return {}
    written = place.text()
    text = _unmarked(written) if named == "HTML" else written
    if named == "MarkdownV2":
        text = _outside(text, lambda words: _ESCAPED.sub(r"\1", words))
    options = conversion.template(place, channel, "text", text)
    if not options:
        return {}
    if named == "HTML" and (_TAG.search(written) or _LINK.search(written)):
        place.left(
            "a text has no marks such as <b> here: it is escaped", "the words are shown without them, links behind them"
        )
    elif named.startswith("Markdown") and any(_MARKS.search(words) for words in _ACTION.split(text)[::2]):
        place.left("a text has no marks such as *bold* here: it is escaped", "they are shown as written")
    return options


def _unmarked(text: str) -> str:
    """Telegram's HTML as plain words; a link's address stands behind its words."""
    linked = _LINK.sub(lambda link: f"{link[3]} ({link[1] or link[2] or ''})", text)
    return _outside(_TAG.sub("", linked), unescape)


def _outside(text: str, change: Callable[[str], str]) -> str:
    """The text with its words changed, but not its template's actions."""
    parts = _ACTION.split(text)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def _number(place: Place) -> int | None:
    text = place.text().strip()
    return int(text) if re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII) else None
