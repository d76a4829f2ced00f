from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.channels.api import Context, FailureReason, Message, Permanent, Reason, Receipt, Refused, Retryable
from bridge.channels.telegram import TelegramChannel, TelegramOptions
from bridge.channels.telegram_text import shown, sign
from bridge.domain.deed import Deed
from bridge.domain.errors import ChannelError
from bridge.domain.message import Action
from bridge.net import HttpClient
from tests.contract.channels.messages import NOW, alert, many, message, resolved
from tests.simulators.telegram import CHAT, NAME, TOKEN, Telegram, check, told_of


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as service:
        yield service


def options(url: str = "http://127.0.0.1:1", **more: object) -> TelegramOptions:
    return TelegramOptions.model_validate({"type": "telegram", "token": TOKEN, "chat_id": CHAT, "url": url, **more})


def bot(telegram: Telegram, **more: object) -> TelegramChannel:
    return TelegramChannel("team-telegram", options(telegram.url, **more))


def context(http: HttpClient, previous: Receipt | None = None, *, plain: bool = False) -> Context:
    return Context(http=http, now=NOW, idempotency_key="key", previous=previous, plain=plain)


ACTIONS = tuple(
    Action(deed, label, label[0] * 54, f"https://alerts.example.org/a/{label[0] * 54}")
    for deed, label in ((Deed.ACKNOWLEDGE, "Acknowledge"), (Deed.RESOLVE, "Resolve"))
)


def acting(of: Message | None = None) -> Message:
    return replace(of or message(), actions=ACTIONS)


def acknowledged() -> Message:
    return replace(message(reason=Reason.ACKNOWLEDGED), acknowledged_by="alice", standing="Acknowledged by alice")


class TestFollowingAnIncident:
    async def test_the_receipt_names_the_chats_id_even_where_its_name_was_configured(
        self, telegram: Telegram, http: HttpClient
    ) -> None:
        receipt = await bot(telegram, chat_id=NAME).send(message(), context(http))
        assert receipt.data == {"chat": str(CHAT), "message": str(telegram.messages[0].id)}

    @pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.RESOLVED])
    async def test_news_edit_the_first_message_and_answer_it(
        self, telegram: Telegram, http: HttpClient, reason: Reason
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        then = await bot(telegram).send(message(*many(2), reason=reason), context(http, first))
        root, answer = telegram.messages
        assert root.edits == 1
        assert "Alert0002" in told_of(root.body).text
        assert "Alert0002" in told_of(answer.body).text
        assert answer.reply_to == root.id
        assert then.data == first.data

    async def test_an_acknowledgement_edits_the_first_message_and_rings_nobody(
        self, telegram: Telegram, http: HttpClient
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        await bot(telegram).send(acknowledged(), context(http, first))
        (only,) = telegram.messages
        assert "Acknowledged by alice" in told_of(only.body).text

    @pytest.mark.parametrize("reason", [Reason.REMINDER, Reason.ESCALATED, Reason.UNACKNOWLEDGED])
    async def test_a_first_message_that_says_who_has_it_is_edited_once_nobody_has(
        self, telegram: Telegram, http: HttpClient, reason: Reason
    ) -> None:
        receipt = await bot(telegram).send(message(), context(http))
        receipt = await bot(telegram).send(acknowledged(), context(http, receipt))
        receipt = await bot(telegram).send(message(reason=reason), context(http, receipt))
        await bot(telegram).send(message(reason=Reason.REMINDER), context(http, receipt))
        assert "Acknowledged by" not in told_of(telegram.messages[0].body).text
        assert telegram.messages[0].edits == 2

    async def test_an_acknowledgement_that_was_asked_for_is_an_answer_too(
        self, telegram: Telegram, http: HttpClient
    ) -> None:
        channel = bot(telegram, send_on=["opened", "acknowledged"])
        first = await channel.send(message(), context(http))
        await channel.send(acknowledged(), context(http, first))
        assert telegram.messages[1].reply_to == telegram.messages[0].id

    @pytest.mark.parametrize("reason", [Reason.REMINDER, Reason.ESCALATED, Reason.DIGEST])
    async def test_who_must_be_called_again_gets_an_answer(
        self, telegram: Telegram, http: HttpClient, reason: Reason
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        await bot(telegram).send(message(reason=reason), context(http, first))
        root, answer = telegram.messages
        assert (root.edits, answer.reply_to) == (0, root.id)

    @pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.RESOLVED, Reason.REMINDER, Reason.ESCALATED])
    async def test_where_the_first_message_was_deleted_a_new_one_takes_its_place(
        self, telegram: Telegram, http: HttpClient, reason: Reason
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        telegram.delete(telegram.messages[0])
        then = await bot(telegram).send(message(reason=reason), context(http, first))
        (only,) = telegram.messages
        assert then.data["message"] == str(only.id)

    @pytest.mark.parametrize(
        "said", ["message can't be edited", "message to edit not found", "MESSAGE_ID_INVALID", "chat not found"]
    )
    async def test_what_cannot_be_edited_is_sent_anew(self, telegram: Telegram, http: HttpClient, said: str) -> None:
        first = await bot(telegram).send(message(), context(http))
        body = {"ok": False, "error_code": 400, "description": f"Bad Request: {said}"}
        telegram.next(400, json.dumps(body))
        then = await bot(telegram).send(resolved(), context(http, first))
        assert len(telegram.messages) == 2
        assert then.data["message"] == str(telegram.messages[1].id)

    async def test_a_retry_whose_edit_was_made_already_only_answers(self, telegram: Telegram, http: HttpClient) -> None:
        first = await bot(telegram).send(message(), context(http))
        await bot(telegram).send(acknowledged(), context(http, first))
        await bot(telegram).send(acknowledged(), context(http, first))
        assert (len(telegram.messages), telegram.messages[0].edits) == (1, 1)

    @pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.ESCALATED])
    async def test_where_another_chat_is_configured_by_now_and_the_old_one_is_gone_it_goes_there(
        self, telegram: Telegram, http: HttpClient, reason: Reason
    ) -> None:
        first = Receipt({"chat": "-100777", "message": "5"})
        then = await bot(telegram).send(message(reason=reason), context(http, first))
        assert then.data["chat"] == str(CHAT)

    async def test_an_incident_that_opens_again_is_a_message_of_its_own(
        self, telegram: Telegram, http: HttpClient
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        then = await bot(telegram).send(message(), context(http, first))
        assert then.data["message"] == str(telegram.messages[1].id)
        assert telegram.messages[1].reply_to == 0

    async def test_the_topic_and_the_sound_are_as_configured(self, telegram: Telegram, http: HttpClient) -> None:
        await bot(telegram, message_thread_id=5, silent=True).send(message(), context(http))
        body = telegram.messages[0].body
        assert (body["message_thread_id"], body["disable_notification"]) == (5, True)
        assert body["link_preview_options"] == {"is_disabled": True}

    async def test_the_second_of_two_calls_has_only_the_time_that_is_left(
        self, telegram: Telegram, http: HttpClient
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        telegram.next(200, b'{"ok": true, "result": true}')
        telegram.hang()
        with pytest.raises(Retryable) as caught:
            await bot(telegram, timeout="500ms").send(resolved(), context(http, first))
        assert caught.value.reason is FailureReason.TIMEOUT


class TestAGroupThatBecameASupergroup:
    async def test_is_found_under_its_new_id_and_stays_found(self, telegram: Telegram, http: HttpClient) -> None:
        telegram.chats.add(-100999)
        telegram.moved[CHAT] = -100999
        channel = bot(telegram)
        receipt = await channel.send(message(), context(http))
        await channel.send(message(), context(http))
        assert receipt.data["chat"] == "-100999"
        assert len(telegram.requests) == 3

    @pytest.mark.parametrize("reason", [Reason.RESOLVED, Reason.ESCALATED])
    async def test_gets_a_new_message_in_place_of_what_was_left_behind(
        self, telegram: Telegram, http: HttpClient, reason: Reason
    ) -> None:
        channel = bot(telegram)
        first = await channel.send(message(), context(http))
        telegram.chats.add(-100999)
        telegram.moved[CHAT] = -100999
        then = await channel.send(message(reason=reason), context(http, first))
        assert then.data["chat"] == "-100999"


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "description", "kind", "reason"),
        [
            (401, "Unauthorized", Refused, FailureReason.UNAUTHORIZED),
            (404, "Not Found", Refused, FailureReason.UNAUTHORIZED),
            (400, "Bad Request: chat not found", Refused, FailureReason.DESTINATION_GONE),
            (403, "Forbidden: bot was blocked by the user", Refused, FailureReason.DESTINATION_GONE),
            (403, "Forbidden: bot was kicked from the group chat", Refused, FailureReason.DESTINATION_GONE),
            (400, "Bad Request: can't parse entities: …", Permanent, FailureReason.CONTENT_REFUSED),
            (400, "Bad Request: message is too long", Permanent, FailureReason.TOO_LARGE),
            (500, "Internal Server Error", Retryable, FailureReason.SERVER_ERROR),
            (409, "Conflict", Permanent, FailureReason.CONTENT_REFUSED),
        ],
    )
    async def test_are_classed(
        self,
        telegram: Telegram,
        http: HttpClient,
        status: int,
        description: str,
        kind: type[ChannelError],
        reason: FailureReason,
    ) -> None:
        body = json.dumps({"ok": False, "error_code": status, "description": description})
        for http_status in (status, 200):
            telegram.next(http_status, body)
            with pytest.raises(kind) as caught:
                await bot(telegram).send(message(), context(http))
            assert caught.value.reason is reason
            assert description in caught.value.detail

    @pytest.mark.parametrize(("named", "waited"), [(5, 5.0), (86_400, 3600.0), (-3, 0.0)])
    async def test_the_wait_is_named_in_the_body(
        self, telegram: Telegram, http: HttpClient, named: int, waited: float
    ) -> None:
        said = "Too Many Requests: retry later"
        body = {"ok": False, "error_code": 429, "description": said, "parameters": {"retry_after": named}}
        telegram.next(429, json.dumps(body))
        with pytest.raises(Retryable) as caught:
            await bot(telegram).send(message(), context(http))
        assert caught.value.reason is FailureReason.RATE_LIMITED
        assert caught.value.retry_after == waited

    async def test_an_edit_whose_markup_is_refused_is_tried_in_plain_text_and_edits(
        self, telegram: Telegram, http: HttpClient
    ) -> None:
        first = await bot(telegram).send(message(), context(http))
        body = {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities: …"}
        telegram.next(400, json.dumps(body))
        with pytest.raises(Permanent):
            await bot(telegram).send(acknowledged(), context(http, first))
        await bot(telegram).send(acknowledged(), context(http, first, plain=True))
        (only,) = telegram.messages
        assert "parse_mode" not in only.body
        assert "Acknowledged by alice" in only.body["text"]

    async def test_a_token_that_is_none_cannot_name_another_address(self, telegram: Telegram, http: HttpClient) -> None:
        with pytest.raises(Refused):
            await bot(telegram, token="x/../../?").send(message(), context(http))
        assert telegram.requests[0].path == "/botx%2F..%2F..%2F%3F/sendMessage"


class TestTheText:
    def test_shows_title_text_links_and_incident(self) -> None:
        body = {"text": shown(message()), "parse_mode": "HTML"}
        assert told_of(body).text == (
            "🔴 [FIRING:1] Alert0001\nFIRING Alert0001: CPU above 90% on web-1\nSource Alert0001\n"
            "Incident incident-1 since 2026-03-01 10:00:00 UTC"
        )

    def test_calls_nobody_and_leaves_addresses_alone(self) -> None:
        news = message(title="@everyone", text="write to ops@example.com or @alice_b")
        told = told_of({"text": shown(news), "parse_mode": "HTML"})
        assert told.active == ()
        assert "ops@example.com" in told.text

    def test_the_state_is_seen_at_a_glance(self) -> None:
        signs = [sign(replace(message(), severity=severity)) for severity in ("critical", "Warning", "info", "own")]
        assert signs == ["🔴", "🟡", "🔵", "🔴"]
        assert sign(acknowledged()) == "🔵"
        assert sign(resolved()) == "🟢"

    @settings(max_examples=60, deadline=None)
    @given(
        st.text(alphabet=st.sampled_from("<>&@a😀é\"' \n/#_-"), max_size=6000),
        st.text(alphabet=st.sampled_from("<>&@a😀é\"' \n"), max_size=600),
        st.booleans(),
    )
    def test_fits_and_parses_whatever_the_alerts_say(self, text: str, title: str, plain: bool) -> None:
        news = replace(message(*many(6), title=title, text=text), note=title, acknowledged_by=text)
        written = shown(news, plain=plain)
        body = {"text": written} if plain else {"text": written, "parse_mode": "HTML"}
        check(body)
        assert told_of(body).active == ()
        assert len(written.encode()) < 35_000

    def test_links_that_are_too_long_together_are_left_out(self) -> None:
        views = tuple(
            replace(alert(number), generator_url=f"http://prometheus.example:9090/{number}{'x' * 900}")
            for number in range(1, 6)
        )
        assert shown(message(*views)).count("<a href=") == 2


class TestButtons:
    async def test_stand_under_what_is_sent_edited_and_answered(self, telegram: Telegram, http: HttpClient) -> None:
        channel = bot(telegram, secret_token="s" * 20)
        first = await channel.send(acting(), context(http))
        await channel.send(acting(message(*many(2), reason=Reason.CHANGED)), context(http, first))
        for one in telegram.messages:
            ((acknowledge, resolve),) = one.markup["inline_keyboard"]
            assert acknowledge == {"text": "Acknowledge", "callback_data": "A" * 54}
            assert resolve == {"text": "Resolve", "callback_data": "R" * 54}
            assert "/a/" not in one.body["text"]
        assert telegram.messages[0].edits == 1

    async def test_are_taken_away_at_the_end(self, telegram: Telegram, http: HttpClient) -> None:
        channel = bot(telegram, secret_token="s" * 20)
        first = await channel.send(acting(), context(http))
        await channel.send(resolved(), context(http, first))
        assert [one.markup for one in telegram.messages] == [{}, {}]

    async def test_are_not_there_where_nobody_would_hear_them(self, telegram: Telegram, http: HttpClient) -> None:
        await bot(telegram).send(acting(), context(http))
        (only,) = telegram.messages
        assert only.markup == {}
        links = [f'<a href="https://alerts.example.org/a/{letter * 54}">' for letter in "AR"]
        assert all(link in only.body["text"] for link in links)

    @pytest.mark.parametrize("more", [{}, {"secret_token": "s" * 20}])
    async def test_in_plain_text_are_links(self, telegram: Telegram, http: HttpClient, more: dict[str, str]) -> None:
        await bot(telegram, **more).send(acting(), context(http, plain=True))
        (only,) = telegram.messages
        assert only.markup == {}
        assert f"Acknowledge: https://alerts.example.org/a/{'A' * 54}" in only.body["text"]

    async def test_without_an_address_are_buttons_all_the_same(self, telegram: Telegram, http: HttpClient) -> None:
        silent = replace(message(), actions=tuple(replace(action, url="") for action in ACTIONS))
        await bot(telegram, secret_token="s" * 20).send(silent, context(http))
        await bot(telegram).send(silent, context(http))
        heard, deaf = telegram.messages
        assert len(heard.markup["inline_keyboard"][0]) == 2
        assert told_of(deaf.body) == told_of(heard.body)


class TestOptions:
    @pytest.mark.parametrize(
        ("written", "chat"), [(-1001234, -1001234), ("-1001234", -1001234), ("@alerts", "@alerts")]
    )
    def test_a_chat_is_an_id_or_a_public_name(self, written: object, chat: object) -> None:
        assert options(chat_id=written).chat_id == chat

    @pytest.mark.parametrize("written", ["alerts", "@a", 1.5, True, "", 2**60, None])
    def test_anything_else_is_no_chat(self, written: object) -> None:
        with pytest.raises(ValidationError):
            options(chat_id=written)

    def test_the_token_is_needed(self) -> None:
        with pytest.raises(ValidationError):
            TelegramOptions.model_validate({"type": "telegram", "chat_id": CHAT})
