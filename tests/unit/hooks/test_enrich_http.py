"""`enrich` asking a real service on a real port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from bridge.domain.errors import ConfigError
from bridge.hooks.api import HookContext, Notification, Pass, Transition
from bridge.hooks.chain import Chain, Judged
from bridge.hooks.enrich_http import FAILURE_KEPT, URLS, HttpOptions
from bridge.hooks.registry import HookRegistry
from bridge.net import Egress, HttpClient
from tests.contract.hooks.notifications import NOW, alert, notification
from tests.simulators.server import Answer, Recorded, Simulator

DATA = {"owner": {"team": "shop", "rank": 1}, "tags": ["a", "b"], "urgent": True, "none": None, "blank": " ", "n": 1.5}


class Inventory(Simulator):
    """Knows every host but those called `unknown`."""

    def answer(self, request: Recorded) -> Answer:
        if "unknown" in request.path:
            return Answer(404, b'{"error": "no such host"}')
        return Answer(200, json.dumps(DATA).encode())


@pytest.fixture
async def service() -> AsyncIterator[Inventory]:
    async with Inventory() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    http = HttpClient(Egress())
    yield http
    await http.close()


class Asking:
    """A chain of one `enrich` hook, built as the bridge builds it."""

    def __init__(self, client: HttpClient, service: Inventory, **options: Any) -> None:
        http = {"url": service.url + "/hosts/{{ labels.instance }}", "labels": {"team": "owner.team"}}
        http |= options.pop("http", {})
        registry = HookRegistry.load()
        parsed = registry.parse("enrich", json.dumps({"http": http, **options}))
        self.chain = Chain([registry.create("enrich", parsed, HookContext(client))])

    async def judge(self, subject: Notification | None = None) -> Judged:
        return await self.chain.run(subject or notification())

    async def labels(self, subject: Notification | None = None) -> Any:
        verdict = (await self.judge(subject)).verdict
        assert isinstance(verdict, Pass)
        return verdict.notification.labels


def of(**labels: str) -> Notification:
    return notification(Transition.OPENED, alert(**labels))


async def test_the_answer_becomes_labels_and_annotations(service, client) -> None:
    asking = Asking(client, service, http={"annotations": {"first_tag": "tags.0"}})
    verdict = (await asking.judge()).verdict
    assert verdict.notification.labels == {"a1": {"team": "shop"}}
    assert verdict.notification.annotations == {"a1": {"first_tag": "a"}}
    assert [(request.method, request.path) for request in service.requests] == [("GET", "/hosts/web-1")]


@pytest.mark.parametrize(
    ("path", "value"),
    [("owner.rank", "1"), ("urgent", "true"), ("n", "1.5"), ("tags.1", "b")],
)
async def test_a_scalar_is_taken_as_text(service, client, path, value) -> None:
    assert await Asking(client, service, http={"labels": {"x": path}}).labels() == {"a1": {"x": value}}


@pytest.mark.parametrize("path", ["owner", "tags", "tags.2", "tags.-1", "none", "blank", "missing", "owner.team.deep"])
async def test_what_is_no_scalar_adds_nothing(service, client, path) -> None:
    assert await Asking(client, service, http={"labels": {"x": path}}).labels() == {}


async def test_headers_are_sent(service, client) -> None:
    await Asking(client, service, http={"headers": {"Authorization": "Bearer t0ken"}}).judge()
    assert service.requests[0].headers["Authorization"] == "Bearer t0ken"
    assert service.requests[0].headers["Accept"] == "application/json"


async def test_later_parts_of_the_hook_see_the_answer(service, client) -> None:
    verdict = (await Asking(client, service, annotations={"who": "{{ labels.team }}"}).judge()).verdict
    assert verdict.notification.annotations == {"a1": {"who": "shop"}}


@pytest.mark.parametrize(
    "value", ["a/b", "a?x=1#y", "@evil.example", "a b\tX: y", "%2e%2e", "../../admin", "ü", "\\..\\", "{{ 1 }}"]
)
async def test_an_alerts_value_is_only_ever_one_piece_of_the_path(service, client, value) -> None:
    judged = await Asking(client, service).judge(of(instance=value))
    assert judged.trace[0].detail == ""
    path = service.requests[0].path
    assert path.count("/") == 2
    assert not {"?", "#"} & set(path)
    assert unquote(path) == f"/hosts/{value}"


def test_line_ends_of_a_value_do_not_reach_the_request() -> None:
    template = URLS.compile("https://cmdb.example.com/{{ labels.x }}")
    assert URLS.render(template, labels={"x": "a\r\nX: y"}) == "https://cmdb.example.com/a%0D%0AX%3A%20y"


async def test_a_value_that_makes_the_url_too_long_is_not_sent(service, client) -> None:
    judged = await Asking(client, service).judge(of(instance="x" * 5000))
    assert "longer than 4096 characters" in judged.trace[0].detail
    assert service.requests == []


@pytest.mark.parametrize("value", [".", ".."])
async def test_a_value_that_would_climb_in_the_path_is_not_sent(service, client, value) -> None:
    judged = await Asking(client, service).judge(of(instance=value))
    assert isinstance(judged.verdict, Pass)
    assert "another place" in judged.trace[0].detail
    assert service.requests == []


async def test_an_alert_without_the_label_asks_nothing(service, client) -> None:
    judged = await Asking(client, service).judge(of(instance=""))
    assert judged.trace[0].verdict == "pass"
    assert service.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://{{ labels.host }}/x",
        "https://cmdb{{ labels.zone }}.example.com/x",
        "https://cmdb.example.com{{ labels.path }}",
        "https://cmdb.example.com:{{ labels.port }}/",
        "{{ labels.url }}",
        "{% if 1 %}https://cmdb.example.com/{% endif %}",
        "https://user:password@cmdb.example.com/",
        "https://cmdb.example.com\\{{ labels.x }}/",
        "file:///etc/passwd",
        "ftp://cmdb.example.com/",
        "https:///x",
        "//cmdb.example.com/x",
    ],
)
def test_the_host_cannot_come_from_an_alert(url) -> None:
    with pytest.raises(ValidationError, match="host"):
        HttpOptions.model_validate({"url": url, "labels": {"x": "x"}})


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "https://cmdb.example.com/{{ nope }}"},
        {"labels": {"bad-name": "x"}},
        {"labels": {"x": "a..b"}},
        {"labels": {"x": ""}},
        {"labels": {}},
        {"max_entries": 0},
    ],
)
def test_options_that_cannot_work_are_refused(bad) -> None:
    with pytest.raises(ValidationError):
        HttpOptions.model_validate({"url": "https://cmdb.example.com/", "labels": {"x": "x"}, **bad})


def test_a_secret_that_nobody_opened_is_not_sent() -> None:
    options = {"url": "https://cmdb.example.com/", "labels": {"x": "x"}, "headers": {"Authorization": "sealed:v1:k:x"}}
    registry = HookRegistry.load()
    parsed = registry.parse("enrich", json.dumps({"http": options}))
    with pytest.raises(ConfigError, match="header 'Authorization' was not opened"):
        registry.create("enrich", parsed, HookContext(HttpClient(Egress())))


async def test_an_answer_is_kept_for_its_time(service, client) -> None:
    asking = Asking(client, service, http={"cache": "5m"})
    for age in (timedelta(0), timedelta(seconds=299)):
        assert await asking.labels(notification(now=NOW + age)) == {"a1": {"team": "shop"}}
    assert len(service.requests) == 1
    await asking.labels(notification(now=NOW + timedelta(minutes=5)))
    assert len(service.requests) == 2


async def test_not_knowing_is_an_answer_and_is_kept_too(service, client) -> None:
    asking = Asking(client, service)
    for _ in range(2):
        judged = await asking.judge(of(instance="unknown-7"))
        assert judged.trace[0].verdict == "pass"
        assert judged.verdict.notification.labels == {}
    assert len(service.requests) == 1


async def test_alerts_with_the_same_question_ask_once(service, client) -> None:
    alerts = [alert(fingerprint=f"a{number}", instance=f"web-{number % 3}") for number in range(30)]
    found = await Asking(client, service).labels(notification(Transition.OPENED, *alerts))
    assert len(found) == 30
    assert sorted(request.path for request in service.requests) == ["/hosts/web-0", "/hosts/web-1", "/hosts/web-2"]


async def test_the_oldest_answers_make_room(service, client) -> None:
    asking = Asking(client, service, http={"max_entries": 2})
    for host in ("a", "b", "c", "c", "b", "a"):
        await asking.judge(of(instance=host))
    assert [request.path for request in service.requests] == ["/hosts/a", "/hosts/b", "/hosts/c", "/hosts/a"]


async def test_more_questions_at_once_than_are_kept_are_all_answered(service, client) -> None:
    alerts = [alert(fingerprint=f"a{number}", instance=f"web-{number}") for number in range(20)]
    asking = Asking(client, service, http={"max_entries": 1})
    assert len(await asking.labels(notification(Transition.OPENED, *alerts))) == 20


FAILURES = {
    "status 500": lambda service: service.always(500, b"secret trace"),
    "status 401": lambda service: service.always(401),
    "redirect": lambda service: service.always(302, headers={"Location": "http://127.0.0.1:1/"}),
    "no JSON": lambda service: service.always(200, b"<html>"),
    "JSON too deep": lambda service: service.always(200, b"[" * 60_000),
    "too long": lambda service: service.always(200, b'"' + b"x" * 70_000 + b'"'),
    "garbage": lambda service: service.garbage(),
    "cut off": lambda service: service.truncated(),
    "reset": lambda service: (service.reset(), service.reset()),  # aiohttp asks twice on a used connection
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES.keys())
async def test_a_service_that_fails_costs_nothing_but_its_labels(service, client, fail) -> None:
    fail(service)
    judged = await Asking(client, service, labels={"tier": "1"}).judge()
    assert judged.verdict.notification.labels == {"a1": {"tier": "1"}}
    assert (judged.trace[0].verdict, judged.trace[0].reason) == ("error", "raised")
    assert "127.0.0.1" in judged.trace[0].detail
    assert "web-1" not in judged.trace[0].detail


async def test_a_service_that_fails_holds_a_closed_hook(service, client) -> None:
    service.always(500)
    judged = await Asking(client, service, on_error="closed").judge()
    assert judged.verdict.reason == "hook_error:enrich"


async def test_a_service_that_hangs_costs_its_timeout_and_the_rest_goes_on(service, client) -> None:
    service.hang()
    asking = Asking(client, service, http={"timeout": "50ms"}, labels={"tier": "1"})
    judged = await asking.judge()
    assert judged.verdict.notification.labels == {"a1": {"tier": "1"}}
    assert judged.trace[0].verdict == "error"


async def test_answers_that_came_in_time_are_kept_when_others_did_not(service, client) -> None:
    service.hang()
    alerts = [alert(fingerprint=f"a{number}", instance=f"web-{number}") for number in range(3)]
    found = await Asking(client, service, http={"timeout": "200ms"}).labels(notification(Transition.OPENED, *alerts))
    assert len(found) == 2


async def test_a_service_that_is_down_is_left_alone_for_a_moment(service, client) -> None:
    asking = Asking(client, service)
    service.next(503)
    for age in (timedelta(0), FAILURE_KEPT - timedelta(seconds=1)):
        judged = await asking.judge(notification(now=NOW + age))
        assert judged.trace[0].verdict == "error"
    assert len(service.requests) == 1
    assert await asking.labels(notification(now=NOW + FAILURE_KEPT)) == {"a1": {"team": "shop"}}


async def test_egress_rules_hold_for_lookups_too(service) -> None:
    client = HttpClient(Egress(deny_private=True))
    judged = await Asking(client, service).judge()
    await client.close()
    assert "egress_denied" in judged.trace[0].detail
    assert service.requests == []
