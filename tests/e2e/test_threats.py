"""Alert text is hostile: posted to a running bridge, it comes out at every receiver as text and as nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from tests.e2e.town import SECRETS, Town, town
from tests.running_bridge import eventually

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;",
    "<!channel> <!here|here> <@U0EXAMPLE> <#C0EXAMPLE> @everyone @here",
    "<https://evil.example/|click> [click](https://evil.example/) *b* _i_ `c` ~s~",
    "{{ 7*7 }} {{ ''.__class__ }} {% for x in range(10) %}x{% endfor %} ${HOME} $(id) `id` ; id",
    "web-1\r\nBcc: victim@example.com\r\n\r\n.\r\nMAIL FROM:<a@evil.example>\r\n",
    "bell\x07 nul\x00 escape\x1b[31mred\x1b]0;title\x07\x9b31m",
    "\u202egnirts\u202c \u2066isolate\u2069 \ufeff\u200b \u2028line",
    "quote\" apostrophe' back\\slash </td></tr> =cmd|' /C calc'!A0 ACK by root'); DROP TABLE alerts;--",
    "x" * 5000,
    "\N{PILE OF POO}e\u0301" * 1200,
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ADDRESSES = {"To": "ops@example.com", "From": "alerts@example.com"}


def payload(number: int, text: str, status: str = "firing") -> dict[str, object]:
    """One group of one alert, the text wherever a rule's author can write."""
    labels = {"alertname": f"Odd{number} {text}", "instance": text, "severity": text, "odd_label": text}
    now = datetime.now(UTC).isoformat()
    alert = {
        "status": status, "labels": labels, "startsAt": now, "endsAt": now if status == "resolved" else "0001-01-01T00:00:00Z",
        "annotations": {
            "summary": text, "description": text, "runbook_url": f"javascript:{text}", "dashboard_url": "file:///etc/passwd",
        },
        "generatorURL": "javascript:alert(document.domain)", "fingerprint": f"{number:016x}",
    }  # fmt: skip
    return {
        "version": "4", "status": status, "receiver": text, "groupKey": f"{{}}:{{alertname={text}}}",
        "groupLabels": {"alertname": labels["alertname"]}, "commonLabels": labels, "commonAnnotations": {},
        "externalURL": "javascript:alert(1)", "truncatedAlerts": 0, "alerts": [alert],
    }  # fmt: skip


async def post_all(here: Town, status: str) -> None:
    headers = {"Authorization": f"Bearer {SECRETS['sources/alertmanager/auth.bearer']}"}
    for number, text in enumerate(HOSTILE):
        body = payload(number, text, status)
        answered = await asyncio.to_thread(here.bridge.post, "/webhook/alertmanager", body, headers)
        assert answered[0] == 200, (number, answered)
        assert answered[1]["accepted"] == 1, (number, answered)  # type: ignore[index]


class Markup(HTMLParser):
    """What a mail reader would act on that our own page never has."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "b", "img", "iframe", "form", "object", "svg"} or any(
            name.startswith("on") for name in values
        ):
            self.active.append(tag)
        href = values.get("href") or ""
        if tag == "a" and not href.startswith(("https://runbooks.example/", "http://127.0.0.1")):
            self.active.append(href)


def _metrics(here: Town) -> bytes:
    with urllib.request.urlopen(f"{here.bridge.url}/metrics", timeout=60) as answer:
        text: bytes = answer.read()
    return text


def texts_for_people(here: Town) -> Iterator[tuple[str, str]]:
    for name, told in (
        ("chat", here.chat.told()),
        ("bot", here.bot.told()),
        ("sms", here.sms.told()),
        ("gram", here.gram.told()),
        ("grid", here.grid.told()),
    ):
        yield from ((name, one.text) for one in told)
    yield from (("mail", mail.part("plain")) for mail in here.mail.mails)


async def test_hostile_alert_text_is_shown_by_every_receiver_and_acted_on_by_none(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await asyncio.to_thread(here.bridge.start)
        await post_all(here, "firing")
        await eventually(lambda: all(count >= len(HOSTILE) for count in here.counts().values()), within=60)
        await post_all(here, "resolved")
        await eventually(lambda: all(count >= 2 * len(HOSTILE) for count in here.counts().values()), within=60)

        assert here.counts() == dict.fromkeys(here.counts(), 2 * len(HOSTILE))
        _acted_on_by_none(here)
        for name, text in texts_for_people(here):
            assert not CONTROL.search(text), (name, text)
            assert "49" not in text.split(), (name, text)  # {{ 7*7 }}
        for number in range(len(HOSTILE)):
            for name, told in (
                ("chat", here.chat.told()),
                ("bot", here.bot.told()),
                ("pager", here.pager.told()),
                ("gram", here.gram.told()),
                ("grid", here.grid.told()),
            ):
                assert any(f"Odd{number}" in one.text for one in told), (name, number)
            assert any(f"Odd{number}" in told.text for told in here.hook.told()), number
        _mails_go_nowhere_else(here)
        _webhooks_carry_the_text(here)
        await _what_operators_see(here)


def _acted_on_by_none(here: Town) -> None:
    for name, told in (
        ("chat", here.chat.told()),
        ("bot", here.bot.told()),
        ("pager", here.pager.told()),
        ("gram", here.gram.told()),
        ("grid", here.grid.told()),
    ):
        for one in told:
            acted = [link for link in one.active if not link.startswith("https://runbooks.example/")]
            assert acted == [], (name, acted)
    for mail in here.mail.mails:
        page = Markup()
        page.feed(mail.part("html"))
        assert page.active == []
    assert set(here.script_heard()) == {"firing opened", "resolved resolved"}


def _mails_go_nowhere_else(here: Town) -> None:
    for mail in here.mail.mails:
        assert mail.recipients == ("ops@example.com",)
        assert mail.parsed["Bcc"] is None
        assert {name: str(mail.parsed[name]) for name in ADDRESSES} == ADDRESSES
        assert mail.parsed.defects == []
    for mail in here.grid.mails:
        assert [person["email"] for entry in mail["personalizations"] for person in entry["to"]] == ["ops@example.com"]


def _webhooks_carry_the_text(here: Town) -> None:
    """A receiver that is a program gets what was sent, to the character, but for NUL."""
    bodies = [json.loads(request.body) for request in here.hook.requests]
    shown = {body["alerts"][0]["labels"]["instance"] for body in bodies}
    assert shown == {text.replace("\x00", "") for text in HOSTILE}


async def _what_operators_see(here: Town) -> None:
    """Nothing in the log, the audit or a table can act on the terminal, and every log line is one record."""
    log = here.bridge.log.read_text()
    assert not CONTROL.search(log.replace("\n", ""))
    assert not any(line.startswith(("MAIL FROM", "Bcc", ".")) for line in log.splitlines())
    url = ("--url", here.bridge.url)
    for words in (("incidents", "list", *url), ("deliveries", "list", *url), ("audit", "list")):
        ran = await asyncio.to_thread(here.bridge.command, *words)
        assert ran.returncode == 0, ran.stderr
        assert not CONTROL.search(ran.stdout.replace("\n", "")), words
    metrics = await asyncio.to_thread(_metrics, here)
    assert b"Odd" not in metrics
    verified = await asyncio.to_thread(here.bridge.command, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
