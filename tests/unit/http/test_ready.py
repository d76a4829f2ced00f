"""Answers to webhooks are bytes made by hand: what HTTP wants of them besides the document."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from bridge.http.limits import Limits
from tests.unit.http.running import BODY, exchange, post, running, wire


async def test_the_answer_is_dated_sized_and_names_no_versions() -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, post())
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert abs(parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert answer.headers.keys() == {"server", "date", "content-type", "x-request-id", "content-length"}
    assert answer.headers["server"] == "alertbridge"


async def test_each_answer_has_an_id_of_its_own() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        await connection.send(post() * 3)
        ids = {(await connection.answer()).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "asked", [post("/webhook", BODY, "Connection: close"), post().replace(b"HTTP/1.1", b"HTTP/1.0", 1)]
)
async def test_a_sender_that_wants_no_more_is_told_so_and_the_connection_closed(asked: bytes) -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        await connection.send(asked)
        answer = await connection.answer()
        assert (answer.status, answer.document["id"]) == (200, "r1")
        assert answer.headers["server"] == "alertbridge"
        assert answer.headers.get("connection", "close") == "close"
        assert await connection.closed()


async def test_an_old_sender_that_keeps_its_connection_is_told_that_it_may() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        for _ in range(2):
            await connection.send(post("/webhook", BODY, "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
            answer = await connection.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")


async def test_a_sender_that_would_rather_speak_another_protocol_goes_on_in_this_one() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        upgrade = post("/webhook", BODY, "Connection: Upgrade", "Upgrade: websocket")
        await connection.send(upgrade + post())
        assert [(await connection.answer()).status for _ in range(2)] == [200, 200]
        assert len(bridge.intake.kept) == 2


async def test_a_sender_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        head, gap, body = post("/webhook", BODY, "Expect: 100-continue").partition(b"\r\n\r\n")
        await connection.send(head + gap)
        assert (await connection.answer()).status == 100
        await connection.send(body)
        assert (await connection.answer()).status == 200


async def test_a_body_that_comes_in_pieces_is_taken_as_one() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        request = post()
        for cut in (len(request) - len(BODY), len(request) - 1):
            await connection.send(request[:cut])
            await asyncio.sleep(0.02)
            await connection.send(request[cut:])
            assert (await connection.answer()).status == 200
        await connection.send(
            post("/webhook", b"", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        )
        assert (await connection.answer()).status == 200
        assert [body for _webhook, body, _digest in bridge.intake.kept] == [BODY] * 3


async def test_a_body_that_comes_whole_is_judged_like_any_other() -> None:
    limits = Limits(max_body=len(BODY))
    async with running(limits=limits) as bridge:
        assert (await exchange(bridge.port, post())).status == 200
        assert (await exchange(bridge.port, post(body=BODY + b" "))).status == 413
        crumbs = b"1\r\n \r\n" * 2000 + b"0\r\n\r\n"
    async with running() as bridge:
        answer = await exchange(bridge.port, post("/webhook", crumbs, "Transfer-Encoding: chunked"))
        assert (answer.status, "small chunks" in str(answer.document["detail"])) == (400, True)


async def test_posting_without_ever_reading_ends_too() -> None:
    async with running(limits=Limits(write_seconds=0.2, sweep_seconds=0.05)) as bridge, deaf(bridge.port) as sender:
        with contextlib.suppress(ConnectionError):
            await flood(sender)
        assert bridge.intake.kept
        assert bridge.listener.open_connections == 0


@pytest.mark.parametrize("cut", [0, 1])
async def test_no_more_is_read_of_a_sender_that_does_not_wait_for_answers_than_is_in_hand(cut: int) -> None:
    """After a body that came in pieces too, which makes aiohttp miscount."""
    async with running() as bridge, wire(bridge.port) as connection:
        for piece in (post()[:-cut], post()[-cut:]) if cut else (post(),):
            await connection.send(piece)
            await asyncio.sleep(0.02)
        assert (await connection.answer()).status == 200
        bridge.intake.wait = asyncio.Event()
        (transport,) = bridge.listener._runner.watched._open.values()
        await connection.send(post() * 100)
        async with asyncio.timeout(30):
            while transport.is_reading():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        bridge.intake.wait.set()
        assert [(await connection.answer()).status for _ in range(100)] == [200] * 100


@contextlib.asynccontextmanager
async def deaf(port: int) -> AsyncIterator[socket.socket]:
    """A connection whose answers nobody reads, and few fit in."""
    with socket.socket() as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sender, ("127.0.0.1", port))
        yield sender


async def flood(sender: socket.socket) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(sender, post() * 100)


async def test_an_answer_to_a_sender_that_has_gone_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as bridge:
        bridge.intake.wait = asyncio.Event()
        async with wire(bridge.port) as connection:
            await connection.send(post())
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        assert bridge.listener.open_connections == 0
        bridge.intake.wait.set()
        assert (await exchange(bridge.port, post())).status == 200
        assert len(bridge.intake.kept) == 2
    assert not caplog.records
