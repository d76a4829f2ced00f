from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.channels.sms_text import _BASIC, _EXTENDED, bits, room, spelled
from bridge.channels.twilio_sms import TwilioSmsChannel
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.net import HttpClient
from tests.contract.channels.messages import many, message
from tests.simulators.twilio import Twilio
from tests.unit.channels.sending import build, context, send

ACCOUNT = "AC0123456789"
ONE, TWO, THREE = "+15005550001", "+15005550002", "+15005550003"


@pytest.fixture
async def service() -> AsyncIterator[Twilio]:
    async with Twilio(ACCOUNT, "token") as running:
        yield running


def channel_to(service: Twilio, *numbers: str, **more: object) -> TwilioSmsChannel:
    given_ = {"account_sid": ACCOUNT, "auth_token": "token", "from": "+15005550006", "to": numbers, "url": service.url}
    channel = build(TwilioSmsChannel, **{**given_, **more})
    assert isinstance(channel, TwilioSmsChannel)
    return channel


def segments_of(text: str) -> int:
    """How many segments a text takes when it is really laid out: no character is split between two."""
    plain = all(char in _BASIC or char in _EXTENDED for char in text)
    sizes = [1 + (char in _EXTENDED if plain else char > "\uffff") for char in text]
    if sum(sizes) <= (160 if plain else 70):
        return 1
    count, used = 1, 0
    for size in sizes:
        if used + size > (153 if plain else 67):
            count, used = count + 1, 0
        used += size
    return count


class TestSendingToOne:
    async def test_is_a_form_with_title_and_text(self, http: HttpClient, service: Twilio) -> None:
        receipt = await send(http, channel_to(service, ONE), message())
        (form,) = service.texts
        assert form == {
            "To": ONE,
            "From": "+15005550006",
            "Body": "[FIRING:1] Alert0001\nFIRING Alert0001: CPU above 90% on web-1",
        }
        assert service.requests[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert receipt.data["sids"].startswith("SM")

    async def test_may_go_through_a_messaging_service(self, http: HttpClient, service: Twilio) -> None:
        await send(http, channel_to(service, ONE, **{"from": "MG0123"}), message())
        assert service.texts[0]["MessagingServiceSid"] == "MG0123"
        assert "From" not in service.texts[0]

    async def test_keeps_reserved_characters(self, http: HttpClient, service: Twilio) -> None:
        await send(http, channel_to(service, ONE), message(title="a&b=c+d %20 é €", text=""))
        assert service.texts[0]["Body"] == "a&b=c+d %20 é €"

    @pytest.mark.parametrize(
        ("status", "code", "kind", "reason"),
        [
            (401, 20003, Refused, FailureReason.UNAUTHORIZED),
            (404, 20404, Refused, FailureReason.DESTINATION_GONE),
            (429, 20429, Retryable, FailureReason.RATE_LIMITED),
            (400, 21211, Permanent, FailureReason.RECIPIENT_REFUSED),
            (400, 21614, Permanent, FailureReason.RECIPIENT_REFUSED),
            (400, 21610, Permanent, FailureReason.RECIPIENT_REFUSED),
            (400, 21603, Refused, FailureReason.DESTINATION_GONE),
            (400, 21606, Refused, FailureReason.DESTINATION_GONE),
            (400, 21617, Permanent, FailureReason.TOO_LARGE),
            (400, 99999, Permanent, FailureReason.CONTENT_REFUSED),
            (503, 20503, Retryable, FailureReason.SERVER_ERROR),
            (500, 21610, Retryable, FailureReason.SERVER_ERROR),
        ],
    )
    async def test_fails_as_twilios_code_says(
        self,
        http: HttpClient,
        service: Twilio,
        status: int,
        code: int,
        kind: type[ChannelError],
        reason: FailureReason,
    ) -> None:
        service.refuse[ONE] = (status, code)
        with pytest.raises(kind) as caught:
            await send(http, channel_to(service, ONE), message())
        assert caught.value.reason is reason
        assert ONE not in str(caught.value)

    async def test_waits_as_long_as_twilio_says(self, http: HttpClient, service: Twilio) -> None:
        service.next(429, b'{"code": 20429, "message": "Too Many Requests"}', {"Retry-After": "9"})
        with pytest.raises(Retryable) as caught:
            await send(http, channel_to(service, ONE), message())
        assert caught.value.retry_after == 9.0

    @pytest.mark.parametrize("status", ["failed", "undelivered"])
    async def test_is_no_success_when_twilio_accepted_a_failure(
        self, http: HttpClient, service: Twilio, status: str
    ) -> None:
        service.next(201, f'{{"sid": "SM1", "status": "{status}"}}')
        with pytest.raises(Retryable):
            await send(http, channel_to(service, ONE), message())


class TestSendingToSeveral:
    async def test_texts_each_once(self, http: HttpClient, service: Twilio) -> None:
        receipt = await send(http, channel_to(service, ONE, TWO, ONE), message())
        assert sorted(form["To"] for form in service.texts) == [ONE, TWO]
        assert len(receipt.data["sids"].split(",")) == 2

    async def test_does_not_text_those_again_who_got_it_when_another_failed(
        self, http: HttpClient, service: Twilio
    ) -> None:
        channel = channel_to(service, ONE, TWO, THREE)
        service.refuse[TWO] = (503, 20503)
        with pytest.raises(Retryable):
            await channel.send(message(), context(http))
        service.refuse.clear()
        receipt = await channel.send(message(), context(http, attempt=2))
        assert sorted(form["To"] for form in service.texts) == [ONE, TWO, THREE]
        assert service.texts[-1]["To"] == TWO
        assert len(receipt.data["sids"].split(",")) == 3

    async def test_texts_everybody_anew_for_the_next_delivery(self, http: HttpClient, service: Twilio) -> None:
        channel = channel_to(service, ONE, TWO)
        await channel.send(message(), context(http, key="key-1"))
        await channel.send(message(), context(http, key="key-2"))
        assert len(service.texts) == 4

    async def test_is_a_success_that_names_who_unsubscribed(self, http: HttpClient, service: Twilio) -> None:
        service.refuse[TWO] = (400, 21610)
        receipt = await send(http, channel_to(service, ONE, TWO), message())
        assert [form["To"] for form in service.texts] == [ONE]
        assert "21610" in receipt.detail
        assert "…0002" in receipt.detail
        assert TWO not in receipt.detail

    async def test_fails_for_good_only_when_nobody_can_be_texted(self, http: HttpClient, service: Twilio) -> None:
        service.refuse.update({ONE: (400, 21610), TWO: (400, 21211)})
        with pytest.raises(Permanent) as caught:
            await send(http, channel_to(service, ONE, TWO), message())
        assert caught.value.reason is FailureReason.RECIPIENT_REFUSED

    async def test_waits_for_the_longest_and_tells_of_the_unknown(self, http: HttpClient, service: Twilio) -> None:
        service.next(429, b"", {"Retry-After": "5"})
        service.next(429, b"", {"Retry-After": "50"})
        service.reset()
        with pytest.raises(Retryable) as caught:
            await send(http, channel_to(service, ONE, TWO, THREE), message())
        assert caught.value.retry_after == 50.0
        assert caught.value.unknown

    async def test_remembers_who_got_it_when_the_attempt_is_cancelled(self, http: HttpClient, service: Twilio) -> None:
        channel = channel_to(service, ONE, TWO)
        texts = service.texts
        service.hang()
        sending = asyncio.create_task(channel.send(message(), context(http)))
        async with asyncio.timeout(30):
            while not channel._texted.get("key-1"):  # noqa: ASYNC110 - the channel's own state is what is waited for
                await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await channel.send(message(), context(http, attempt=2))
        assert sorted(form["To"] for form in texts) == [ONE, TWO]

    async def test_remembers_only_the_last_thousand_deliveries(self, http: HttpClient, service: Twilio) -> None:
        channel = channel_to(service, ONE)
        for number in range(1000):
            channel._remember(str(number))
        await send(http, channel, message(), key="new")
        assert len(channel._texted) == 999
        assert "0" not in channel._texted


class TestTheText:
    async def test_is_cut_to_the_segments_allowed_and_counts_the_rest(self, http: HttpClient, service: Twilio) -> None:
        await send(http, channel_to(service, ONE, max_segments=2), message(*many(100)))
        body = service.texts[0]["Body"]
        assert segments_of(body) <= 2
        shown = body.count("FIRING Alert")
        assert body.endswith(f"... and {100 - shown} more")
        assert len(body) > 250

    async def test_outside_gsm_7_has_less_room(self, http: HttpClient, service: Twilio) -> None:
        await send(http, channel_to(service, ONE), message(title="Тревога", text="\n".join(["сервер упал"] * 100)))
        body = service.texts[0]["Body"]
        assert segments_of(body) <= 4
        assert len(body) <= 268
        assert "Тревога" in body

    @pytest.mark.parametrize(
        ("text", "size"),
        [("a" * 160, 1120), ("€" * 80, 1120), ("я" * 70, 1120), ("😀" * 35, 1120), ("a" * 161, 1127), ("", 0)],
    )
    def test_has_the_size_the_standard_gives_it(self, text: str, size: int) -> None:
        assert bits(text) == size

    def test_is_spelled_in_the_plain_alphabet(self) -> None:
        assert spelled("“a” – b… → 5\u00a0≥ 4") == '"a" - b... -> 5 >= 4'
        assert bits(spelled("“a” – b…")) == 7 * len('"a" - b...')

    @given(st.text(max_size=200), st.text(max_size=20))
    def test_never_shrinks_when_it_grows(self, text: str, more: str) -> None:
        assert bits(text + more) >= bits(text)

    @given(
        st.integers(1, 10), st.text(st.sampled_from("ab€|é\n")) | st.text(st.sampled_from("aя😀")), st.integers(1, 60)
    )
    def test_that_fits_the_room_fits_the_segments_and_twilios_limit(self, segments: int, text: str, times: int) -> None:
        text *= times
        while bits(text) > room(segments):
            text = text[: len(text) * room(segments) // bits(text) - 1]
        assert segments_of(text) <= segments
        assert len(text) <= 1600


@pytest.mark.parametrize(
    "more", [{"to": []}, {"to": "no number, at all\n"}, {"max_segments": 0}, {"max_segments": 11}, {"from": ""}]
)
def test_numbers_and_limits_are_judged_when_the_configuration_is_read(more: dict[str, object]) -> None:
    base = {"account_sid": "AC1", "auth_token": "t", "from": "+1500", "to": "+1501"}
    with pytest.raises(ValidationError):
        build(TwilioSmsChannel, **{**base, **more})


async def test_several_numbers_may_stand_in_one_text(http: HttpClient, service: Twilio) -> None:
    channel = build(
        TwilioSmsChannel,
        account_sid=ACCOUNT,
        auth_token="token",
        **{"from": "+15005550006"},
        to=f"{ONE}, {TWO}",
        url=service.url,
    )
    await channel.send(replace(message(), note="x"), context(http))
    assert len(service.texts) == 2
