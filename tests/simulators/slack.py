"""Slack as its clients see it: incoming webhooks and the Web API's chat.postMessage and chat.update.

It refuses what Slack refuses, in Slack's words, and shows messages as their reader sees them. Sources: Slack's
reference of the two methods, of incoming webhooks and of Block Kit.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.simulators.server import Answer, Recorded, Simulator, Told

_SECTION = 3000
_ACTIVE = re.compile(r"<([^<>]+)>")


@dataclass
class Posted:
    """One message of a channel. `mine` is the body that made it what it is now."""

    channel: str
    ts: str
    body: dict[str, Any]
    thread_ts: str = ""
    broadcast: bool = False
    edits: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


class SlackWebhook(Simulator):
    """`url` + `path` is the incoming webhook."""

    path = "/services/T0EXAMPLE/B0EXAMPLE/"

    def __init__(self, token: str = "slack-canary-webhook", mentions: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.posted: list[dict[str, Any]] = []
        self._token = token
        self._mentions = mentions

    def answer(self, request: Recorded) -> Answer:
        if request.path != self.path + self._token:
            return Answer(404, b"no_service")
        try:
            body = json.loads(request.body)
        except ValueError:
            return Answer(400, b"invalid_payload")
        if fault := fault_of(body):
            return Answer(400, fault.encode())
        self.posted.append(body)
        return Answer(200, b"ok")

    def told(self) -> list[Told]:
        return [told_of(body, self._mentions) for body in self.posted]


class SlackApi(Simulator):
    """The Web API for one bot, which is a member of `general` (C0EXAMPLE)."""

    channels = {"general": "C0EXAMPLE", "C0EXAMPLE": "C0EXAMPLE"}  # noqa: RUF012 - read only

    def __init__(self, token: str = "slack-canary-token", mentions: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.messages: list[Posted] = []
        self.warnings: list[str] = []
        self._token = token
        self._mentions = mentions

    def answer(self, request: Recorded) -> Answer:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return failure("invalid_auth" if "Authorization" in request.headers else "not_authed")
        if "charset=utf-8" not in request.headers.get("Content-Type", ""):
            self.warnings.append("missing_charset")
        try:
            body = json.loads(request.body)
        except ValueError:
            return failure("invalid_json")
        if request.path == "/api/chat.postMessage":
            return self._post(body)
        if request.path == "/api/chat.update":
            return self._update(body)
        return failure("unknown_method")

    def delete(self, message: Posted) -> None:
        self.messages.remove(message)

    def roots(self) -> list[Posted]:
        return [message for message in self.messages if not message.thread_ts]

    def replies(self, root: Posted) -> list[Posted]:
        return [message for message in self.messages if message.thread_ts == root.ts]

    def told(self) -> list[Told]:
        return [told_of(message.body, self._mentions) for message in self.messages]

    def _post(self, body: dict[str, Any]) -> Answer:
        channel = self.channels.get(body.get("channel", ""))
        if channel is None:
            return failure("channel_not_found")
        if fault := fault_of(body):
            return failure(fault)
        thread = body.get("thread_ts", "")
        if thread and not any(message.ts == thread and not message.thread_ts for message in self.messages):
            return failure("thread_not_found")
        ts = f"1700000000.{len(self.messages) + 1:04d}00"
        self.messages.append(Posted(channel, ts, body, thread, broadcast=body.get("reply_broadcast", False)))
        return success(channel=channel, ts=ts, message={"text": body.get("text", "")})

    def _update(self, body: dict[str, Any]) -> Answer:
        if body.get("channel") not in self.channels.values():
            return failure("channel_not_found")  # chat.update takes no names
        message = next((one for one in self.messages if one.ts == body.get("ts")), None)
        if message is None:
            return failure("message_not_found")
        if fault := fault_of(body):
            return failure(fault)
        message.history.append(message.body)
        message.body = {**message.body, **body}  # what is left out stays
        message.edits += 1
        return success(channel=message.channel, ts=message.ts, text=body.get("text", ""))


def success(**more: object) -> Answer:
    return Answer(200, json.dumps({"ok": True, **more}).encode(), {"Content-Type": "application/json; charset=utf-8"})


def failure(error: str, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps({"ok": False, "error": error}).encode(), headers)


def fault_of(body: dict[str, Any]) -> str:
    """Slack's word for what is wrong with a message; empty if nothing is."""
    blocks = _blocks(body)
    if not body.get("text") and not blocks:
        return "no_text"
    if len(body.get("text", "")) > 40_000:
        return "msg_too_long"
    if len(body.get("attachments", ())) > 100:
        return "too_many_attachments"
    if len(blocks) > 50 or any(_bad(block) for block in blocks):
        return "invalid_blocks"
    if sum(len(text["text"]) for block in blocks for text in _texts(block)) > 13_200:
        return "msg_blocks_too_long"
    return ""


def _bad(block: dict[str, Any]) -> bool:
    if block.get("type") == "actions":
        return _bad_buttons(block.get("elements", []))
    limits = {"header": 150, "section": _SECTION, "context": _SECTION}
    limit = limits.get(block.get("type", ""))
    if limit is None or len(block.get("elements", ())) > 10 or not _texts(block):
        return True
    if block["type"] == "header" and block["text"]["type"] != "plain_text":
        return True
    # Slack counts UTF-16 units where that is the more.
    return any(not 1 <= len(text["text"].encode("utf-16-le")) // 2 <= limit for text in _texts(block))


def _bad_buttons(buttons: list[dict[str, Any]]) -> bool:
    """Slack's limits of buttons: 25 in a block, each with an id of its own, 75 characters, a value of 2,000."""
    ids = [button.get("action_id", "") for button in buttons]
    if not 1 <= len(buttons) <= 25 or len(set(ids)) != len(ids) or not all(1 <= len(one) <= 255 for one in ids):
        return True
    return any(
        button.get("type") != "button"
        or button["text"]["type"] != "plain_text"
        or not 1 <= len(button["text"]["text"]) <= 75
        or len(button.get("value", "")) > 2000
        or button.get("style", "primary") not in {"primary", "danger"}
        for button in buttons
    )


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [*body.get("blocks", ()), *(block for one in body.get("attachments", ()) for block in one.get("blocks", ()))]


def _texts(block: dict[str, Any]) -> list[dict[str, Any]]:
    if block.get("type") == "actions":
        return [button["text"] for button in block["elements"]]
    return [block["text"]] if "text" in block else list(block.get("elements", ()))


def told_of(body: dict[str, Any], mentions: tuple[str, ...] = ()) -> Told:
    """The message on the screen. Blocks, where there are any, are shown instead of `text`."""
    texts = [text["text"] for block in _blocks(body) for text in _texts(block)] or [body.get("text", "")]
    active = [found for text in [*texts, body.get("text", "")] for found in _ACTIVE.findall(text)]
    unwanted = [
        one for one in active if f"<{one}>" not in mentions and not one.startswith("http://prometheus.example:")
    ]
    shown = (_ACTIVE.sub(lambda match: match[1].partition("|")[2] or match[1], text) for text in texts)
    return Told(html.unescape("\n".join(shown)), tuple(unwanted))
