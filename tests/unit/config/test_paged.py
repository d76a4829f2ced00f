"""What a configuration shows of pages that would come to nobody is said when it is read."""

from __future__ import annotations

from pathlib import Path

from tests.unit.config.written import load_text, said

NO_PAGES = "send_on: [opened, resolved]"
TEAM = f"""channels:
  out: {{type: console}}
  news: {{type: console, {NO_PAGES}}}
people:
  anna:
    channels: {{chat: out, news: news}}
    rules:
      - {{notify: [chat, news]}}
route: {{receiver: out}}
"""
SEE = ": see `send_on`"


def test_who_has_a_channel_that_takes_pages_is_as_it_should_be(tmp_path: Path) -> None:
    assert said(load_text(tmp_path, TEAM)) == []


def test_a_person_none_of_whose_channels_takes_pages_is_a_warning(tmp_path: Path) -> None:
    assert said(load_text(tmp_path, TEAM.replace("chat: out", "chat: news"))) == [
        "main.yml:5:3: warning: no channel of anna takes `escalated`, so that whoever pages them reaches the fallback"
        + SEE
    ]


def test_a_later_rule_that_tells_nobody_is_a_warning(tmp_path: Path) -> None:
    text = TEAM.replace("route:", "      - {after: 5m, notify: news}\nroute:")
    assert said(load_text(tmp_path, text)) == [
        "main.yml:9:9: warning: anna's rule after 5m tells nobody `escalated`" + SEE
    ]


def test_a_fallback_that_takes_no_pages_is_a_warning(tmp_path: Path) -> None:
    text = TEAM + (
        "fallback: news\nreceivers: {both: [news]}\n"
        "schedules: {payments: {layers: [{people: [anna], start: 2026-03-02}], fallback: both}}\n"
    )
    stands = "does not take `escalated`, and stands in for nobody who is paged" + SEE
    assert said(load_text(tmp_path, text)) == [
        f"main.yml:10:11: warning: the fallback news {stands}",
        f"main.yml:12:13: warning: its fallback both {stands}",
    ]


def test_a_step_that_tells_a_channel_that_takes_no_pages_is_a_warning(tmp_path: Path) -> None:
    text = TEAM + "escalations:\n  night:\n    - {after: 5m, notify: [out]}\n    - {after: 9m, notify: [news]}\n"
    assert said(load_text(tmp_path, text)) == [
        "main.yml:13:7: warning: escalations.night tells news, which does not take `escalated`" + SEE
    ]
