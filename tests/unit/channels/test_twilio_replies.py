"""A text counts by Twilio's signature alone, and says what somebody wants in a word and a number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.etree.ElementTree import fromstring

import pytest
from msgspec.structs import replace

from bridge.channels.callbacks import Ask, CallbackRequest, Done, Forged, Heard, Unreadable, short_number
from bridge.channels.twilio_replies import TwilioEar, signature
from bridge.channels.twilio_sms import TwilioSmsChannel
from bridge.domain.deed import Deed
from bridge.domain.message import Action, Message, Reason
from bridge.domain.secret import Secret
from bridge.net import HttpClient
from tests.contract.channels.leaks import assert_no_secret
from tests.contract.channels.messages import many, message, resolved
from tests.simulators.twilio import Twilio, text_of, texted
from tests.unit.channels.sending import build, send
from tests.unit.channels.test_twilio_sms import ACCOUNT, ONE, channel_to, segments_of

TOKEN = "canary-auth-token"
URL = "https://alerts.example.org/bridge/callbacks/sms?x=1&y=%C3%BC"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SID = "SM00000000000000000000000000000001"


@pytest.fixture
async def service() -> AsyncIterator[Twilio]:
    async with Twilio(ACCOUNT, "token") as running:
        yield running


def ear(*reaches: str) -> TwilioEar:
    return TwilioEar(Secret(TOKEN), reaches)


def text(said: str, number: str = ONE, *, url: str = URL, signed_for: str = URL, token: str = TOKEN) -> CallbackRequest:
    body, headers = texted(signed_for, token, text_of(number, said, SID))
    return CallbackRequest(url, body, tuple(headers.items()), NOW)


def done(text: str, by: str = "anna") -> Done:
    return Done(Ask("key", ONE), True, text, by=by)


def answered(*done: Done) -> str | None:
    """What is texted back."""
    answer = ear().answer(Heard(), done)
    assert answer.content_type == "text/xml"
    response = fromstring(answer.body)
    assert response.tag == "Response"
    return response.findtext("Message")


class TestProof:
    def test_is_the_one_of_twilios_example(self) -> None:
        form = {
            "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
            "To": "+18005551212",
        }  # fmt: skip
        url = "https://mycompany.com/myapp.php?foo=1&bar=2"
        assert signature(Secret("12345"), url, form.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        body, headers = texted(url, "12345", form)
        assert headers["X-Twilio-Signature"] == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        heard = TwilioEar(Secret("12345"), ()).hear(CallbackRequest(url, body, tuple(headers.items()), NOW))
        assert heard.asks == (), "it is a call and no text"

    def test_covers_every_byte_of_the_body_and_the_address(self) -> None:
        request = text("ack 4711")
        for place in range(len(request.body)):
            changed = bytearray(request.body)
            changed[place] ^= 1
            with pytest.raises(Forged):
                ear().hear(replace(request, body=bytes(changed)))
        for other in (URL + "0", URL.replace("https", "http"), URL.replace("/sms", "/other"), URL.partition("?")[0]):
            with pytest.raises(Forged):
                ear().hear(replace(request, url=other))

    @pytest.mark.parametrize(
        ("url", "signed_for", "holds"),
        [
            ("https://a.example/x", "https://a.example:443/x", True),
            ("https://a.example:443/x", "https://a.example/x", True),
            ("http://a.example/x", "http://a.example:80/x", True),
            ("https://a.example/x", "https://a.example:80/x", False),
            ("https://a.example:8443/x", "https://a.example/x", False),
            ("https://a.example:8443/x", "https://a.example:8443/x", True),
        ],
    )
    def test_may_be_for_the_address_with_or_without_its_port(self, url: str, signed_for: str, holds: bool) -> None:
        request = text("ack", url=url, signed_for=signed_for)
        if holds:
            assert ear().hear(request).asks
            return
        with pytest.raises(Forged):
            ear().hear(request)

    @pytest.mark.parametrize("wrong", ["", "x", "é", "RSOYDt4T1cUTdK1PDd93/VVr8B8="])
    def test_that_is_wrong_or_missing_counts_for_nothing(self, wrong: str) -> None:
        request = text("ack")
        for headers in ((("X-Twilio-Signature", wrong),), (), (*request.headers, ("X-Twilio-Signature", wrong))):
            with pytest.raises(Forged) as caught:
                ear().hear(replace(request, headers=headers))
            assert_no_secret((TOKEN,), caught.value)

    def test_of_another_account_counts_for_nothing(self) -> None:
        with pytest.raises(Forged):
            ear().hear(text("ack", token="another"))

    @pytest.mark.parametrize("body", [b"\xff\xfe", b"Body=%ff&From=1", b"&".join(b"a=1" for _ in range(201)), b""])
    def test_of_what_is_no_form_is_none(self, body: bytes) -> None:
        with pytest.raises(Forged):
            ear().hear(replace(text("ack"), body=body))

    def test_of_a_parameter_that_is_there_twice_is_known_and_the_parameter_counts_for_nothing(self) -> None:
        form = [("Body", "ack 1"), ("Body", "ack 2"), ("From", ONE), ("MessageSid", SID)]
        headers = (("X-Twilio-Signature", signature(Secret(TOKEN), URL, form)),)
        assert ear().hear(CallbackRequest(URL, urlencode(form).encode(), headers, NOW)).asks == ()


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        ("said", "deed", "number"),
        [
            ("ack", Deed.ACKNOWLEDGE, ""),
            ("Ack.", Deed.ACKNOWLEDGE, ""),
            (" ACK 4711 ", Deed.ACKNOWLEDGE, "4711"),
            ("ack4711", Deed.ACKNOWLEDGE, "4711"),
            ("ack #4711, on it", Deed.ACKNOWLEDGE, "4711"),
            ("acknowledge 123", Deed.ACKNOWLEDGE, "123"),
            ("ack 12ab", Deed.ACKNOWLEDGE, "12"),
            ("resolve", Deed.RESOLVE, ""),
            ("Resolve\n4711", Deed.RESOLVE, "4711"),
            ("unack 4711", Deed.UNACKNOWLEDGE, "4711"),
            ("ack " + "9" * 40, Deed.ACKNOWLEDGE, "9" * 9),
        ],
    )
    def test_is_a_word_and_a_number(self, said: str, deed: Deed, number: str) -> None:
        assert ear().hear(text(said)).asks == (Ask(f"text {SID}", ONE, deed=deed, number=number),)

    @pytest.mark.parametrize(
        "said",
        ["", "ok", "please ack", "acked", "acks 1", "I am driving", "resolved by itself", "STOP", "nack 1", "4711"],
    )
    def test_may_be_nothing_to_do(self, said: str) -> None:
        assert ear().hear(text(said)).asks == ()

    def test_over_another_service_is_said_by_the_same_number(self) -> None:
        (ask,) = ear().hear(text("ack", "whatsapp:+4930")).asks
        assert ask.account == "+4930"
        assert ear("whatsapp:+4930", "+1").reaches == {"+4930", "+1"}

    def test_without_an_id_would_be_done_twice(self) -> None:
        form = {"Body": "ack", "From": ONE}
        body, headers = texted(URL, TOKEN, form)
        with pytest.raises(Unreadable):
            ear().hear(CallbackRequest(URL, body, tuple(headers.items()), NOW))


class TestTheAnswer:
    def test_says_what_came_of_it(self) -> None:
        assert answered(done("A <b> & “c”: acknowledged by anna.")) == 'A <b> & "c": acknowledged by anna.'

    def test_is_empty_for_a_repetition_for_nothing_to_do_and_for_who_may_not_act(self) -> None:
        assert answered() is None
        assert answered(done("")) is None
        assert answered(done("Nobody has this account.", by="")) is None

    @pytest.mark.parametrize("long", ["x" * 500, "ж" * 500, "😀" * 500, "€" * 500, "\x00\x1b[31m\ud800" * 90])
    def test_is_one_segment(self, long: str) -> None:
        text = answered(done(long))
        assert text
        assert segments_of(text) == 1


class TestHowToAnswer:
    def test_numbers_are_four_digits_and_differ(self) -> None:
        numbers = [short_number(f"{each:064x}") for each in range(1000)]
        assert all(len(number) == 4 and number.isdecimal() and number[0] != "0" for number in numbers)
        assert len(set(numbers)) > 900

    async def test_a_text_says_it(self, http: HttpClient, service: Twilio) -> None:
        await send(http, channel_to(service, ONE, replies=True), message())
        assert service.texts[0]["Body"].endswith(f"\nReply ack {short_number(message().dedup)}")

    async def test_once_somebody_has_it_a_text_says_how_to_resolve(self, http: HttpClient, service: Twilio) -> None:
        news = replace(message(reason=Reason.CHANGED), acknowledged_by="anna")
        await send(http, channel_to(service, ONE, replies=True), news)
        assert service.texts[0]["Body"].endswith(f"\nReply resolve {short_number(message().dedup)}")

    @pytest.mark.parametrize("news", [resolved(), message(reason=Reason.TEST), message(reason=Reason.NOTICE)])
    async def test_where_there_is_nothing_to_answer_it_is_not_said(
        self, http: HttpClient, service: Twilio, news: Message
    ) -> None:
        await send(http, channel_to(service, ONE, replies=True), news)
        assert "Reply" not in service.texts[0]["Body"]

    async def test_where_nobody_hears_answers_it_is_not_said(self, http: HttpClient, service: Twilio) -> None:
        channel = channel_to(service, ONE)
        await send(http, channel, message())
        assert channel.callback is None
        assert "Reply" not in service.texts[0]["Body"]

    async def test_it_stands_in_place_of_links(self, http: HttpClient, service: Twilio) -> None:
        link = Action(Deed.ACKNOWLEDGE, "Acknowledge", "A" * 54, f"https://alerts.example.org/a/{'A' * 54}")
        news = replace(message(), actions=(link,))
        await send(http, channel_to(service, ONE, replies=True), news)
        await send(http, channel_to(service, ONE), news, key="key-2")
        assert ["https" in one["Body"] for one in service.texts] == [False, True]

    @pytest.mark.parametrize("line", ["сервер упал", "server down €", "x"])
    @pytest.mark.parametrize("segments", [1, 2, 4])
    async def test_it_is_there_whole_in_the_segments_allowed(
        self, http: HttpClient, service: Twilio, line: str, segments: int
    ) -> None:
        news = message(*many(3), title="down", text="\n".join([line] * 300))
        await send(http, channel_to(service, ONE, replies=True, max_segments=segments), news)
        body = service.texts[0]["Body"]
        assert body.endswith(f"\nReply ack {short_number(news.dedup)}")
        assert segments_of(body) <= segments
        assert line[:4] in body

    def test_a_number_is_known_as_it_is_configured(self) -> None:
        options = {
            "account_sid": "AC1",
            "auth_token": "x",
            "from": "+1500",
            "to": [ONE, "whatsapp:+49"],
            "replies": True,
        }
        channel = build(TwilioSmsChannel, **options)
        assert isinstance(channel, TwilioSmsChannel)
        assert channel.callback is not None
        assert channel.callback.reaches == {ONE, "+49"}
