from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from ipaddress import IPv4Network
from types import MappingProxyType

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.channels import webhook_v4
from bridge.channels.api import Reason, Refused, Retryable
from bridge.channels.standard_webhooks import Signer
from bridge.channels.webhook import WebhookChannel
from bridge.domain.alert import Status
from bridge.domain.errors import FailureReason, SecretError
from bridge.domain.secret import Secret
from bridge.net import Egress, HttpClient
from tests.contract.channels.messages import NOW, alert, many, message, resolved
from tests.simulators.server import Simulator
from tests.simulators.webhook import WebhookReceiver
from tests.unit.channels.sending import build, context, send

FIRING = (
    '{"receiver":"team\\\\.web","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Alert0001",'
    '"instance":"web-1:9100","severity":"critical"},"annotations":{"summary":"CPU above 90% on web-1"},'
    '"startsAt":"2026-03-01T10:00:00.123456789Z","endsAt":"0001-01-01T00:00:00Z",'
    '"generatorURL":"http://prometheus.example:9090/graph?g0.expr=cpu","fingerprint":"FINGERPRINT"}],'
    '"notification_reason":"first notification","groupLabels":{"alertname":"Alert0001"},'
    '"commonLabels":{"alertname":"Alert0001","instance":"web-1:9100","severity":"critical"},'
    '"commonAnnotations":{"summary":"CPU above 90% on web-1"},"routeLabels":{},'
    '"externalURL":"http://bridge.example:9099","version":"4",'
    '"groupKey":"{}/{severity=\\"critical\\"}:{alertname=\\"HighCPU\\"}","truncatedAlerts":0}'
).replace("FINGERPRINT", alert().fingerprint)


class TestThePayload:
    def test_is_alertmanagers_to_the_byte(self) -> None:
        assert webhook_v4.encode(message(), NOW).decode() == FIRING

    def test_has_the_true_end_of_a_resolved_alert(self) -> None:
        payload = json.loads(webhook_v4.encode(resolved(), NOW))
        assert payload["status"] == "resolved"
        assert payload["alerts"][0]["endsAt"] == "2026-03-01T10:04:00.123456789Z"

    def test_sorts_labels_as_go_does(self) -> None:
        view = replace(alert(), labels=MappingProxyType({"z": "1", "alertname": "a", "m": "2"}))
        payload = json.loads(webhook_v4.encode(message(view), NOW))
        assert list(payload["alerts"][0]["labels"]) == ["alertname", "m", "z"]

    @pytest.mark.parametrize(
        ("text", "moment", "written"),
        [
            ("", datetime(2026, 3, 1, 10, tzinfo=UTC), "2026-03-01T10:00:00Z"),
            ("", datetime(2026, 3, 1, 10, 0, 0, 120000, tzinfo=UTC), "2026-03-01T10:00:00.12Z"),
            ("", datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T10:00:00Z"),
            ("", datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
            ("2026-03-01T12:30:00.5+02:00", NOW, "2026-03-01T12:30:00.5+02:00"),
            ("2026-03-01 12:30:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC), "2026-03-01T12:30:00Z"),
            ("2026-03-01T12:30:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC), "2026-03-01T12:30:00Z"),
        ],
    )
    def test_writes_times_as_the_sender_did_or_as_go_does(self, text: str, moment: datetime, written: str) -> None:
        view = replace(alert(), starts_text=text, starts_at=moment)
        assert json.loads(webhook_v4.encode(message(view), NOW))["alerts"][0]["startsAt"] == written

    def test_ends_an_alert_resolved_by_hand_now(self) -> None:
        view = replace(alert(), status=Status.RESOLVED)
        payload = json.loads(webhook_v4.encode(message(view, reason=Reason.RESOLVED), NOW))
        assert payload["alerts"][0]["endsAt"] == "2026-03-01T10:05:00Z"

    @pytest.mark.parametrize(
        ("receiver", "quoted"),
        [
            ("team.web", r"team\.web"),
            ("a+b", r"a\+b"),
            ("a-b_c/d e", "a-b_c/d e"),
            (r"\^$()[]{}|*?", r"\\\^\$\(\)\[\]\{\}\|\*\?"),
        ],
    )
    def test_escapes_the_receiver_as_gos_quote_meta(self, receiver: str, quoted: str) -> None:
        assert json.loads(webhook_v4.encode(replace(message(), receiver=receiver), NOW))["receiver"] == quoted

    def test_makes_up_a_group_key_where_the_sender_had_none(self) -> None:
        news = replace(message(), group_key="", group_labels={"job": 'a"b', "alertname": "x"})
        assert json.loads(webhook_v4.encode(news, NOW))["groupKey"] == r'{}:{alertname="x", job="a\"b"}'

    @pytest.mark.parametrize(
        ("reason", "alerts", "said"),
        [
            (Reason.OPENED, many(1), "first notification"),
            (Reason.CHANGED, many(2), "new alerts added"),
            (Reason.CHANGED, (alert(1), alert(2, status=Status.RESOLVED)), "some alerts resolved"),
            (Reason.REMINDER, many(1), "repeat interval elapsed"),
            (Reason.RESOLVED, (alert(1, status=Status.RESOLVED),), "all alerts resolved"),
            (Reason.ESCALATED, many(1), "unknown"),
            (Reason.TEST, many(1), "unknown"),
        ],
    )
    def test_names_the_reason_in_alertmanagers_words(self, reason: Reason, alerts, said: str) -> None:
        assert json.loads(webhook_v4.encode(message(*alerts, reason=reason), NOW))["notification_reason"] == said

    def test_passes_on_how_many_alerts_the_sender_left_out(self) -> None:
        assert json.loads(webhook_v4.encode(replace(message(), truncated=7), NOW))["truncatedAlerts"] == 7

    def test_gives_templates_the_names_it_promises(self) -> None:
        assert webhook_v4.variables(message(), NOW).keys() == webhook_v4.VARIABLES


class TestTheSignature:
    def test_is_the_one_of_the_published_vector(self) -> None:
        signer = Signer(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_differs_with_every_part(self) -> None:
        signer = Signer(Secret("key"))
        same = signer.sign("a", 1, b"x")
        assert signer.sign("a", 1, b"x") == same
        assert len({same, signer.sign("b", 1, b"x"), signer.sign("a", 2, b"x"), signer.sign("a", 1, b"y")}) == 4

    def test_takes_a_secret_without_the_prefix_as_it_is(self) -> None:
        assert Signer(Secret("any text")).sign("a", 1, b"") != Signer(Secret("whsec_YW55IHRleHQ=")).sign("b", 1, b"")
        assert Signer(Secret("any text")).sign("a", 1, b"") == Signer(Secret("whsec_YW55IHRleHQ=")).sign("a", 1, b"")

    @pytest.mark.parametrize("secret", ["whsec_", "whsec_no base64!", "whsec_canary-0"])
    def test_needs_base64_after_the_prefix_and_does_not_repeat_what_stands_there(self, secret: str) -> None:
        with pytest.raises(SecretError) as caught:
            build(WebhookChannel, url="http://example.com", signing_secret=secret)
        assert secret.removeprefix("whsec_") in {"", *str(caught.value).split()} or "canary" not in str(caught.value)

    async def test_is_checked_by_a_receiver_and_new_for_each_attempt(self, http: HttpClient) -> None:
        async with WebhookReceiver(b"key") as service:
            channel = build(WebhookChannel, url=service.url, signing_secret="key")
            await channel.send(message(), context(http))
            await channel.send(message(), replace(context(http, attempt=2), now=NOW + timedelta(seconds=30)))
        first, second = (request.headers for request in service.requests)
        assert first["webhook-id"] == second["webhook-id"] == "key-1"
        assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 30
        assert first["webhook-signature"] != second["webhook-signature"]

    async def test_of_another_secret_is_turned_away(self, http: HttpClient) -> None:
        async with WebhookReceiver(b"key") as service:
            with pytest.raises(Refused):
                await send(http, build(WebhookChannel, url=service.url, signing_secret="other"), message())


class TestTheRequest:
    async def test_has_the_id_but_no_signature_without_a_secret(self, http: HttpClient) -> None:
        async with Simulator() as service:
            await send(http, build(WebhookChannel, url=f"{service.url}/hook?a=b"), message())
        (request,) = service.requests
        assert (request.method, request.path) == ("POST", "/hook?a=b")
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["webhook-id"] == "key-1"
        assert "webhook-signature" not in request.headers

    async def test_bears_what_the_configuration_adds(self, http: HttpClient) -> None:
        async with Simulator() as service:
            headers = {"X-Team": "web", "content-type": "application/vnd.example+json"}
            await send(
                http, build(WebhookChannel, url=service.url, method="PUT", bearer="t", headers=headers), message()
            )
            basic = {"username": "u", "password": "p"}
            await send(http, build(WebhookChannel, url=service.url, basic=basic), message())
        first, second = service.requests
        assert first.method == "PUT"
        assert first.headers["Authorization"] == "Bearer t"
        assert first.headers["X-Team"] == "web"
        assert first.headers.getall("Content-Type") == ["application/vnd.example+json"]
        assert second.headers["Authorization"] == "Basic dTpw"

    async def test_may_go_where_the_channel_is_allowed_to(self) -> None:
        client = HttpClient(Egress(deny_private=True))
        async with Simulator() as service:
            await send(client, build(WebhookChannel, url=service.url, allow=["127.0.0.0/8"]), message())
            with pytest.raises(Retryable) as caught:
                await send(client, build(WebhookChannel, url=service.url), message())
        await client.close()
        assert caught.value.reason is FailureReason.EGRESS_DENIED
        assert len(service.requests) == 1

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    async def test_has_succeeded_with_any_2xx(self, http: HttpClient, status: int) -> None:
        async with Simulator() as service:
            service.next(status, b"not json")
            receipt = await send(http, build(WebhookChannel, url=service.url), message())
        assert receipt.detail == f"HTTP {status}"

    async def test_is_known_by_its_digest(self, http: HttpClient) -> None:
        async with Simulator() as service:
            receipt = await send(http, build(WebhookChannel, url=service.url), message())
        assert receipt.digest == sha256(service.requests[0].body).hexdigest()

    async def test_needs_title_and_text_for_a_template_alone(self, http: HttpClient) -> None:
        async with Simulator() as service:
            channel = build(WebhookChannel, url=service.url)
            await send(http, channel, message())
            await send(http, channel, message(title="", text=""))
            templated = build(WebhookChannel, url=service.url, template="{{ title }}")
        assert service.requests[0].body == service.requests[1].body
        assert [channel.reads_words, templated.reads_words] == [False, True]  # type: ignore[attr-defined]


class TestTheTemplate:
    async def test_makes_the_whole_body(self, http: HttpClient) -> None:
        template = (
            '{"n": {{ alerts|length }}, "team": "{{ labels.alertname }}", "first": {{ alerts[0].labels.instance|tojson }}, '
            '"why": "{{ reason }}", "am": {{ payload }}}'
        )
        async with Simulator() as service:
            await send(http, build(WebhookChannel, url=service.url, template=template), message())
        document = json.loads(service.requests[0].body)
        assert document["n"] == 1
        assert document["team"] == "Alert0001"
        assert document["first"] == "web-1:9100"
        assert document["why"] == "opened"
        assert document["am"] == json.loads(FIRING)

    async def test_that_fails_does_not_lose_the_alert(self, http: HttpClient) -> None:
        async with WebhookReceiver() as service:
            channel = build(WebhookChannel, url=service.url, template="{{ severity / 2 }}")
            receipt = await send(http, channel, message())
        assert len(service.told()) == 1
        assert "template failed" in receipt.detail

    @pytest.mark.parametrize("template", ["{{ ", "{% include 'x' %}", "{{ no_such_name }}"])
    def test_that_does_not_compile_is_found_when_the_configuration_is_read(self, template: str) -> None:
        with pytest.raises(ValidationError, match="template"):
            build(WebhookChannel, url="http://example.com", template=template)


class TestTheOptions:
    @pytest.mark.parametrize(
        "url",
        ["example.com/canary", "ftp://example.com/canary", "http://", "http:///canary", "http://[::1", "http://a:x/"],
    )
    def test_want_a_url_and_do_not_repeat_what_is_none(self, url: str) -> None:
        with pytest.raises(ValidationError) as caught:
            build(WebhookChannel, url=url)
        assert "canary" not in caught.value.errors()[0]["msg"]

    @pytest.mark.parametrize(
        "url", ["env:HOOK", "file:/run/hook", "sealed:v1:abc:def", "credential:hook", "https://a.example/b"]
    )
    def test_take_references_and_plain_urls(self, url: str) -> None:
        options = WebhookChannel.Options.model_validate({"type": "webhook", "url": url})
        assert "hook" not in repr(options.model_dump()["url"])

    @pytest.mark.parametrize("name", ["Host", "content-length", "Webhook-Id", "bad name", "", "a:b", "a\r\nb"])
    def test_leave_some_headers_to_the_channel(self, name: str) -> None:
        with pytest.raises(ValidationError, match="header"):
            build(WebhookChannel, url="http://example.com", headers={name: "x"})

    @pytest.mark.parametrize(
        "more",
        [
            {"bearer": "a", "basic": {"username": "u", "password": "p"}},
            {"bearer": "a", "headers": {"authorization": "b"}},
        ],
    )
    def test_take_one_kind_of_authorization(self, more: dict[str, object]) -> None:
        with pytest.raises(ValidationError, match="give one of"):
            build(WebhookChannel, url="http://example.com", **more)

    def test_read_networks(self) -> None:
        options = WebhookChannel.Options.model_validate({"type": "webhook", "url": "env:X", "allow": ["10.0.0.0/8"]})
        assert options.allow == (IPv4Network("10.0.0.0/8"),)
