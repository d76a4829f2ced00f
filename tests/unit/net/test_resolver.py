"""Names that do not resolve, and what they may cost the others."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator

import pytest

from bridge.net.resolver import ThreadedResolver


class Names:
    """A system resolver in which every name but one hangs."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = threading.Event()

    def __call__(self, host: str, *_args: object, **_more: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        if host != "good.example":
            self.release.wait(30)
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, 0, 0, "", ("192.0.2.1", 443))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.release.set()


async def test_a_name_that_hangs_takes_one_thread_however_often_it_is_asked_for(names: Names) -> None:
    resolver = ThreadedResolver(timeout=0.01)
    for _ in range(5):
        with pytest.raises(OSError, match="no answer within"):
            await resolver.resolve("dead.example", 443)
    assert names.asked == ["dead.example"]
    await resolver.close()


async def test_a_lookup_that_fails_when_nobody_waits_any_more_is_no_error(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    resolver = ThreadedResolver(timeout=0.01)
    with pytest.raises(OSError, match="no answer within"):
        await resolver.resolve("dead.example", 443)
    (lookup,) = resolver._lookups.values()
    ended = asyncio.Event()
    lookup.add_done_callback(lambda _lookup: ended.set())
    names.release.set()
    await ended.wait()
    del lookup
    gc.collect()
    assert not caplog.records
    await resolver.close()


async def test_twenty_names_that_hang_do_not_delay_another(names: Names) -> None:
    resolver = ThreadedResolver(timeout=5.0)
    waiting = [asyncio.create_task(resolver.resolve(f"dead-{number}.example", 443)) for number in range(20)]
    await asyncio.sleep(0)
    found = await resolver.resolve("good.example", 443)
    assert [entry["host"] for entry in found] == ["192.0.2.1"]
    assert not any(task.done() for task in waiting)
    names.release.set()
    assert all(isinstance(error, OSError) for error in await asyncio.gather(*waiting, return_exceptions=True))
    await resolver.close()


async def test_a_name_that_was_given_up_is_asked_for_again_once_its_lookup_has_ended(names: Names) -> None:
    resolver = ThreadedResolver(timeout=5.0)
    first, second = (asyncio.create_task(resolver.resolve("dead.example", 443)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    names.release.set()
    with pytest.raises(OSError, match="no such name"):
        await second
    with pytest.raises(OSError, match="no such name"):
        await resolver.resolve("dead.example", 443)
    assert names.asked == ["dead.example"] * 2
    await resolver.close()
