"""One connection after the other: what is reused, what is repeated, and what is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.domain.errors import FailureReason, Retryable
from bridge.net import Egress, HttpClient
from tests.simulators.raw import serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(Egress())
    yield made
    await made.close()


class Stale:
    """Answers the first request of its first connection, and closes it when the second one comes."""

    def __init__(self) -> None:
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        first = self.connections == 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)
            if first:
                await reader.readuntil(b"\r\n\r\n")
                return


async def test_a_connection_that_closes_under_a_request_costs_nothing_where_repeating_it_does_no_harm(
    client: HttpClient,
) -> None:
    service = Stale()
    async with serving(service) as port:
        for _ in range(3):
            assert (await client.request("PUT", f"http://127.0.0.1:{port}/")).status == 200
    assert service.connections == 2


async def test_a_post_is_not_repeated_by_itself(client: HttpClient) -> None:
    service = Stale()
    async with serving(service) as port:
        await client.request("POST", f"http://127.0.0.1:{port}/")
        with pytest.raises(Retryable) as caught:
            await client.request("POST", f"http://127.0.0.1:{port}/")
    assert caught.value.unknown
    assert service.connections == 1


async def test_a_service_that_always_closes_is_asked_twice_at_most(client: HttpClient) -> None:
    connections = 0

    async def close(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")

    async with serving(close) as port:
        with pytest.raises(Retryable) as caught:
            await client.request("GET", f"http://127.0.0.1:{port}/")
    assert (connections, caught.value.unknown) == (2, True)


async def test_an_answer_that_nobody_asked_for_is_no_answer_to_the_next_request(client: HttpClient) -> None:
    """A late second answer must not be taken for that of the next message, whose own might be a refusal."""
    connections = 0
    talk = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if connections > 1:
            writer.write(b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(OK)
        await talk.wait()
        writer.write(OK)
        await reader.read()

    async with serving(answer) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await client.request("POST", url)).status == 200
        talk.set()
        ((kept, _since),) = next(iter(client._pools[()]._connector._conns.values()))
        while not kept.should_close:  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0.001)
        assert (await client.request("POST", url)).status == 503


async def test_a_service_that_answers_before_it_has_read_the_body_gets_no_further_request_on_that_connection(
    client: HttpClient,
) -> None:
    connections = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(refuse) as port:
        for _ in range(2):
            answer = await client.request("POST", f"http://127.0.0.1:{port}/", body=b"x" * 30_000_000)
            assert answer.status == 413
    assert connections == 2


async def test_interim_answers_are_not_the_answer(client: HttpClient) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\nX-Last: yes\r\n\r\n")

    async with serving(answer) as port:
        for _ in range(2):
            response = await client.request("POST", f"http://127.0.0.1:{port}/")
            assert (response.status, response.headers["x-last"], response.body) == (204, "yes", b"")


async def test_interim_answers_without_end_are_no_answer_in_time(client: HttpClient) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.001)

    async with serving(never) as port:
        with pytest.raises(Retryable) as caught:
            await client.request("POST", f"http://127.0.0.1:{port}/", timeout=0.1)
    assert (caught.value.reason, caught.value.unknown) == (FailureReason.TIMEOUT, True)


async def test_an_answer_to_head_has_no_body_whatever_its_length_says(client: HttpClient) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    async with serving(answer) as port:
        for _ in range(2):
            response = await client.request("HEAD", f"http://127.0.0.1:{port}/")
            assert (response.status, response.body, response.complete) == (200, b"", True)
    assert connections == 1


async def test_a_service_that_says_it_will_close_is_not_asked_again_on_that_connection(client: HttpClient) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()

    async with serving(answer) as port:
        for _ in range(2):
            assert (await client.request("POST", f"http://127.0.0.1:{port}/")).body == b"ok"
    assert connections == 2


async def test_an_answer_without_a_length_ends_with_its_connection(client: HttpClient) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with serving(answer) as port:
        response = await client.request("POST", f"http://127.0.0.1:{port}/")
    assert (response.body, response.complete) == (b"all of it", True)
