"""Requests that no honest sender makes: each is refused or cut off, and honest senders never notice."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from statistics import median

import pytest
from aiohttp import web

from bridge.http.limits import Limits
from bridge.http.webhooks import Source
from tests.unit.http.running import BODY, Wire, bearer, exchange, post, running, wire

QUICK = Limits(
    max_body=200_000,
    header_seconds=0.3,
    body_seconds=0.3,
    write_seconds=0.3,
    linger_seconds=0.2,
    sweep_seconds=0.05,
    failure_delay=0.0,
)
"""For what is to be cut off in time."""
PATIENT = Limits(max_body=200_000, linger_seconds=0.2, sweep_seconds=0.05, failure_delay=0.0)
"""For what is to be refused, however slow the machine is."""


async def refusal(port: int, request: bytes) -> int:
    """The status of the answer; 0 if the connection was closed without one. It is always closed afterwards."""
    async with wire(port) as connection:
        await connection.send(request)
        try:
            status = (await connection.answer()).status
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        assert await connection.closed()
        return status


BODY_SIZE = len(BODY)
FRAMES = {
    "content length and chunked": post("/webhook", BODY, "Transfer-Encoding: chunked", f"Content-Length: {BODY_SIZE}"),
    "two content lengths": post("/webhook", BODY, f"Content-Length: {BODY_SIZE + 1}"),
    "content length with a plus": post("/webhook", b"", "X: y").replace(b"Content-Length: 0", b"Content-Length: +5"),
    "negative content length": post("/webhook", b"", "X: y").replace(b"Content-Length: 0", b"Content-Length: -1"),
    "content length in hexadecimal": post("/webhook", b"", "X: y").replace(
        b"Content-Length: 0", b"Content-Length: 0x5"
    ),
    "two hosts": post("/webhook", BODY, "Host: evil.example"),
    "folded header": post("/webhook", BODY, "X-Long: a\r\n b"),
    "bare line feed": post("/webhook", BODY, "X-Bare: a\nX-Smuggled: b"),
    "NUL in a header": post("/webhook", BODY, "X-Nul: a\0b"),
    "space before the colon": post("/webhook", BODY, "X-Space : a"),
    "unknown transfer encoding": post("/webhook", BODY, "Transfer-Encoding: xchunked"),
    "chunked twice": post("/webhook", BODY, "Transfer-Encoding: chunked, chunked"),
    "chunk size that is no number": post("/webhook", b"zz\r\nab\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunk longer than it says": post("/webhook", b"2\r\nabcd\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "header of 9 kB": post("/webhook", BODY, "X-Long: " + "a" * 9000),
    "two hundred headers": post("/webhook", BODY, *(f"X-{number}: a" for number in range(200))),
    "target of 64 kB": post("/webhook?" + "a" * 65_536),
    "other version": post().replace(b"HTTP/1.1", b"HTTP/9.9"),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_bad_framing_is_refused_and_the_connection_closed(name: str) -> None:
    async with running(limits=PATIENT) as bridge:
        assert await refusal(bridge.port, FRAMES[name]) in {400, 413, 414, 431}, name
        assert not bridge.intake.kept


async def test_the_answer_to_bad_framing_quotes_nothing() -> None:
    async with running(limits=PATIENT) as bridge:
        answer = await exchange(bridge.port, post("/webhook", BODY, "X-Secret : hunter2"))
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.document["request_id"] == answer.headers["x-request-id"]
        assert b"hunter2" not in answer.body
        assert b"X-Secret" not in answer.body


async def test_a_second_request_hidden_in_a_body_is_not_served() -> None:
    hidden = post("/webhook", BODY, "Authorization: Bearer s3cr3t")
    async with running(limits=PATIENT, sources={"default": Source("default", "auto", bearer("s3cr3t"))}) as bridge:
        outer = post("/webhook", hidden, "Transfer-Encoding: chunked", "Content-Length: 4")
        assert await refusal(bridge.port, outer) == 400
        assert not bridge.intake.kept


@pytest.mark.parametrize("start", [b"", b"POST /web", b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nX-Slow: a"])
async def test_a_header_that_does_not_come_is_not_waited_for(start: bytes) -> None:
    async with running(limits=QUICK) as bridge, wire(bridge.port) as connection:
        await connection.send(start)
        assert await connection.closed()


async def test_dripping_a_header_does_not_prolong_its_time() -> None:
    async def drip(connection: Wire) -> None:
        while True:
            await connection.send(b"a")
            await asyncio.sleep(0.03)

    async with running(limits=QUICK) as bridge, wire(bridge.port) as connection:
        await connection.send(b"POST /webhook HTTP/1.1\r\nX-Slow: ")
        dripping = asyncio.create_task(drip(connection))
        assert await connection.closed(), "though something comes all the while"
        dripping.cancel()


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_that_drips_is_408(chunked: bool) -> None:
    head = post("/webhook", b"", "Transfer-Encoding: chunked") if chunked else post("/webhook", b"", length=5000)
    piece = b"1\r\n{\r\n" if chunked else b"{"
    async with running(limits=QUICK) as bridge, wire(bridge.port) as connection:
        await connection.send(head)
        answer = asyncio.create_task(connection.answer())
        while not answer.done():
            await connection.send(piece)
            await asyncio.sleep(0.02)
        assert (await answer).status == 408
        assert bridge.intake.refused[0][1].value == "too_slow"


async def test_a_body_shorter_than_it_says_is_not_taken() -> None:
    async with running(limits=QUICK) as bridge:
        assert await refusal(bridge.port, post("/webhook", BODY, length=len(BODY) + 1)) == 408
        assert not bridge.intake.kept


async def test_a_body_longer_than_it_says_is_refused_with_what_follows() -> None:
    async with running(limits=PATIENT) as bridge, wire(bridge.port) as connection:
        await connection.send(post("/webhook", BODY + b"{}", length=len(BODY)))
        assert (await connection.answer()).status == 400
        assert await connection.closed()
        assert not bridge.intake.kept


async def test_a_body_said_to_be_too_large_is_refused_before_it_is_sent() -> None:
    async with running(limits=PATIENT) as bridge, wire(bridge.port) as connection:
        await connection.send(post("/webhook", b"", length=200_001))
        answer = await connection.answer()
        assert answer.status == 413
        assert "200000" in str(answer.document["detail"])
        assert bridge.count("default", "too_large") == 1


async def test_a_body_that_grows_too_large_is_refused_on_the_way() -> None:
    piece = b"2710\r\n" + b"a" * 10_000 + b"\r\n"
    async with running(limits=PATIENT) as bridge, wire(bridge.port) as connection:
        await connection.send(post("/webhook", b"", "Transfer-Encoding: chunked") + piece * 21)
        assert (await connection.answer()).status == 413
        assert await connection.closed()


async def test_the_largest_body_is_taken_whole_or_in_chunks() -> None:
    body = BODY + b" " * (200_000 - len(BODY))
    chunked = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 4096]), body[at : at + 4096]) for at in range(0, len(body), 4096)
    )
    async with running(limits=PATIENT) as bridge:
        assert (await exchange(bridge.port, post(body=body))).status == 200
        request = post("/webhook", chunked + b"0\r\n\r\n", "Transfer-Encoding: chunked")
        assert (await exchange(bridge.port, request)).status == 200
        assert [kept for _, kept, _ in bridge.intake.kept] == [body, body]


async def test_a_body_in_a_hundred_thousand_tiny_chunks_is_refused() -> None:
    async with running(limits=PATIENT) as bridge, wire(bridge.port) as connection:
        await connection.send(post("/webhook", b"1\r\n \r\n" * 100_000, "Transfer-Encoding: chunked"))
        answer = await connection.answer()
        assert answer.status == 400
        assert "chunks" in str(answer.document["detail"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity"])
async def test_an_encoded_body_is_refused_unopened(encoding: str) -> None:
    bomb = gzip.compress(b" " * 1_000_000) if "gzip" in encoding else zlib.compress(b" " * 1_000_000)
    async with running(limits=PATIENT) as bridge:
        assert await refusal(bridge.port, post("/webhook", bomb, f"Content-Encoding: {encoding}")) == 415
        assert bridge.count("default", "unsupported_media") == 1


async def test_many_large_bodies_at_once_are_503_and_the_memory_comes_back() -> None:
    limits = Limits(max_body=200_000, body_memory=300_000, body_seconds=0.5)
    large = b" " * (150_000 - len(BODY)) + BODY
    async with running(limits=limits) as bridge, contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(wire(bridge.port)) for _ in range(3)]
        for connection in slow:
            await connection.send(post("/webhook", b" " * 140_000, length=len(large)))
            await asyncio.sleep(0.02)
        answer = await slow[2].answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert (await exchange(bridge.port, post())).status == 200, "small ones always fit"
        for connection in slow[:2]:
            assert (await connection.answer()).status == 408
        assert (await exchange(bridge.port, post(body=large))).status == 200


async def test_idle_connections_make_room_for_new_ones_the_oldest_first() -> None:
    limits = Limits(connections=20)
    async with running(limits=limits) as bridge, contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(wire(bridge.port)) for _ in range(20)]
        await idle[0].send(post())
        assert (await idle[0].answer()).status == 200, "so it is the youngest now"
        for _ in range(30):
            assert (await exchange(bridge.port, post())).status == 200
        assert await idle[1].closed()
        assert bridge.listener.open_connections <= 20


async def test_bodies_that_drip_make_room_for_new_connections() -> None:
    limits = Limits(connections=20, slow_seconds=0.0)
    async with running(limits=limits) as bridge, contextlib.AsyncExitStack() as stack:
        dripping = [await stack.enter_async_context(wire(bridge.port)) for _ in range(20)]
        for connection in dripping:
            await connection.send(post("/webhook", b" ", length=1000))
        await asyncio.sleep(0.05)
        for _ in range(30):
            assert (await exchange(bridge.port, post())).status == 200
        assert await dripping[0].closed()
        assert bridge.listener.open_connections <= 20


async def test_busy_connections_are_never_closed_for_new_ones() -> None:
    async with running(limits=Limits(connections=3)) as bridge, contextlib.AsyncExitStack() as stack:
        bridge.intake.wait = asyncio.Event()
        busy = [await stack.enter_async_context(wire(bridge.port)) for _ in range(3)]
        for connection in busy:
            await connection.send(post())
        await asyncio.sleep(0.05)
        async with wire(bridge.port) as late:
            assert (await late.answer()).status == 503
            assert await late.closed()
        bridge.intake.wait.set()
        for connection in busy:
            assert (await connection.answer()).status == 200


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 20_000_000)

    async with running(limits=QUICK, routes=lambda app: app.router.add_get("/large", large) and None) as bridge:
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port, limit=1024)
        writer.write(post("/large", b"", method="GET"))
        await asyncio.sleep(0.1)
        assert bridge.listener.open_connections == 1
        for _ in range(600):
            await asyncio.sleep(0.05)
            if not bridge.listener.open_connections:
                break
        assert bridge.listener.open_connections == 0
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await reader.read()


async def test_asking_without_ever_reading_ends_too() -> None:
    async with running(limits=QUICK) as bridge:
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port, limit=1024)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(60):
                while bridge.listener.open_connections or not writer.is_closing():
                    writer.write(post("/nothing", b"", method="GET") * 100)
                    await writer.drain()
        assert bridge.listener.open_connections == 0
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await reader.read()


async def test_a_hundred_slow_clients_do_not_delay_an_honest_one() -> None:
    async with running(limits=Limits(header_seconds=5, body_seconds=5)) as bridge, contextlib.AsyncExitStack() as stack:
        for number in range(100):
            connection = await stack.enter_async_context(wire(bridge.port))
            await connection.send(
                b"POST /webhook HTTP/1.1\r\nX: " if number % 2 else post("/webhook", b"{", length=50_000)
            )
        loop = asyncio.get_running_loop()
        took = []
        for _ in range(20):
            began = loop.time()
            assert (await exchange(bridge.port, post())).status == 200
            took.append(loop.time() - began)
        assert median(took) < 0.5


async def test_thousands_of_failures_leave_other_sources_alone() -> None:
    sources = {"am": Source("am", "auto", bearer("s3cr3t")), "other": Source("other", "auto", bearer("t0ken"))}
    limits = Limits(free_failures=5, failure_delay=0.2, delayed=5)
    async with running(limits=limits, sources=sources) as bridge:
        guesses = [asyncio.create_task(exchange(bridge.port, post("/webhook/am"))) for _ in range(300)]
        answer = await exchange(bridge.port, post("/webhook/other", BODY, "Authorization: Bearer t0ken"))
        assert answer.status == 200
        assert {(await guess).status for guess in guesses} == {401}
