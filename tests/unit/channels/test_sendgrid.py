from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.channels.api import Channel, Reason
from bridge.channels.sendgrid import SendGridChannel
from bridge.domain.errors import FailureReason, Permanent, Refused
from bridge.net import HttpClient
from tests.contract.channels.messages import message, resolved
from tests.simulators.sendgrid import SendGrid
from tests.unit.channels.sending import build, context, send

KEY = "SG.key"


@pytest.fixture
async def service() -> AsyncIterator[SendGrid]:
    async with SendGrid(KEY) as running:
        yield running


def options(service: SendGrid, **more: object) -> dict[str, object]:
    return {
        "api_key": KEY,
        "from": "Alerts <alerts@example.com>",
        "to": ["ops@example.com"],
        "url": service.url,
        **more,
    }


@pytest.fixture
def channel(service: SendGrid) -> Channel:
    return build(SendGridChannel, **options(service))


async def test_a_mail_has_both_parts_and_the_people_named(http: HttpClient, service: SendGrid) -> None:
    people = ["Ops Team <ops@example.com>", "lead@example.com"]
    receipt = await send(http, build(SendGridChannel, **options(service, to=people)), message())
    (mail,) = service.mails
    assert mail["from"] == {"email": "alerts@example.com", "name": "Alerts"}
    assert mail["personalizations"] == [
        {"to": [{"email": "ops@example.com", "name": "Ops Team"}, {"email": "lead@example.com"}]}
    ]
    assert [part["type"] for part in mail["content"]] == ["text/plain", "text/html"]
    assert receipt.data["x_message_id"] == "sendgrid-1"
    assert "sendgrid-1" in receipt.detail


async def test_all_mails_of_an_incident_thread(http: HttpClient, service: SendGrid, channel: Channel) -> None:
    first = await send(http, channel, message())
    await channel.send(resolved(), replace(context(http, key="key-2"), previous=first))
    opened, ended = (mail["headers"] for mail in service.mails)
    assert opened["References"] == ended["References"] == ended["In-Reply-To"]
    assert opened["Message-ID"] != ended["Message-ID"]
    assert opened["Message-ID"] == first.data["message_id"]
    assert opened["Message-ID"].endswith("@example.com>")
    assert service.mails[0]["subject"] == service.mails[1]["subject"]


async def test_every_attempt_of_a_delivery_has_the_same_message_id(
    http: HttpClient, service: SendGrid, channel: Channel
) -> None:
    await channel.send(message(), context(http))
    await channel.send(message(), context(http, attempt=2))
    first, second = (mail["headers"]["Message-ID"] for mail in service.mails)
    assert first == second


async def test_another_incident_is_another_thread(http: HttpClient, service: SendGrid, channel: Channel) -> None:
    await send(http, channel, message())
    await send(http, channel, replace(message(), dedup="another"), key="key-2")
    first, second = (mail["headers"]["References"] for mail in service.mails)
    assert first != second


async def test_an_address_given_twice_is_mailed_once(http: HttpClient, service: SendGrid) -> None:
    await send(http, build(SendGridChannel, **options(service, to="a@example.com, A@example.com")), message())
    assert len(service.mails[0]["personalizations"][0]["to"]) == 1


async def test_a_subject_is_one_line_whatever_the_alert_says(
    http: HttpClient, service: SendGrid, channel: Channel
) -> None:
    await send(http, channel, message(title="High CPU\r\nBcc: victim@example.com\r\n\r\n"))
    assert service.mails[0]["subject"] == "High CPU Bcc: victim@example.com"


async def test_an_empty_message_still_has_a_subject_and_content(
    http: HttpClient, service: SendGrid, channel: Channel
) -> None:
    await send(http, channel, message(title="", text=""))
    assert service.mails[0]["subject"] == "Alert"


async def test_markup_of_an_alert_stays_text(http: HttpClient, service: SendGrid, channel: Channel) -> None:
    await send(http, channel, message(title="<img src=x onerror=alert(1)>", text="<script>x</script>"))
    page = service.mails[0]["content"][1]["value"]
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page


async def test_the_plain_form_has_no_html(http: HttpClient, service: SendGrid, channel: Channel) -> None:
    await channel.send(message(reason=Reason.CHANGED), context(http, plain=True))
    assert [part["type"] for part in service.mails[0]["content"]] == ["text/plain"]


async def test_a_wrong_key_is_refused_in_sendgrids_words(http: HttpClient, service: SendGrid) -> None:
    with pytest.raises(Refused) as caught:
        await send(http, build(SendGridChannel, **options(service, api_key="SG.other")), message())
    assert caught.value.reason is FailureReason.UNAUTHORIZED
    assert "invalid, expired, or revoked" in caught.value.detail


async def test_what_sendgrid_says_of_the_content_is_repeated_without_the_key(
    http: HttpClient, service: SendGrid, channel: Channel
) -> None:
    service.next(400, f'{{"errors": [{{"message": "no {KEY}\\nplease", "field": "content"}}]}}')
    with pytest.raises(Permanent) as caught:
        await send(http, channel, message())
    assert caught.value.detail == "HTTP 400: content: no <secret> please"


@pytest.mark.parametrize(
    "more", [{"to": []}, {"to": "nobody"}, {"from": "a@b@c"}, {"to": "a@example.com\r\nBcc: b@example.com"}]
)
def test_addresses_are_judged_when_the_configuration_is_read(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        build(SendGridChannel, **{"api_key": KEY, "from": "a@example.com", "to": "b@example.com", **more})
