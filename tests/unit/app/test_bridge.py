"""One bridge in this process: reloads, readiness, and what it leaves behind."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.app import bridge as composed
from bridge.app.bridge import Bridge
from bridge.domain.errors import FailureReason, Retryable, StorageBusy, StorageError
from bridge.storage.transaction import Tx
from tests.bridge_bench import Dial
from tests.running_bridge import free_port
from tests.simulators.raw import serving
from tests.unit.net.certificates import Authority

MAIN = """
server: {{listen: "127.0.0.1:{port}"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels: {{people: {{type: console, timeout: 1s}}}}
route: {{receiver: people, name: "{name}"}}
"""


def write(folder: Path, name: str, port: int = 0) -> Path:
    path = folder / "main.yml"
    path.write_text(MAIN.format(port=port or free_port(), folder=folder, name=name))
    return path


@asynccontextmanager
async def running(path: Path, clock: Dial | None = None) -> AsyncIterator[Bridge]:
    bridge = await Bridge.start(path, clock or Dial(), fatal=lambda _error: None)
    try:
        yield bridge
    finally:
        await bridge.stop()


async def recorded(bridge: Bridge, kind: str) -> list[str]:
    """The digests of the records of a kind."""

    async def unit(tx: Tx) -> list[str]:
        return [row[11] for row in await tx.all("audit_since", 0, kind, kind, "", "", 1000)]

    return await bridge.transactions.read(unit)


async def test_a_reload_swaps_the_configuration_and_records_it_once(tmp_path: Path) -> None:
    async with running(write(tmp_path, "one")) as bridge:
        write(tmp_path, "two")
        assert await bridge.reload() == ()
        assert await bridge.reload() == ()
        assert bridge.config.route.id == "two"
        assert await recorded(bridge, "config_loaded") == [
            *(await recorded(bridge, "config_loaded"))[:1],
            bridge.config.digest,
        ]


async def test_of_reloads_that_come_at_once_the_last_text_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload that read an old text must not swap it in after a newer one, however long its reading took."""
    read_files = composed.read_files
    delays = [0.2, 0.0]

    def slower(*arguments: object) -> object:
        loaded = read_files(*arguments)
        import time

        time.sleep(delays.pop(0) if delays else 0)
        return loaded

    async with running(write(tmp_path, "one")) as bridge:
        monkeypatch.setattr(composed, "read_files", slower)
        write(tmp_path, "old")
        first = asyncio.create_task(bridge.reload())
        await asyncio.sleep(0.1)
        write(tmp_path, "new")
        await asyncio.gather(first, bridge.reload())
        assert bridge.config.route.id == "new"


async def test_a_reload_that_a_stop_overtakes_puts_nothing_after_the_record_of_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows it in its chain would look like a forgery."""
    read_files = composed.read_files
    stopped = threading.Event()

    def slow(*arguments: object) -> object:
        assert stopped.wait(60)
        return read_files(*arguments)

    async def sign(_now: object) -> None:
        stopped.set()
        assert await reload == ("the reload could not be recorded: the bridge is stopping",)

    async with running(write(tmp_path, "one")) as bridge:
        monkeypatch.setattr(composed, "read_files", slow)
        monkeypatch.setattr(bridge._trail, "checkpoint", sign)
        write(tmp_path, "two")
        reload = asyncio.create_task(bridge.reload())

    with closing(sqlite3.connect(tmp_path / "bridge.db")) as database:
        assert database.execute("SELECT kind FROM audit ORDER BY seq DESC").fetchone() == ("stopped",)


async def test_what_an_earlier_configuration_sent_with_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composed, "_RETIRE_AFTER", timedelta(seconds=-1))
    async with running(write(tmp_path, "one")) as bridge:
        first = bridge.transactions.generation().http
        for number in range(5):
            write(tmp_path, f"n{number}")
            await bridge.reload()
        (tmp_path / "main.yml").write_text("route: {receiver: nobody}")
        assert await bridge.reload()
        await asyncio.sleep(0.05)
        assert first._closed
        assert bridge._clients == {bridge.transactions.generation().http}


async def test_a_reload_trusts_the_authorities_that_the_system_has_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()

    authority = Authority(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(authority.issue("127.0.0.1"))
    async with serving(answer, context=server) as port, running(write(tmp_path, "one")) as bridge:

        async def post() -> int:
            sent = await bridge.transactions.generation().http.request("POST", f"https://127.0.0.1:{port}/", timeout=30)
            return sent.status

        with pytest.raises(Retryable) as caught:
            await post()
        assert caught.value.reason is FailureReason.TLS
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        write(tmp_path, "two")
        await bridge.reload()
        assert await post() == 204


async def test_a_reload_that_cannot_be_recorded_says_so_and_the_next_one_records_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_arguments: object) -> None:
        raise StorageBusy("full")

    async with running(write(tmp_path, "one")) as bridge:
        write(tmp_path, "two")
        with monkeypatch.context() as full:
            full.setattr(bridge.transactions, "write", busy)
            assert await bridge.reload() == ("the reload could not be recorded: full",)
        assert len(await recorded(bridge, "config_loaded")) == 1
        assert await bridge.reload() == ()
        assert (await recorded(bridge, "config_loaded"))[1:] == [bridge.config.digest]


async def test_a_bridge_that_nobody_sends_to_because_it_is_not_ready_finds_out_that_it_is(tmp_path: Path) -> None:
    """Behind a load balancer no request comes while `/-/ready` says no: the question itself must be the test."""
    async with running(write(tmp_path, "one")) as bridge:
        bridge.intake.healthy = False
        assert (await bridge.health()).ready
        bridge.intake.healthy = False
        bridge._database._closing = True
        assert not (await bridge.health()).ready
        bridge._database._closing = False


async def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither the lock nor a listener: the next start is as good as the first."""
    port = free_port()
    async with running(write(tmp_path, "one", port)):
        (tmp_path / "other").mkdir()
        with pytest.raises(OSError, match=str(port)):
            await Bridge.start(write(tmp_path / "other", "two", port), Dial(), fatal=lambda _error: None)
        with pytest.raises(StorageError, match="locked by process"):
            await Bridge.start(write(tmp_path, "three"), Dial(), fatal=lambda _error: None)
    async with running(write(tmp_path / "other", "two", port)) as bridge:
        assert (await bridge.health()).ready


async def test_after_the_stop_nothing_is_accepted_and_the_last_record_is_the_stop(tmp_path: Path) -> None:
    path = write(tmp_path, "one")
    async with running(path) as bridge:
        await bridge.stop()
        assert not (await bridge.health()).ready
    async with running(path) as bridge:
        assert len(await recorded(bridge, "stopped")) == 1
