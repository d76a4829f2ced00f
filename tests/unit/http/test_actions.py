"""`/a/{token}`: looking changes nothing, whoever looks; pressing the button acts, for whom the link was given to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDictProxy
from structlog.testing import capture_logs

from bridge.app.bridge import Bridge
from bridge.domain.deed import Deed
from bridge.domain.message import Message
from bridge.engine.link_acts import LinkActs
from bridge.engine.links import Links
from bridge.secrets.instance import InstanceKeys
from tests.unit.http.outside import MAIN, REST, THROUGH_A_PROXY, URL, open_incident, outside_bridge, state, told
from tests.unit.http.real import port_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SCANNERS = (
    {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120 Safari/537.36"},
    {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Site": "cross-site"},
)


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    async with outside_bridge(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
async def message(bridge: Bridge) -> Message:
    return await told(bridge, await open_incident(bridge, "Down <script>alert(1)</script>"))


class Fields(HTMLParser):
    """The form of a page, as a browser would send it back, and the links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms = 0
        self.values: dict[str, str] = {}
        self.links: list[str] = []
        self.scripts = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.forms += tag == "form"
        self.scripts += tag == "script"
        if tag == "input":
            self.values[given["name"]] = given.get("value", "")
        if tag == "a":
            self.links.append(given["href"])


Answer = tuple[int, str, CIMultiDictProxy[str]]


async def ask(
    bridge: Bridge, token: str, method: str = "GET", *, data: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    url = f"http://127.0.0.1:{port_of(bridge)}/bridge/a/{token}"
    everything = {**THROUGH_A_PROXY, **(headers or {})}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data, headers=everything, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


def token_of(message: Message, deed: Deed = Deed.ACKNOWLEDGE) -> str:
    return next(action.token for action in message.actions if action.deed is deed)


async def press(bridge: Bridge, token: str, **changed: str) -> Answer:
    """Open the page and press its button, as a browser does."""
    _, html, _ = await ask(bridge, token)
    values = {**Fields(html).values, **changed}
    origin = {"Origin": "https://alerts.example.org", "Sec-Fetch-Site": "same-origin"}
    return await ask(bridge, token, "POST", data=values, headers=origin)


async def test_a_message_has_links_that_begin_with_the_external_address(message: Message) -> None:
    assert [action.deed.value for action in message.actions] == ["acknowledge", "snooze", "resolve"]
    assert all(re.fullmatch(rf"{URL}/a/[A-Za-z0-9_-]{{54}}", action.url) for action in message.actions)


async def test_looking_changes_nothing_whoever_looks(bridge: Bridge, message: Message) -> None:
    for action in message.actions:
        for method in ("GET", "HEAD", "GET"):
            for scanner in SCANNERS:
                status, _, _ = await ask(bridge, action.token, method, headers=scanner)
                assert status == 200
    assert await state(bridge, message.incident) == ("open", None)


async def test_other_methods_do_nothing(bridge: Bridge, message: Message) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await ask(bridge, token_of(message), method))[0] == 405
    assert await state(bridge, message.incident) == ("open", None)


async def test_the_button_acknowledges_and_says_so(bridge: Bridge, message: Message) -> None:
    status, html, _ = await press(bridge, token_of(message), name="carol")
    assert status == 200
    assert "acknowledged by carol (polly)." in html
    assert await state(bridge, message.incident) == ("acknowledged", "carol (polly)")
    timeline = (await bridge.operator.incident(message.incident)).timeline
    assert [entry.detail for entry in timeline if entry.kind == "acknowledged"] == ['{"via":"link"}']


async def test_the_link_of_a_persons_own_channel_is_that_persons(bridge: Bridge) -> None:
    incident = await open_incident(bridge)
    await bridge.operator.add_responder(incident, "shy", "ops", bridge._clock.now())
    mine = await told(bridge, incident, "shy")
    _, html, _ = await ask(bridge, token_of(mine))
    assert "name" not in Fields(html).values, "nobody is asked for a name that is known"
    await press(bridge, token_of(mine), name="mallory")
    assert await state(bridge, incident) == ("acknowledged", "alice")


async def test_nobody_takes_a_persons_name_by_a_channels_link(bridge: Bridge, message: Message) -> None:
    await press(bridge, token_of(message), name="alice")
    assert await state(bridge, message.incident) == ("acknowledged", "alice (polly)")


async def test_again_is_no_different_from_once(bridge: Bridge, message: Message) -> None:
    await press(bridge, token_of(message), name="carol")
    before = await bridge.operator.incident(message.incident)
    status, html, _ = await ask(bridge, token_of(message), "POST", data={"name": "carol"})
    assert (status, "you acknowledged it already" in html) == (200, True)
    after = await bridge.operator.incident(message.incident)
    assert [entry.kind for entry in before.timeline] == [entry.kind for entry in after.timeline]


async def test_at_once_twenty_times_is_once(bridge: Bridge, message: Message) -> None:
    answers = await asyncio.gather(*(ask(bridge, token_of(message), "POST", data={}) for _ in range(20)))
    assert {status for status, _, _ in answers} == {200}
    timeline = (await bridge.operator.incident(message.incident)).timeline
    assert [entry.kind for entry in timeline].count("acknowledged") == 1


async def test_the_second_person_is_told_who_was_first(bridge: Bridge, message: Message) -> None:
    await bridge.operator.acknowledge(message.incident, "bob", bridge._clock.now())
    status, html, _ = await press(bridge, token_of(message), name="carol")
    assert (status, "acknowledged by bob already" in html) == (409, True)
    assert await state(bridge, message.incident) == ("acknowledged", "bob")


async def test_a_page_that_is_out_of_date_does_nothing(bridge: Bridge, message: Message) -> None:
    token = token_of(message, Deed.RESOLVE)
    _, html, _ = await ask(bridge, token)
    await bridge.operator.acknowledge(message.incident, "bob", bridge._clock.now())
    status, again, _ = await ask(bridge, token, "POST", data=Fields(html).values)
    assert (status, "has changed" in again, "acknowledged by bob" in again) == (409, True, True)
    assert await state(bridge, message.incident) == ("acknowledged", "bob")
    assert (await ask(bridge, token, "POST", data=Fields(again).values))[0] == 200
    assert (await state(bridge, message.incident))[0] == "resolved"


async def test_acknowledging_what_is_over_is_said_to_be_of_no_use(bridge: Bridge, message: Message) -> None:
    await bridge.operator.resolve(message.incident, "bob", bridge._clock.now())
    _, html, _ = await ask(bridge, token_of(message))
    assert ("This is over" in html, Fields(html).forms) == (True, 0)
    status, html, _ = await ask(bridge, token_of(message), "POST")
    assert (status, "resolved already; nothing to acknowledge" in html) == (200, True)


async def test_a_snooze_lasts_as_long_as_was_chosen(bridge: Bridge, message: Message) -> None:
    for period, minutes in (("30m", 30), ("1d", 1440), ("", 60)):
        now = bridge._clock.now()
        await press(bridge, token_of(message, Deed.SNOOZE), **({"for": period} if period else {}))
        until = (await bridge.operator.incident(message.incident)).incident.snoozed_until
        assert until is not None
        assert timedelta(0) <= until - now - timedelta(minutes=minutes) < timedelta(minutes=1)


async def test_the_page_leads_on_to_what_else_can_be_done(bridge: Bridge, message: Message) -> None:
    _, html, _ = await press(bridge, token_of(message), name="carol")
    back, _resolve = Fields(html).links
    assert "given back by somebody (polly)" in (await press(bridge, back))[1]
    assert await state(bridge, message.incident) == ("open", None)


async def test_alerts_cannot_put_anything_into_the_page(bridge: Bridge, message: Message) -> None:
    _, html, headers = await ask(bridge, token_of(message))
    assert (Fields(html).scripts, "&lt;script&gt;" in html) == (0, True)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_name_cannot_put_anything_into_the_page(bridge: Bridge, message: Message) -> None:
    name = "<img src=x onerror=alert(1)>\u202e\n"
    _, html, _ = await press(bridge, token_of(message), name=name)
    assert ("<img" in html, "\u202e" in html) == (False, False)
    _, html, _ = await ask(bridge, token_of(message, Deed.RESOLVE))
    assert "<img" not in html


async def test_a_link_that_was_cut_off_does_nothing(bridge: Bridge, message: Message) -> None:
    for cut in (0, 1, 27, 53):
        for method in ("GET", "POST"):
            assert (await ask(bridge, token_of(message)[:cut], method))[0] == 404
    assert await state(bridge, message.incident) == ("open", None)


async def test_a_link_of_which_a_letter_was_changed_does_nothing(bridge: Bridge, message: Message) -> None:
    token = token_of(message)
    for place in range(0, 54, 9):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        status, html, _ = await ask(bridge, other, "POST")
        assert (status, message.incident in html) == (404, False)
    assert await state(bridge, message.incident) == ("open", None)


async def test_a_link_is_for_one_incident(bridge: Bridge, message: Message) -> None:
    other = await open_incident(bridge, "Other")
    await press(bridge, token_of(message))
    assert (await state(bridge, message.incident))[0] == "acknowledged"
    assert await state(bridge, other) == ("open", None)


async def test_parts_of_two_links_make_none(bridge: Bridge, message: Message) -> None:
    first = token_of(message)
    second = token_of(await told(bridge, await open_incident(bridge, "Other")), Deed.RESOLVE)
    for place in range(4, 54, 4):
        assert (await ask(bridge, first[:place] + second[place:], "POST"))[0] == 404


async def test_a_link_of_another_bridge_is_none(bridge: Bridge, message: Message) -> None:
    until = bridge._clock.now() + timedelta(days=1)
    foreign = Links(InstanceKeys.generate()).token(Deed.RESOLVE, message.incident, "channel polly", until)
    assert (await ask(bridge, foreign, "POST"))[0] == 404


async def test_a_link_ends_when_its_time_is_over(bridge: Bridge, message: Message) -> None:
    links = Links(bridge._keys)
    now = bridge._clock.now()
    old = links.token(Deed.RESOLVE, message.incident, "channel polly", now - timedelta(seconds=1))
    for method in ("GET", "POST"):
        status, html, _ = await ask(bridge, old, method)
        assert (status, "expired" in html, message.incident in html) == (410, True, False)
    assert await state(bridge, message.incident) == ("open", None)


async def test_a_link_of_somebody_who_is_gone_opens_nothing(bridge: Bridge, message: Message) -> None:
    until = bridge._clock.now() + timedelta(days=1)
    for recipient in ("person zoe", "channel gone", "alice", "polly", ""):
        token = Links(bridge._keys).token(Deed.RESOLVE, message.incident, recipient, until)
        assert (await ask(bridge, token, "POST"))[0] == 404
    assert await state(bridge, message.incident) == ("open", None)


async def test_of_an_incident_that_is_gone_that_is_said(bridge: Bridge) -> None:
    until = bridge._clock.now() + timedelta(days=1)
    token = Links(bridge._keys).token(Deed.RESOLVE, "0" * 26, "channel polly", until)
    for method in ("GET", "POST"):
        assert (await ask(bridge, token, method))[0] == 410


async def test_a_form_that_is_none_does_nothing(bridge: Bridge, message: Message) -> None:
    token = token_of(message, Deed.SNOOZE)
    assert (await ask(bridge, token, "POST", data=b"x" * (16 * 1024 + 1), headers=FORM))[0] == 413
    assert (await ask(bridge, token, "POST", data=b"{}", headers={"Content-Type": "application/json"}))[0] == 415
    many = b"&".join(b"a=1" for _ in range(11))
    for body in (b"name=%ff", b"name=\xff", many, b"for=1y", b"for=99999999d", b"for=-1h", b"for=%00"):
        assert (await ask(bridge, token, "POST", data=body, headers=FORM))[0] == 400, body
    assert await state(bridge, message.incident) == ("open", None)


async def test_a_form_that_does_not_come_to_an_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.http.limits._OUTSIDE_SECONDS", 0.1)
    patient = MAIN.replace('"127.0.0.1:0"', '"127.0.0.1:0", body_timeout: 10m', 1)
    async with outside_bridge(tmp_path, monkeypatch, patient) as running:
        for path in ("a/x", "callbacks/polly"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(running))
            writer.write(f"POST /bridge/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nname=".encode())
            async with asyncio.timeout(60):
                assert (await reader.readline()).split()[1] == b"408"
            writer.close()


async def test_a_link_opens_nothing_else(bridge: Bridge, message: Message) -> None:
    url = f"http://127.0.0.1:{port_of(bridge)}/bridge"
    token = token_of(message)
    async with aiohttp.ClientSession(headers=THROUGH_A_PROXY) as session:
        for path in (f"/a/{token}/", f"/a/{token}/x", "/a/", "/a", f"/api/v1/incidents/{message.incident}"):
            async with session.get(url + path, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status in {401, 404}, path


async def test_without_an_external_address_there_are_tokens_for_buttons_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = MAIN.replace(', external_url: "https://alerts.example.org/bridge"', "")
    async with outside_bridge(tmp_path, monkeypatch, main) as running:
        message = await told(running, await open_incident(running, prefix=""))
    assert [(bool(action.token), action.url) for action in message.actions] == [(True, "")] * 3


async def test_what_is_logged_of_a_failure_opens_no_link(
    bridge: Bridge, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(LinkActs, "look", broken)
    with capture_logs() as lines:
        assert (await ask(bridge, token_of(message)))[0] == 500
    assert [line["path"] for line in lines if line["event"] == "request failed"] == ["/bridge/a/…"]


async def test_behind_a_proxy_links_and_callbacks_are_reached_and_nothing_else_though_there_is_no_access_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = "\n".join(line for line in REST.splitlines() if not line.startswith("access:"))
    async with outside_bridge(tmp_path, monkeypatch, rest=rest) as running:
        message = await told(running, await open_incident(running))
        assert (await press(running, token_of(message), name="carol"))[0] == 200
        url = f"http://127.0.0.1:{port_of(running)}/bridge"
        async with aiohttp.ClientSession(headers=THROUGH_A_PROXY) as session:
            async with session.post(f"{url}/callbacks/polly", data=b"[]") as answer:
                assert answer.status == 401
                assert "prove" in await answer.text()
            async with session.get(f"{url}/api/v1/incidents") as answer:
                assert answer.status == 403
