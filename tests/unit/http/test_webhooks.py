"""What senders see: 200 only for what is kept, 503 for "not now", 4xx only for what can never be accepted."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from bridge.domain.errors import IngestReason, StorageBusy, StorageFatal
from bridge.domain.secret import Secret
from bridge.http.access import Access, Role, token
from bridge.http.limits import Limits
from bridge.http.webhooks import Source
from tests.unit.http.running import BODY, bearer, exchange, post, running, wire

GUARDED = {"am": Source("am", "alertmanager", bearer("s3cr3t")), "open": Source("open")}


async def test_what_is_kept_is_answered_with_its_counts() -> None:
    body = BODY[:-2] + b",7]}"
    async with running() as bridge:
        answer = await exchange(bridge.port, post(body=body))
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.document == {"id": "r1", "accepted": 1, "duplicates": 0, "quarantined": 1}
        ((webhook, kept, digest),) = bridge.intake.kept
        assert (webhook.source, kept, digest) == ("default", body, hashlib.sha256(body).hexdigest())
        assert bridge.count("default", "accepted") == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/webhook/open", "/webhook/open?tenant=1", "/webhook/%6Fpen"])
async def test_a_source_is_found_by_its_path_however_it_is_written(method: str, path: str) -> None:
    async with running(sources=GUARDED) as bridge:
        assert (await exchange(bridge.port, post(path, method=method))).status == 200
        assert bridge.intake.kept[0][0].source == "open"


async def test_the_host_of_an_absolute_target_is_not_believed() -> None:
    async with running(sources=GUARDED) as bridge:
        request = post("http://evil.example/webhook/am", BODY, "Authorization: Bearer s3cr3t")
        assert (await exchange(bridge.port, request)).status == 200
        assert (await exchange(bridge.port, post("http://127.0.0.1/webhook/open"))).status == 403


async def test_the_prefix_of_the_external_url_goes_before_every_path() -> None:
    async with running(prefix="/bridge") as bridge:
        assert (await exchange(bridge.port, post("/bridge/webhook"))).status == 200
        assert (await exchange(bridge.port, post("/bridge/webhook?x=1"))).status == 200
        assert (await exchange(bridge.port, post("/webhook"))).status == 404


async def test_a_client_that_waits_for_100_continue_gets_it() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        await connection.send(post("/webhook", b"", "Expect: 100-continue", length=len(BODY)))
        assert (await connection.answer()).status == 100
        await connection.send(BODY)
        assert (await connection.answer()).status == 200


@pytest.mark.parametrize("header", [[], ["Authorization: Bearer wrong"], ["Authorization: Bearer \xe9"]])
@pytest.mark.parametrize("path", ["/webhook/am", "/webhook/nobody", "/webhook"])
async def test_a_wrong_proof_and_an_unknown_source_look_the_same(path: str, header: list[str]) -> None:
    async with running(sources=GUARDED) as bridge:
        answer = await exchange(bridge.port, post(path, BODY, *header))
        document = answer.document
        assert document.pop("request_id") == answer.headers["x-request-id"]
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert document == {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "the request is not authenticated",
        }
        assert not bridge.intake.kept
        source = "am" if path == "/webhook/am" else ""
        assert bridge.intake.refused == [(source, IngestReason.UNAUTHENTICATED, "the request is not authenticated")]


async def test_an_unknown_source_is_404_where_no_source_has_a_secret() -> None:
    async with running(sources={"open": Source("open")}) as bridge:
        assert (await exchange(bridge.port, post("/webhook/nobody"))).status == 404
        assert (await exchange(bridge.port, post("/webhook"))).status == 404
        assert bridge.count("", "unknown_source") == 2


async def test_a_slash_at_the_end_is_never_redirected() -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, post("/webhook/"))
        assert answer.status == 404
        assert "without the slash" in str(answer.document["detail"])
        assert "location" not in answer.headers


async def test_reading_a_webhook_is_405_and_says_what_is_allowed() -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, post(method="GET", body=b""))
        assert (answer.status, answer.headers["allow"]) == (405, "POST, PUT")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_source_without_a_secret_needs_the_role_ingest_beyond_loopback() -> None:
    access = Access(tokens=(token("sender", ["ingest"], Secret("t0ken")), token("reader", ["admin"], Secret("r0ken"))))
    async with running(access=access) as bridge:
        assert (await exchange(bridge.port, post())).status == 401
        assert (await exchange(bridge.port, post("/webhook", BODY, "Authorization: Bearer r0ken"))).status == 403
        assert (await exchange(bridge.port, post("/webhook", BODY, "Authorization: Bearer t0ken"))).status == 200
    async with running(access=Access(anonymous=frozenset({Role.INGEST}))) as bridge:
        assert (await exchange(bridge.port, post())).status == 200


async def test_a_secret_of_its_own_is_the_only_way_into_a_source() -> None:
    access = Access(tokens=(token("sender", ["ingest"], Secret("t0ken")),), anonymous=frozenset({Role.INGEST}))
    async with running(sources=GUARDED, access=access) as bridge:
        assert (await exchange(bridge.port, post("/webhook/am", BODY, "Authorization: Bearer t0ken"))).status == 401
        assert (await exchange(bridge.port, post("/webhook/am", BODY, "Authorization: Bearer s3cr3t"))).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"alerts": "hunter2"}', b"\xff", b"[" * 100_000])
async def test_what_cannot_be_understood_is_400_and_not_echoed(body: bytes) -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, post(body=body))
        assert answer.status == 400
        assert answer.document["detail"]
        assert b"hunter2" not in answer.body
        assert bridge.count("default", "malformed") + bridge.count("default", "wrong_format") == 1


@pytest.mark.parametrize("error", [StorageBusy("locked"), StorageFatal("disk"), RuntimeError("a bug"), TimeoutError()])
async def test_what_could_not_be_stored_is_503_so_that_the_sender_repeats_it(error: Exception) -> None:
    def fail() -> None:
        raise error

    async with running() as bridge:
        bridge.intake.before = fail
        answer = await exchange(bridge.port, post())
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert bridge.count("default", "unavailable") == 1
        assert not bridge.intake.refused
        bridge.intake.before = None
        assert (await exchange(bridge.port, post())).status == 200


async def test_a_commit_that_takes_too_long_is_503() -> None:
    async with running(limits=Limits(accept_seconds=0.05)) as bridge:
        bridge.intake.wait = asyncio.Event()
        async with wire(bridge.port) as first, wire(bridge.port) as second:
            await first.send(post())
            await asyncio.sleep(0.02)
            await second.send(post())
            assert (await first.answer()).status == 503
            assert (await second.answer()).status == 503
            bridge.intake.wait.set()
            await first.send(post())
            assert (await first.answer()).status == 200


async def test_a_sender_that_hangs_up_does_not_stop_the_commit() -> None:
    async with running() as bridge:
        bridge.intake.wait = asyncio.Event()
        async with wire(bridge.port) as connection:
            await connection.send(post())
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        assert bridge.listener.open_connections == 0
        bridge.intake.wait.set()
        await asyncio.sleep(0.05)
        assert len(bridge.intake.kept) == 1


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=UTF8", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=utf-7", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        ("", 415),
    ],
)
async def test_only_json_in_utf_8_is_taken(content_type: str, status: int) -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, post("/webhook", BODY, f"Content-Type: {content_type}"))
        assert answer.status == status


async def test_two_content_types_are_refused() -> None:
    request = post("/webhook", BODY, "Content-Type: application/json", "Content-Type: text/plain")
    async with running() as bridge:
        assert (await exchange(bridge.port, request)).status in {400, 415}


async def test_new_sources_hold_from_the_next_request_on() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        await connection.send(post())
        assert (await connection.answer()).status == 200
        bridge.webhooks.apply(GUARDED)
        await connection.send(post())
        assert (await connection.answer()).status == 401
        await connection.send(post("/webhook/am", BODY, "Authorization: Bearer s3cr3t"))
        assert (await connection.answer()).status == 200


async def test_many_failures_are_answered_late_and_right_senders_are_not() -> None:
    limits = Limits(free_failures=2, failure_delay=0.4, failure_refill=1000)
    async with running(sources=GUARDED, limits=limits) as bridge:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            await exchange(bridge.port, post("/webhook/am"))
        began = loop.time()
        late = asyncio.create_task(exchange(bridge.port, post("/webhook/am")))
        answer = await exchange(bridge.port, post("/webhook/am", BODY, "Authorization: Bearer s3cr3t"))
        assert answer.status == 200
        assert not late.done()
        assert (await late).status == 401
        assert loop.time() - began >= 0.39


async def test_guessers_beyond_those_that_may_wait_are_answered_and_cut_off() -> None:
    limits = Limits(free_failures=0, failure_delay=0.3, failure_refill=1000, delayed=1)
    async with (
        running(sources=GUARDED, limits=limits) as bridge,
        wire(bridge.port) as first,
        wire(bridge.port) as second,
    ):
        await first.send(post("/webhook/am"))
        await asyncio.sleep(0.05)
        await second.send(post("/webhook/am"))
        assert (await second.answer()).status == 401
        assert await second.closed()
        assert (await first.answer()).status == 401
        await first.send(post("/webhook/am", BODY, "Authorization: Bearer s3cr3t"))
        assert (await first.answer()).status == 200


async def test_the_answer_carries_an_id_and_not_the_clients_own() -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, post("/webhook", BODY, "X-Request-Id: mine"))
        assert answer.headers["x-request-id"] not in {"", "mine"}
        assert json.loads(answer.body)["id"] == "r1"


async def test_a_source_whose_secret_is_lost_is_told_to_try_again_and_the_others_go_on() -> None:
    sources = {"am": Source("am", closed="sources/am/auth.bearer: TOKEN is not set"), "open": Source("open")}
    async with running(sources=sources) as bridge:
        answer = await exchange(bridge.port, post("/webhook/am", BODY, "Authorization: Bearer s3cr3t"))
        assert answer.status == 503
        assert "retry-after" in answer.headers
        assert "TOKEN" not in answer.document["detail"]
        assert bridge.intake.refused == []
        assert (await exchange(bridge.port, post("/webhook/open"))).status == 200
