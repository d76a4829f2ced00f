"""Telegram's Bot API as its documentation has it: sendMessage, editMessageText and answerCallbackQuery for one bot.

It parses HTML as strictly as Telegram does, counts what is left of a text, and shows messages as their reader sees
them.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.simulators.server import Answer, Recorded, Simulator, Told

TOKEN = "123456:canary-token_AAbbccDDee"
CHAT = -1001234
NAME = "@alerts_example"
_TAGS = {"b", "strong", "i", "em", "u", "s", "a", "code", "pre", "blockquote", "tg-spoiler"}
_MARKUP = re.compile(r"<(/?)([^\s<>/]*)((?:\s[^<>]*)?)>|<|&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_HREF = re.compile(r'\s*href="([^"<>]*)"\s*')
_MENTION = re.compile(r"(?<!\w)@(\w{2,32})")
_LONGEST = 4096
_TOAST = 200


@dataclass
class Posted:
    """One message in a chat."""

    id: int
    chat: int
    body: dict[str, Any]
    reply_to: int = 0
    edits: int = 0
    markup: dict[str, Any] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the simulator
    """What Telegram says instead of doing it."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        more = {"parameters": parameters} if parameters else {}
        body = {"ok": False, "error_code": code, "description": description, **more}
        self.answer = Answer(code, json.dumps(body).encode(), {"Content-Type": "application/json"})


class Telegram(Simulator):
    """Knows one bot, a member of the chat `CHAT`, which has the public name `NAME`.

    `moved` maps a group's id to that of the supergroup it became.
    """

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.messages: list[Posted] = []
        self.chats = {CHAT}
        self.moved: dict[int, int] = {}
        self._token = token
        self.toasts: dict[str, dict[str, Any]] = {}
        self._last = 76
        self._updates = 1000

    def answer(self, request: Recorded) -> Answer:
        head, _, method = request.path.removeprefix("/").partition("/")
        if head != f"bot{self._token}":
            status, said = (401, "Unauthorized") if re.fullmatch(r"bot\d+:[\w-]+", head) else (404, "Not Found")
            return Refusal(status, said).answer
        try:
            result = self.act(method.casefold(), json.loads(request.body))
        except ValueError:
            return Refusal(400, "Bad Request: can't parse JSON object").answer
        except Refusal as refusal:
            return refusal.answer
        return Answer(200, json.dumps({"ok": True, "result": result}).encode(), {"Content-Type": "application/json"})

    def act(self, method: str, body: dict[str, Any]) -> object:
        """What a method gives back."""
        if method == "sendmessage":
            return self._send(body)
        if method == "editmessagetext":
            return self._edit(body)
        if method == "answercallbackquery":
            return self._toast(body)
        raise Refusal(404, "Not Found")

    def press(self, message: Posted, label: str, user: int = 1111, name: str = "anna") -> bytes:
        """The update that Telegram sends when somebody presses a button. `toasts` shows how the bot answers it."""
        (button,) = (one for row in _keys(message.markup) for one in row if one["text"] == label)
        return self.pressed(button["callback_data"], user, name)

    def pressed(self, data: str, user: int = 1111, name: str = "anna") -> bytes:
        """The update for a button that holds `data`."""
        self._updates += 1
        query = f"4382bfdwdsb{self._updates}"
        self.toasts[query] = {}
        sender = {"id": user, "is_bot": False, "first_name": "Somebody", "username": name}
        chat = {"id": CHAT, "type": "supergroup", "title": "alerts"}
        message = {"message_id": 77, "date": 1_700_000_000, "chat": chat, "text": "…"}
        called = {"id": query, "from": sender, "message": message, "chat_instance": "-3", "data": data}
        return json.dumps({"update_id": self._updates, "callback_query": called}).encode()

    def delete(self, message: Posted) -> None:
        self.messages.remove(message)

    def told(self) -> list[Told]:
        return [told_of(message.body) for message in self.messages]

    def _send(self, body: dict[str, Any]) -> object:
        chat = self._chat(body)
        check(body)
        answered = body.get("reply_parameters", {})
        first = next((one for one in self.messages if one.id == answered.get("message_id") and one.chat == chat), None)
        if answered and first is None and not answered.get("allow_sending_without_reply"):
            raise Refusal(400, "Bad Request: message to be replied not found")
        self._last += 1
        message = Posted(self._last, chat, body, first.id if first else 0, markup=body.get("reply_markup", {}))
        self.messages.append(message)
        return _result(message)

    def _edit(self, body: dict[str, Any]) -> object:
        chat = self._chat(body)
        check(body)
        message = next((one for one in self.messages if one.id == body.get("message_id") and one.chat == chat), None)
        if message is None:
            raise Refusal(400, "Bad Request: message to edit not found")
        markup = body.get("reply_markup", {})  # what is left out is taken away
        if told_of(body) == told_of(message.body) and _keys(markup) == _keys(message.markup):
            said = "specified new message content and reply markup are exactly the same as a current content"
            raise Refusal(400, f"Bad Request: message is not modified: {said} and reply markup of the message")
        message.body, message.markup = body, markup
        message.edits += 1
        return _result(message)

    def _toast(self, body: dict[str, Any]) -> object:
        query = body.get("callback_query_id", "")
        if query not in self.toasts or self.toasts[query]:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(body.get("text", "")) > _TOAST:
            raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
        self.toasts[query] = body
        return True

    def _chat(self, body: dict[str, Any]) -> int:
        chat = body.get("chat_id")
        if chat == NAME:
            return CHAT
        if not isinstance(chat, int) or (chat not in self.chats and chat not in self.moved):
            raise Refusal(400, "Bad Request: chat not found")
        if chat in self.moved:
            said = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, said, migrate_to_chat_id=self.moved[chat])
        return chat


def check(body: dict[str, Any]) -> None:
    """Raises what Telegram has against the message."""
    text = told_of(body).text
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > _LONGEST:
        raise Refusal(400, "Bad Request: message is too long")
    for button in (one for row in _keys(body.get("reply_markup", {})) for one in row):
        if not button.get("text") or ("callback_data" in button) == ("url" in button):
            raise Refusal(400, "Bad Request: can't parse inline keyboard button")
        if not 1 <= len(button.get("callback_data", "-").encode()) <= 64:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")


def told_of(body: dict[str, Any]) -> Told:
    """The message on the screen. `active` are links nobody asked for, and who is called."""
    links: list[str] = []
    text = body.get("text", "")
    if body.get("parse_mode") == "HTML":
        text = _parsed(text, links)
    unwanted = [link for link in links if not link.startswith("http://prometheus.example:")]
    return Told(text, (*unwanted, *_MENTION.findall(text)))


def _parsed(text: str, links: list[str]) -> str:
    """The text without its markup; adds the targets of links to `links`."""
    open_tags: list[str] = []
    pieces: list[str] = []
    end = 0
    for match in _MARKUP.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match[0].startswith("&"):
            pieces.append(html.unescape(match[0]))
        elif match[1]:
            if not open_tags or open_tags.pop() != match[2]:
                raise Refusal(400, f"Bad Request: can't parse entities: Unexpected end tag at byte offset {end}")
        elif match[2] not in _TAGS:
            raise Refusal(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{match[2]}" at byte {end}')
        else:
            open_tags.append(match[2])
            if match[2] == "a" and (target := _HREF.fullmatch(match[3])):
                links.append(html.unescape(target[1]))
    if open_tags:
        raise Refusal(
            400, f"Bad Request: can't parse entities: Can't find end tag corresponding to \"{open_tags[-1]}\""
        )
    return "".join((*pieces, text[end:]))


def _keys(markup: dict[str, Any]) -> list[list[dict[str, Any]]]:
    keys: list[list[dict[str, Any]]] = markup.get("inline_keyboard", [])
    return keys


def _result(message: Posted) -> dict[str, Any]:
    answered = {"reply_to_message": {"message_id": message.reply_to}} if message.reply_to else {}
    chat = {"id": message.chat, "type": "supergroup", "title": "alerts"}
    return {"message_id": message.id, "date": 1_700_000_000, "chat": chat, "text": "…", **answered}
