from __future__ import annotations

import json
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.channels.api import Context, FailureReason, Message, Permanent, Reason, Receipt, Refused, Retryable
from bridge.channels.slack import SlackChannel, SlackOptions
from bridge.channels.slack_blocks import colour, content, fit, room
from bridge.domain.errors import ChannelError
from bridge.net import Egress, HttpClient
from tests.contract.channels.messages import NOW, alert, many, message, resolved
from tests.simulators.slack import SlackApi, SlackWebhook, fault_of, told_of

TOKEN = "slack-canary-token"


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi(TOKEN, mentions=("<!here>", "<@U0EXAMPLE>", "<!subteam^S0EXAMPLE>")) as service:
        yield service


def bot(slack: SlackApi, **more: object) -> SlackChannel:
    options = {"type": "slack", "token": TOKEN, "channel": "general", "url": slack.url, **more}
    return SlackChannel("team-slack", SlackOptions.model_validate(options))


def webhook(slack: SlackWebhook, **more: object) -> SlackChannel:
    options = {"type": "slack", "webhook_url": f"{slack.url}{slack.path}slack-canary-webhook", **more}
    return SlackChannel("team-slack", SlackOptions.model_validate(options))


def context(http: HttpClient, previous: Receipt | None = None, *, plain: bool = False) -> Context:
    return Context(http=http, now=NOW, idempotency_key="key", previous=previous, plain=plain)


def body_of(news: Message, *, plain: bool = False, mention: tuple[str, ...] = ()) -> dict[str, object]:
    return json.loads(msgspec.json.encode(content(news, plain=plain, mention=mention)))


class TestFollowingAnIncident:
    async def test_the_receipt_names_the_channels_id_even_where_its_name_was_configured(
        self, slack: SlackApi, http: HttpClient
    ) -> None:
        receipt = await bot(slack).send(message(), context(http))
        assert receipt.data == {"channel": "C0EXAMPLE", "ts": slack.messages[0].ts}

    @pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.RESOLVED])
    async def test_news_edit_the_first_message_and_answer_in_its_thread(
        self, slack: SlackApi, http: HttpClient, reason: Reason
    ) -> None:
        first = await bot(slack).send(message(), context(http))
        then = await bot(slack).send(message(*many(2), reason=reason), context(http, first))
        (root,) = slack.roots()
        (reply,) = slack.replies(root)
        assert root.edits == 1
        assert "Alert0002" in told_of(root.body).text
        assert "Alert0002" in told_of(reply.body).text
        assert not reply.broadcast
        assert then.data == first.data

    async def test_an_acknowledgement_edits_the_first_message_and_rings_nobody(
        self, slack: SlackApi, http: HttpClient
    ) -> None:
        first = await bot(slack).send(message(), context(http))
        acknowledged = replace(
            message(reason=Reason.ACKNOWLEDGED), acknowledged_by="alice", standing="Acknowledged by alice"
        )
        await bot(slack).send(acknowledged, context(http, first))
        (only,) = slack.messages
        assert "Acknowledged by alice" in told_of(only.body).text

    async def test_an_acknowledgement_that_was_asked_for_is_a_reply_too(
        self, slack: SlackApi, http: HttpClient
    ) -> None:
        channel = bot(slack, send_on=["opened", "acknowledged"])
        first = await channel.send(message(), context(http))
        await channel.send(
            replace(message(reason=Reason.ACKNOWLEDGED), acknowledged_by="alice", standing="Acknowledged by alice"),
            context(http, first),
        )
        assert len(slack.replies(slack.roots()[0])) == 1

    @pytest.mark.parametrize("reason", [Reason.REMINDER, Reason.ESCALATED, Reason.UNACKNOWLEDGED])
    async def test_a_first_message_that_says_who_has_it_is_edited_once_nobody_has(
        self, slack: SlackApi, http: HttpClient, reason: Reason
    ) -> None:
        """A reminder rings by a reply in the thread; above it nothing may stand that is true no more."""
        held = replace(message(reason=Reason.ACKNOWLEDGED), acknowledged_by="alice", standing="Acknowledged by alice")
        receipt = await bot(slack).send(message(), context(http))
        receipt = await bot(slack).send(held, context(http, receipt))
        receipt = await bot(slack).send(message(reason=reason), context(http, receipt))
        await bot(slack).send(message(reason=Reason.REMINDER), context(http, receipt))
        (root,) = slack.roots()
        assert "Acknowledged by" not in told_of(root.body).text
        assert root.edits == 2

    @pytest.mark.parametrize("reason", [Reason.REMINDER, Reason.ESCALATED])
    async def test_who_must_be_called_again_gets_a_reply_that_the_channel_shows(
        self, slack: SlackApi, http: HttpClient, reason: Reason
    ) -> None:
        first = await bot(slack).send(message(), context(http))
        await bot(slack).send(message(reason=reason), context(http, first))
        (root,) = slack.roots()
        (reply,) = slack.replies(root)
        assert reply.broadcast
        assert root.edits == 0

    @pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.RESOLVED, Reason.REMINDER, Reason.ESCALATED])
    async def test_where_the_first_message_was_deleted_a_new_one_takes_its_place(
        self, slack: SlackApi, http: HttpClient, reason: Reason
    ) -> None:
        first = await bot(slack).send(message(), context(http))
        slack.delete(slack.messages[0])
        then = await bot(slack).send(message(reason=reason), context(http, first))
        (root,) = slack.roots()
        assert then.data["ts"] == root.ts

    @pytest.mark.parametrize(
        "error", ["message_not_found", "edit_window_closed", "cant_update_message", "channel_not_found", "is_archived"]
    )
    async def test_what_cannot_be_edited_is_posted_anew(self, slack: SlackApi, http: HttpClient, error: str) -> None:
        first = await bot(slack).send(message(), context(http))
        slack.next(200, json.dumps({"ok": False, "error": error}))
        await bot(slack).send(resolved(), context(http, first))
        assert len(slack.roots()) == 2

    async def test_an_incident_that_opens_again_is_a_message_of_its_own(
        self, slack: SlackApi, http: HttpClient
    ) -> None:
        first = await bot(slack).send(message(), context(http))
        then = await bot(slack).send(message(), context(http, first))
        assert len(slack.roots()) == 2
        assert then.data["ts"] != first.data["ts"]

    async def test_the_plain_form_of_an_update_takes_the_old_blocks_away(
        self, slack: SlackApi, http: HttpClient
    ) -> None:
        first = await bot(slack).send(message(), context(http))
        await bot(slack).send(resolved(), context(http, first, plain=True))
        assert slack.roots()[0].body["blocks"] == []
        assert slack.roots()[0].body["attachments"] == []

    async def test_a_webhooks_receipt_does_not_lead_a_bot_astray(self, slack: SlackApi, http: HttpClient) -> None:
        await bot(slack).send(resolved(), context(http, Receipt(detail="accepted by Slack")))
        assert len(slack.roots()) == 1

    async def test_every_request_names_its_charset(self, slack: SlackApi, http: HttpClient) -> None:
        first = await bot(slack).send(message(), context(http))
        await bot(slack).send(resolved(), context(http, first))
        assert len(slack.requests) == 3
        assert slack.warnings == []

    def test_only_a_bot_can_show_an_acknowledgement_on_what_was_sent(self) -> None:
        webhook_form = SlackOptions.model_validate({"type": "slack", "webhook_url": "env:SLACK"})
        bot_form = SlackOptions.model_validate({"type": "slack", "token": "env:SLACK", "channel": "C0EXAMPLE"})
        assert SlackChannel("one", bot_form).follows_acknowledgement
        assert not SlackChannel("two", webhook_form).follows_acknowledgement


class TestOutcomes:
    @pytest.mark.parametrize(
        ("error", "kind", "reason"),
        [
            ("ratelimited", Retryable, FailureReason.RATE_LIMITED),
            ("rate_limited", Retryable, FailureReason.RATE_LIMITED),
            ("internal_error", Retryable, FailureReason.SERVER_ERROR),
            ("fatal_error", Retryable, FailureReason.SERVER_ERROR),
            ("request_timeout", Retryable, FailureReason.TEMPORARY),
            ("invalid_auth", Refused, FailureReason.UNAUTHORIZED),
            ("not_authed", Refused, FailureReason.UNAUTHORIZED),
            ("account_inactive", Refused, FailureReason.UNAUTHORIZED),
            ("token_revoked", Refused, FailureReason.UNAUTHORIZED),
            ("token_expired", Refused, FailureReason.UNAUTHORIZED),
            ("org_login_required", Refused, FailureReason.UNAUTHORIZED),
            ("missing_scope", Refused, FailureReason.UNAUTHORIZED),
            ("channel_not_found", Refused, FailureReason.DESTINATION_GONE),
            ("not_in_channel", Refused, FailureReason.DESTINATION_GONE),
            ("is_archived", Refused, FailureReason.DESTINATION_GONE),
            ("invalid_blocks", Permanent, FailureReason.CONTENT_REFUSED),
            ("no_text", Permanent, FailureReason.CONTENT_REFUSED),
            ("msg_too_long", Permanent, FailureReason.TOO_LARGE),
            ("msg_blocks_too_long", Permanent, FailureReason.TOO_LARGE),
            ("a_word_of_tomorrow", Permanent, FailureReason.CONTENT_REFUSED),
        ],
    )
    async def test_a_refusal_inside_a_200_has_the_class_of_its_word(
        self, slack: SlackApi, http: HttpClient, error: str, kind: type[ChannelError], reason: FailureReason
    ) -> None:
        slack.next(200, json.dumps({"ok": False, "error": error}), {"Retry-After": "7"})
        with pytest.raises(kind) as caught:
            await bot(slack).send(message(), context(http))
        assert caught.value.reason is reason
        assert error in caught.value.detail
        if isinstance(caught.value, Retryable):
            assert caught.value.retry_after == 7.0
            assert not caught.value.unknown

    async def test_words_that_are_no_slack_error_are_not_repeated(self, slack: SlackApi, http: HttpClient) -> None:
        slack.next(200, json.dumps({"ok": False, "error": f"who sent {TOKEN}?"}))
        with pytest.raises(Permanent) as caught:
            await bot(slack).send(message(), context(http))
        assert TOKEN not in str(caught.value)

    @pytest.mark.parametrize(
        ("status", "word", "kind"),
        [
            (400, "invalid_payload", Permanent),
            (400, "invalid_blocks", Permanent),
            (403, "action_prohibited", Refused),
            (404, "no_service", Refused),
            (404, "channel_not_found", Refused),
            (410, "channel_is_archived", Refused),
        ],
    )
    async def test_a_webhooks_refusal_names_its_word(
        self, http: HttpClient, status: int, word: str, kind: type[ChannelError]
    ) -> None:
        async with SlackWebhook() as slack:
            slack.next(status, word)
            with pytest.raises(kind, match=word):
                await webhook(slack).send(message(), context(http))

    async def test_a_webhook_posts_to_its_own_channel_unless_another_is_named(self, http: HttpClient) -> None:
        async with SlackWebhook() as slack:
            await webhook(slack).send(message(), context(http))
            await webhook(slack, channel="#alerts").send(message(), context(http))
            assert [body.get("channel") for body in slack.posted] == [None, "#alerts"]

    async def test_a_rollup_error_of_a_webhook_is_tried_again(self, http: HttpClient) -> None:
        async with SlackWebhook() as slack:
            slack.next(500, "rollup_error")
            with pytest.raises(Retryable):
                await webhook(slack).send(message(), context(http))

    async def test_a_wrong_token_is_refused_without_showing_it(self, slack: SlackApi, http: HttpClient) -> None:
        with pytest.raises(Refused) as caught:
            await bot(slack, token="another-canary").send(message(), context(http))
        assert "another-canary" not in repr(caught.value)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "either webhook_url, or token and channel"),
            ({"webhook_url": "env:A", "token": "env:B", "channel": "C0EXAMPLE"}, "either webhook_url"),
            ({"token": "env:B"}, "needs channel"),
            ({"token": "env:B", "channel": " "}, "needs channel"),
            ({"webhook_url": "env:A", "mention": ["everybody"]}, "is no mention"),
            ({"webhook_url": "env:A", "mention": ["<https://example.com|x>"]}, "is no mention"),
        ],
    )
    def test_half_a_form_is_refused(self, options: dict[str, object], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            SlackOptions.model_validate({"type": "slack", **options})

    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ("@here", "<!here>"),
            ("@channel", "<!channel>"),
            ("<!here>", "<!here>"),
            ("<@U0EXAMPLE>", "<@U0EXAMPLE>"),
            ("@U0EXAMPLE", "<@U0EXAMPLE>"),
            ("!subteam^S0EXAMPLE", "<!subteam^S0EXAMPLE>"),
        ],
    )
    def test_a_mention_takes_the_form_slack_parses(self, written: str, sent: str) -> None:
        options = SlackOptions.model_validate({"type": "slack", "webhook_url": "env:A", "mention": [written]})
        assert options.mention == (sent,)

    @pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/"])
    async def test_the_base_url_may_be_given_with_or_without_api(
        self, slack: SlackApi, http: HttpClient, suffix: str
    ) -> None:
        await bot(slack, url=slack.url + suffix).send(message(), context(http))
        assert slack.requests[0].path == "/api/chat.postMessage"

    async def test_the_base_url_replaces_a_webhooks_host(self, http: HttpClient) -> None:
        async with SlackWebhook() as slack:
            elsewhere = f"https://hooks.slack.example{slack.path}slack-canary-webhook"
            await webhook(slack, webhook_url=elsewhere, url=slack.url).send(message(), context(http))
            assert len(slack.posted) == 1


class TestMentions:
    async def test_people_are_called_when_it_fires_and_not_when_it_is_over(
        self, slack: SlackApi, http: HttpClient
    ) -> None:
        channel = bot(slack, mention=["@here", "<@U0EXAMPLE>"])
        first = await channel.send(message(), context(http))
        await channel.send(message(reason=Reason.REMINDER), context(http, first))
        await channel.send(resolved(), context(http, first))
        opened, reminder, over = (json.dumps(one.body) for one in slack.messages)
        assert "<!here> <@U0EXAMPLE>" in json.dumps(slack.messages[0].history[0])
        assert "<!here> <@U0EXAMPLE>" in reminder
        assert "<!here>" not in over
        assert "<!here>" not in opened

    def test_the_plain_form_calls_them_too(self) -> None:
        assert body_of(message(), plain=True, mention=("<!here>",))["text"].startswith("<!here>\n")

    def test_alert_text_calls_nobody(self) -> None:
        told = told_of(body_of(message(title="<!channel>", text="<@U0EXAMPLE> <https://evil.example|x>")))
        assert told.active == ()
        assert "<!channel>" in told.text


texts = st.text(st.sampled_from(list("ab<>&\n 😀é*")) | st.characters(codec="utf-8"), max_size=12_000)


class TestLimits:
    @settings(deadline=None)
    @given(texts, texts)
    def test_slack_takes_every_text_in_both_forms(self, title: str, text: str) -> None:
        news = message(*many(3), title=title, text=text)
        assert fault_of(body_of(news)) == ""
        assert fault_of(body_of(news, plain=True)) == ""

    @pytest.mark.parametrize("unit", ["a", "<", "&\n", "😀", "line of an alert\n", "x" * 5000 + "\n"])
    def test_slack_takes_a_text_of_a_megabyte(self, unit: str) -> None:
        news = message(title=unit * 1000, text=unit * (1_000_000 // len(unit)))
        news = replace(news, note=unit * 1000, acknowledged_by=unit * 1000, truncated=3)
        body = body_of(news)
        assert fault_of(body) == ""
        assert len(body_of(news, plain=True)["text"]) <= 4000

    def test_five_links_as_long_as_links_may_be_fit(self) -> None:
        views = tuple(
            replace(alert(number), generator_url=f"http://prometheus.example:9090/{number}/" + "&" * 1900)
            for number in range(5)
        )
        assert fault_of(body_of(message(*views))) == ""

    @settings(deadline=None)
    @given(texts, st.integers(2, 200))
    def test_what_is_cut_says_so_and_never_ends_inside_an_entity(self, text: str, limit: int) -> None:
        cut = fit(text, limit)
        assert len(cut.encode("utf-16-le", "replace")) // 2 <= limit
        if room(text) > limit:
            assert cut.endswith("…")
        rest = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert not set("&<>") & set(rest)


class TestColours:
    def test_the_bar_tells_the_state(self) -> None:
        firing = message()
        shades = {
            colour(firing),
            colour(replace(firing, severity="warning")),
            colour(replace(firing, severity="none")),
            colour(replace(firing, acknowledged_by="alice", standing="Acknowledged by alice")),
            colour(resolved()),
        }
        assert len(shades) == 5

    def test_an_unknown_severity_is_shown_as_critical(self) -> None:
        assert colour(replace(message(), severity="P1")) == colour(message())

    def test_over_is_over_whoever_acknowledged_it(self) -> None:
        assert colour(replace(resolved(), acknowledged_by="alice", standing="Acknowledged by alice")) == colour(
            resolved()
        )


class TestLinks:
    def test_a_source_and_a_runbook_can_be_clicked(self) -> None:
        view = replace(alert(), annotations={"runbook_url": "https://runbooks.example/a?b=1&c=2"})
        shown = json.dumps(body_of(message(view)))
        assert "<https://runbooks.example/a?b=1&amp;c=2|Runbook Alert0001>" in shown
        assert "|Source Alert0001>" in shown

    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)", "file:///etc/passwd", "//host/path", "http://", "https://a.example/|<!channel>",
            "https://a.example/\nx", "http://[::1", "ftp://a.example/", "https://a.example/" + "x" * 3000,
        ],
    )  # fmt: skip
    def test_what_is_no_web_address_is_no_link(self, url: str) -> None:
        view = replace(alert(), generator_url=url, annotations={"runbook_url": url})
        shown = json.dumps(body_of(message(view, text="text")))
        assert "Runbook" not in shown
        assert "Source" not in shown
