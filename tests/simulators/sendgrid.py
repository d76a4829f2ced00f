"""SendGrid's v3 Mail Send as its documentation has it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from tests.simulators.server import Answer, Recorded, Simulator, Told

RESERVED = frozenset(
    {
        "x-sg-id",
        "x-sg-eid",
        "received",
        "dkim-signature",
        "content-type",
        "content-transfer-encoding",
        "to",
        "from",
        "subject",
        "reply-to",
        "cc",
        "bcc",
    }
)
LIMIT = 20_000_000


class SendGrid(Simulator):
    """Knows one API key. `mails` are the accepted requests, decoded."""

    def __init__(self, api_key: str) -> None:
        super().__init__()
        self.mails: list[dict] = []
        self._api_key = api_key
        self._told: list[Told] = []

    def answer(self, request: Recorded) -> Answer:
        if (request.method, request.path) != ("POST", "/v3/mail/send"):
            return Answer(404)
        if request.headers.get("Authorization") != f"Bearer {self._api_key}":
            return _errors(401, "The provided authorization grant is invalid, expired, or revoked")
        if len(request.body) > LIMIT:
            return Answer(413)
        mail = json.loads(request.body)
        problem = _problem(mail)
        if problem:
            return _errors(400, problem)
        self.mails.append(mail)
        texts = {part["type"]: part["value"] for part in mail["content"]}
        html = _Html()
        html.feed(texts.get("text/html", ""))
        self._told.append(Told(f"{mail['subject']}\n{texts['text/plain']}", tuple(html.active)))
        return Answer(202, b"", {"X-Message-Id": f"sendgrid-{len(self.mails)}"})

    def told(self) -> list[Told]:
        return self._told


class _Html(HTMLParser):
    """Collects what a mail reader would act on and our own page never has."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "b", "img", "iframe", "form"}:
            self.active.append(tag)
        self.active += [f"{name}={value}" for name, value in attrs if name.startswith("on")]
        self.active += [value or "" for name, value in attrs if name == "href" and "evil.example" in (value or "")]


def _problem(mail: dict) -> str:
    people = [person["email"].lower() for entry in mail["personalizations"] for person in entry["to"]]
    types = [part["type"] for part in mail["content"]]
    if not people or len(people) != len(set(people)):
        return "Each email address in the personalization block should be unique"
    if not mail.get("subject") or "\n" in mail["subject"] or "\r" in mail["subject"]:
        return "The subject is required"
    if types not in (["text/plain"], ["text/plain", "text/html"]):
        return "If present, text/plain and text/html may only be provided once, in this order"
    if not all(part["value"] for part in mail["content"]):
        return "The content value must be a string at least one character in length"
    if any(name.lower() in RESERVED for name in mail.get("headers", {})):
        return "The headers parameter holds a reserved header"
    return ""


def _errors(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"errors": [{"message": message, "field": None, "help": None}]}).encode())
