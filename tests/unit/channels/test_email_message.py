"""The mail itself; its way to the server is in test_email.py."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.channels.api import Message
from bridge.channels.email_html import page
from bridge.channels.email_message import Composed, Envelope, compose, subject_of
from tests.contract.channels.messages import HOSTILE, NOW, alert, many, message, resolved

ENVELOPE = Envelope(Address("Alertbridge", "alerts", "example.com"), (Address("", "ops", "example.com"),))


def composed(news: Message, **more: object) -> Composed:
    return compose(news, ENVELOPE, **{"key": "key-1", "now": NOW, **more})


def parsed(mail: Composed) -> EmailMessage:
    read = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


class TestHeaders:
    def test_a_mail_says_that_a_machine_wrote_it(self) -> None:
        mail = parsed(composed(message()))
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["X-Auto-Response-Suppress"] == "All"
        assert mail["From"] == "Alertbridge <alerts@example.com>"
        assert mail["To"] == "ops@example.com"
        assert mail["Date"] == "Sun, 01 Mar 2026 10:05:00 +0000"

    def test_every_attempt_of_a_delivery_bears_one_message_id_and_every_delivery_its_own(self) -> None:
        again = composed(message(), now=NOW.replace(hour=12))
        assert composed(message()).message_id == again.message_id
        assert composed(message(), key="key-2").message_id != again.message_id
        assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", again.message_id)

    def test_the_mails_of_an_incident_share_a_root_that_no_mail_is(self) -> None:
        first, last = parsed(composed(message())), parsed(composed(resolved(), key="key-2"))
        assert first["References"] == first["In-Reply-To"] == last["References"] == last["In-Reply-To"]
        assert first["References"] not in {first["Message-ID"], last["Message-ID"]}

    def test_another_incident_is_another_thread(self) -> None:
        other = replace(message(), dedup="another")
        assert parsed(composed(other))["References"] != parsed(composed(message()))["References"]

    def test_the_subject_does_not_name_a_state_that_the_thread_outlives(self) -> None:
        assert subject_of(message()) == subject_of(resolved()) == "Alert0001"

    @pytest.mark.parametrize(
        ("title", "subject"),
        [
            ("[FIRING:2] HighCPU (payments)", "HighCPU (payments)"),
            ("[TEST] [FIRING:1] HighCPU", "HighCPU"),
            ("HighCPU [eu]", "HighCPU [eu]"),
            ("[FIRING]", "[FIRING]"),
            (" \r\n", "Alert"),
        ],
    )
    def test_the_subject_is_the_title_without_what_leads_it_in_brackets(self, title: str, subject: str) -> None:
        assert subject_of(message(title=title)) == subject

    def test_a_thread_keeps_the_subject_it_began_with(self) -> None:
        assert parsed(composed(message(*many(3), title="other words"), subject="HighCPU"))["Subject"] == "HighCPU"

    def test_a_subject_outside_ascii_survives(self) -> None:
        mail = composed(message(title="Überlast 数据库 🔥 " + "é" * 100))
        assert parsed(mail)["Subject"] == "Überlast 数据库 🔥 " + "é" * 100
        assert mail.content.partition(b"\r\n\r\n")[0].isascii()

    @settings(deadline=None)
    @given(st.text(max_size=300), st.sampled_from(HOSTILE))
    def test_no_text_of_an_alert_becomes_a_header(self, text: str, hostile: str) -> None:
        text = text.encode("utf-8", "replace").decode()
        view = alert(1, instance=text, team=hostile)
        news = message(view, title=text + hostile, text=hostile + text)
        news = replace(news, receiver=hostile, note=text, acknowledged_by=hostile, incident=text, dedup=text)
        mail = composed(news, subject=hostile)
        names = ["From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"]
        assert list(parsed(mail).keys()) == [*names, "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"]
        assert all(len(line) <= 998 for line in mail.content.split(b"\r\n"))
        assert b"\n" not in mail.content.replace(b"\r\n", b"")

    def test_the_operators_own_headers_are_added(self) -> None:
        envelope = replace(ENVELOPE, headers={"Reply-To": "lead@example.com", "X-Team": "payments"})
        mail = parsed(compose(message(), envelope, key="key-1", now=NOW))
        assert (mail["Reply-To"], mail["X-Team"]) == ("lead@example.com", "payments")


class TestBody:
    def test_the_text_part_comes_first_and_the_html_part_last(self) -> None:
        kinds = [part.get_content_type() for part in parsed(composed(message())).iter_parts()]
        assert kinds == ["text/plain", "text/html"]

    def test_the_plain_form_is_text_alone(self) -> None:
        mail = parsed(composed(message(), plain=True))
        assert mail.get_content_type() == "text/plain"

    def test_the_first_line_tells_the_state(self) -> None:
        def first_line(news: Message) -> str:
            return parsed(composed(news, plain=True)).get_content().splitlines()[0]

        assert first_line(message()) == "FIRING (critical)"
        assert first_line(resolved()) == "RESOLVED"
        assert first_line(replace(resolved(), fired_and_resolved=True)) == "FIRED AND RESOLVED"
        assert first_line(replace(message(), acknowledged_by="alice")) == "ACKNOWLEDGED by alice"

    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_html_shows_every_text_as_it_is(self, hostile: str) -> None:
        view = replace(alert(1, team=hostile), annotations={"runbook_url": hostile}, generator_url=hostile)
        shown = page(replace(message(view, title=hostile, text=hostile), note=hostile, severity=hostile))
        tags = set(re.findall(r"<(/?[a-z0-9]+)", shown))
        assert tags <= set(re.findall(r"<(/?[a-z0-9]+)", page(replace(message(), note="note"))))
        assert "href" not in shown

    def test_html_loads_nothing_from_elsewhere(self) -> None:
        shown = page(message())
        assert not re.search(r"\bsrc\b|<link|<script|<img|url\(|@import", shown)

    def test_html_lists_twenty_alerts_and_counts_the_rest(self) -> None:
        shown = page(message(*many(25), text="text"))
        assert "Alert0020" in shown
        assert "web-21:9100" not in shown
        assert "5 more alerts are not listed here." in shown
