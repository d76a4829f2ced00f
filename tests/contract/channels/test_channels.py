"""One suite for every channel: what `bridge.channels.api` promises, held by each type in `cases/`."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from msgspec.structs import replace as evolve

from bridge.channels.api import Context, FailureReason, Permanent, Reason, Receipt, Refused, Retryable
from bridge.domain.errors import ChannelError
from bridge.net import HttpClient
from tests.contract.channels.case import Case, Outcome, Service
from tests.contract.channels.leaks import assert_no_secret, found
from tests.contract.channels.messages import HOSTILE, NOW, alert, many, message, resolved
from tests.simulators.server import Simulator

CASES: dict[str, Case] = {
    path.stem: importlib.import_module(f"tests.contract.channels.cases.{path.stem}").CASE
    for path in sorted(Path(__file__).parent.joinpath("cases").glob("*.py"))
}
STATUSES = (*range(200, 209), *range(300, 309), *range(400, 432), 451, *range(500, 512), 599)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")

PROGRAMS = frozenset({"webhook", "exec", "workflow"})
"""These hand data to programs as it is: nothing to escape, and no place for a note."""


def where(holds: Callable[[Case], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items() if holds(case)])


every_channel = where(bool)
for_people = where(lambda case: case.name not in PROGRAMS)
over_http = where(lambda case: case.http)
with_key = where(lambda case: case.native_key is not None)


def context(http: HttpClient, *, key: str = "key-1", attempt: int = 1, previous: Receipt | None = None) -> Context:
    return Context(http=http, now=NOW, idempotency_key=key, attempt=attempt, previous=previous)


async def failure_of(sending: Awaitable[Receipt]) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sending
    return caught.value


async def outcome_of(sending: Awaitable[Receipt]) -> Outcome:
    try:
        await sending
    except Retryable:
        return Outcome.RETRYABLE
    except Permanent:
        return Outcome.PERMANENT
    except Refused:
        return Outcome.REFUSED
    return Outcome.SENT


def http_service(service: Service) -> Simulator:
    assert isinstance(service, Simulator)
    return service


@every_channel
async def test_a_channel_says_how_a_repeat_is_told_apart(case: Case) -> None:
    assert case.channel.idempotency == case.idempotency
    assert (case.native_key is not None) == (case.http and case.idempotency == "native")


@every_channel
async def test_an_alert_is_told(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        receipt = await case.build(service.url).send(message(), context(http))
        (told,) = service.told()
    assert "Alert0001" in told.text
    assert isinstance(receipt, Receipt)
    assert all(isinstance(value, str) for value in receipt.data.values())


@every_channel
async def test_the_end_is_told_after_the_beginning(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        channel = case.build(service.url)
        receipt = await channel.send(message(), context(http))
        await channel.send(resolved(), context(http, key="key-2", previous=receipt))
        told = service.told()
    assert len(told) >= 2
    if case.resolves:
        assert "Alert0001" in told[-1].text
        assert "resolved" in told[-1].text.casefold()


@every_channel
async def test_a_resolve_alone_is_told_too(case: Case, http: HttpClient) -> None:
    """The firing may have been told by an earlier process whose receipt is lost."""
    async with case.service() as service:
        await case.build(service.url).send(resolved(), context(http))
        assert len(service.told()) == 1


@every_channel
@pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.REMINDER, Reason.ESCALATED])
async def test_an_update_of_what_was_told_is_told(case: Case, http: HttpClient, reason: Reason) -> None:
    async with case.service() as service:
        channel = case.build(service.url)
        receipt = await channel.send(message(), context(http))
        await channel.send(message(*many(2), reason=reason), context(http, key="key-2", previous=receipt))
        told = service.told()
    assert len(told) == 2
    assert "Alert000" in told[1].text


@every_channel
async def test_an_acknowledgement_is_sent_without_error(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        channel = case.build(service.url)
        receipt = await channel.send(message(), context(http))
        news = evolve(message(reason=Reason.ACKNOWLEDGED), acknowledged_by="alice", standing="Acknowledged by alice")
        assert isinstance(await channel.send(news, context(http, key="key-2", previous=receipt)), Receipt)


@every_channel
async def test_a_previous_receipt_of_another_shape_does_no_harm(case: Case, http: HttpClient) -> None:
    """A channel's configuration may have changed its type's behaviour since the receipt was kept."""
    async with case.service() as service:
        previous = Receipt(data={"left over": "from another life"}, detail="x")
        await case.build(service.url).send(message(reason=Reason.CHANGED), context(http, previous=previous))
        assert len(service.told()) == 1


@every_channel
async def test_the_plain_form_is_told(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        await case.build(service.url).send(message(), evolve(context(http), plain=True))
        (told,) = service.told()
    assert "Alert0001" in told.text


@every_channel
@pytest.mark.parametrize("hostile", HOSTILE)
async def test_an_alerts_text_is_never_acted_on(case: Case, http: HttpClient, hostile: str) -> None:
    view = alert(1, instance=hostile, team=hostile)
    view = evolve(view, annotations={"summary": hostile, "description": hostile})
    news = message(view, title=f"[FIRING:1] Alert0001 {hostile}", text=f"FIRING Alert0001: {hostile}")
    news = evolve(news, group_labels={"alertname": hostile}, common_annotations={"summary": hostile}, note=hostile)
    async with case.service() as service:
        await case.build(service.url).send(news, context(http))
        (told,) = service.told()
    assert told.active == ()
    assert "Alert0001" in told.text
    if case.name not in PROGRAMS:
        assert not CONTROL.search(told.text)


@for_people
async def test_the_bridges_own_note_is_shown(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        await case.build(service.url).send(evolve(message(), note="the template failed"), context(http))
        (told,) = service.told()
    assert "the template failed" in told.text


@every_channel
async def test_five_thousand_alerts_fit_and_what_is_left_out_is_counted(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        await case.build(service.url).send(message(*many(5000), title="[FIRING:5000] storm"), context(http))
        (told,) = service.told()
        if case.http:
            assert max(len(request.body) for request in http_service(service).requests) <= case.limit
    shown = len(set(re.findall(r"Alert\d{4}", told.text)))
    left_out = re.search(r"and ([\d,]+) more", told.text)
    assert shown + (int(left_out[1].replace(",", "")) if left_out else 0) == 5000


@every_channel
async def test_one_alert_with_an_endless_annotation_fits(case: Case, http: HttpClient) -> None:
    view = evolve(alert(), annotations={"summary": "ü€😀" * 200_000})
    async with case.service() as service:
        await case.build(service.url).send(message(view), context(http))
        (told,) = service.told()
    assert "Alert0001" in told.text


@every_channel
async def test_what_a_channel_shows_of_itself_holds_no_secret(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        channel = case.build(service.url)
        options = case.channel.Options.model_validate({"type": case.name, **case.options(service.url)})
        receipt = await channel.send(message(), context(http))
    shown = (repr(channel), str(channel), repr(options), str(options), options.model_dump_json(), repr(receipt))
    assert case.canaries
    for text in shown:
        assert not found(case.canaries, text)


@over_http
@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_has_one_outcome_and_leaks_nothing(case: Case, http: HttpClient, status: int) -> None:
    async with case.service() as service:
        simulator = http_service(service)
        body = case.success_body if status < 300 else case.error_body(" ".join(case.canaries))
        simulator.always(status, body, {"Location": "http://127.0.0.1:1/elsewhere"})
        sending = case.build(service.url).send(message(), context(http))
        if case.expected(status) is Outcome.SENT:
            receipt = await sending
            assert not found(case.canaries, repr(receipt))
            return
        failure = await failure_of(sending)
    expected = {Outcome.RETRYABLE: Retryable, Outcome.PERMANENT: Permanent, Outcome.REFUSED: Refused}
    assert type(failure) is expected[case.expected(status)], failure
    assert_no_secret(case.canaries, failure)


@over_http
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(case: Case, http: HttpClient, status: int) -> None:
    async with case.service() as service, Simulator() as elsewhere:
        http_service(service).always(status, b"", {"Location": f"{elsewhere.url}/steal"})
        failure = await failure_of(case.build(service.url).send(message(), context(http)))
    assert failure.reason is FailureReason.REDIRECT
    assert elsewhere.requests == []


@over_http
async def test_a_bad_answer_in_a_success_is_retried(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        for body in case.bad_success:
            http_service(service).next(min(case.accepts), body)
            assert await outcome_of(case.build(service.url).send(message(), context(http))) is not Outcome.SENT


@over_http
async def test_a_success_with_a_truncated_body_counts_only_where_the_body_does_not(
    case: Case, http: HttpClient
) -> None:
    async with case.service() as service:
        http_service(service).truncated(min(case.accepts))
        outcome = await outcome_of(case.build(service.url, timeout="5s").send(message(), context(http)))
    assert outcome is (Outcome.RETRYABLE if case.checks_body else Outcome.SENT)


@over_http
async def test_a_success_with_no_json_counts_only_where_the_body_does_not(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        http_service(service).always(min(case.accepts), b"\x00\xff<html>captive portal</html>")
        first = await outcome_of(case.build(service.url).send(message(), context(http)))
        later = await outcome_of(case.build(service.url).send(message(), context(http, attempt=5)))
    assert first is (Outcome.RETRYABLE if case.checks_body else Outcome.SENT)
    assert (later is Outcome.SENT) != case.checks_body


@over_http
async def test_a_connection_nobody_accepts_is_retried_and_surely_not_sent(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        url = service.url
    failure = await failure_of(case.build(url).send(message(), context(http)))
    assert isinstance(failure, Retryable)
    assert failure.reason is FailureReason.NETWORK
    assert not failure.unknown
    assert_no_secret(case.canaries, failure)


@over_http
async def test_a_reset_after_the_request_leaves_the_outcome_unknown(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        http_service(service).reset()
        failure = await failure_of(case.build(service.url).send(message(), context(http)))
    assert isinstance(failure, Retryable)
    assert failure.unknown
    assert_no_secret(case.canaries, failure)


@over_http
async def test_silence_ends_at_the_timeout_and_leaves_the_outcome_unknown(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        http_service(service).hang()
        failure = await failure_of(case.build(service.url, timeout="400ms").send(message(), context(http)))
    assert isinstance(failure, Retryable)
    assert failure.reason is FailureReason.TIMEOUT
    assert failure.unknown
    assert_no_secret(case.canaries, failure)


@over_http
async def test_an_answer_that_is_no_http_leaves_the_outcome_unknown(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        http_service(service).garbage()
        failure = await failure_of(case.build(service.url).send(message(), context(http)))
    assert isinstance(failure, Retryable)
    assert failure.unknown
    assert_no_secret(case.canaries, failure)


@over_http
@pytest.mark.parametrize("status", [200, 500])
async def test_a_gibibyte_of_answer_is_not_read(case: Case, http: HttpClient, status: int) -> None:
    async with case.service() as service:
        http_service(service).flood(status if status == 500 else min(case.accepts))
        await outcome_of(case.build(service.url, timeout="5s").send(message(), context(http)))
        assert http_service(service).written < 16 * 1024 * 1024


@over_http
async def test_an_answer_that_drips_for_ever_ends_at_the_timeout(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        http_service(service).drip(500)
        sending = case.build(service.url, timeout="400ms").send(message(), context(http))
        assert await outcome_of(sending) is Outcome.RETRYABLE


@over_http
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("1000000000", 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=400), usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
async def test_retry_after_is_heeded_up_to_an_hour(
    case: Case, http: HttpClient, status: int, header: str, seconds: float | None
) -> None:
    async with case.service() as service:
        http_service(service).always(status, b"", {"Retry-After": header, "Date": format_datetime(NOW, usegmt=True)})
        failure = await failure_of(case.build(service.url).send(message(), context(http)))
    assert isinstance(failure, Retryable)
    assert failure.retry_after == seconds
    assert failure.reason is (FailureReason.RATE_LIMITED if status == 429 else FailureReason.SERVER_ERROR)


@with_key
async def test_every_attempt_bears_the_same_native_key(case: Case, http: HttpClient) -> None:
    assert case.native_key is not None
    async with case.service() as service:
        simulator = http_service(service)
        channel = case.build(service.url)
        simulator.next(503)
        await failure_of(channel.send(message(), context(http)))
        await channel.send(message(), context(http, attempt=2))
        first, second = (case.native_key(request) for request in simulator.requests)
    assert first == second
    assert first


@over_http
async def test_two_sends_at_once_do_not_mix(case: Case, http: HttpClient) -> None:
    async with case.service() as service:
        channel = case.build(service.url)
        one, two = message(alert(1)), message(alert(2))
        await asyncio.gather(channel.send(one, context(http)), channel.send(two, context(http, key="key-2")))
        told = " ".join(item.text for item in service.told())
    assert "Alert0001" in told
    assert "Alert0002" in told


def test_the_suite_knows_every_built_in_channel() -> None:
    """Only the entry points of our own package count: others' plugins bring their own tests."""
    ours = {point.name for point in entry_points(group="alertbridge.channels") if point.value.startswith("bridge.")}
    assert {case.name for case in CASES.values()} == ours
