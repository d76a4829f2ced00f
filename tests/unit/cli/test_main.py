"""The command as a whole: names, exit codes, and no tracebacks for users."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bridge
from bridge.cli.main import _MODULES, app
from tests.unit.cli.command import alertbridge
from tests.unit.http.real import CONFIG, DYING

HEAVY = ("aiohttp", "yaml", "cryptography", "sqlite3", "msgspec", "jinja2", "rich", "prometheus_client")


async def test_version_is_said_in_text_and_in_json() -> None:
    assert (await alertbridge("version")).out == f"alertbridge {bridge.__version__}\n"
    assert (await alertbridge("version", "--json")).documents[0]["version"] == bridge.__version__


def test_asking_for_the_version_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['alertbridge', 'version']\ntry:\n from bridge.cli.main import main; main()\nfinally: print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(ran.stdout.split())


@pytest.mark.parametrize("command", sorted(_MODULES))
def test_every_command_explains_itself(command: str) -> None:
    ran = CliRunner().invoke(app, [command, "--help"])
    assert ran.exit_code == 0
    assert "Usage" in ran.stdout


async def test_a_channel_is_tried_without_a_running_bridge(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yml"
    path.write_text(CONFIG.format(folder=tmp_path, channel="{type: console}"))
    ran = await alertbridge("send", "nowhere", "--config", str(path))
    assert ran.code == 0, ran.err
    assert "TEST" in ran.out
    path.write_text(CONFIG.format(folder=tmp_path, channel=DYING))
    ran = await alertbridge("send", "nowhere", "--config", str(path))
    assert (ran.code, "refused" in ran.err) == (1, True)
    assert (await alertbridge("send", "other", "--config", str(path))).code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("version", "--nothing"),
        ("incidents", "nothing"),
        ("incidents", "show"),
        ("incidents", "list", "--limit", "0"),
        ("incidents", "list", "--url", "ftp://x"),
        ("incidents", "list", "--url", "nothing"),
        ("incidents", "list", "--url", "http://user:hunter2@localhost"),
        ("deliveries", "retry"),
        ("fire",),
        ("fire", "a=b", "c"),
        ("fire", "a="),
        ("fire", "a=b", "--annotation", "c"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 2
    assert "Traceback" not in ran.stderr
    assert ran.stderr


@pytest.mark.parametrize("arguments", [("incidents", "list"), ("deliveries", "retry", "1"), ("fire", "A")])
async def test_a_bridge_that_is_not_there_is_3(arguments: tuple[str, ...]) -> None:
    ran = await alertbridge(*arguments, "--url", "http://127.0.0.1:1/hunter2", "--token", "hunter3")
    assert ran.code == 3
    assert ran.err.startswith("alertbridge: no answer from http://127.0.0.1:1: Connection refused")
    assert "hunter" not in ran.err


async def test_something_that_is_no_bridge_is_3() -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        ran = await alertbridge("incidents", "list", ALERTBRIDGE_URL=f"http://127.0.0.1:{port}")
    assert ran.code == 3
    assert "does not answer like a bridge" in ran.err


async def test_a_redirect_is_not_followed_and_the_token_stays_here() -> None:
    seen: list[bytes] = []

    async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        where = f"http://localhost:{writer.get_extra_info('sockname')[1]}/other".encode()
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: " + where + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirecting, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ran = await alertbridge("incidents", "list", "--url", url, ALERTBRIDGE_TOKEN="t0ken")
    assert ran.code == 1
    assert len(seen) == 1
    assert b"Authorization: Bearer t0ken" in seen[0]


@pytest.mark.parametrize("arguments", [("serve",), ("send", "console"), ("check",), ("routes", "show")])
async def test_a_configuration_that_is_not_there_is_3(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ran = await alertbridge(*arguments, "--config", str(tmp_path / "nothing"))
    assert ran.code == 3
    assert "nothing" in ran.out + ran.err


async def test_a_configuration_that_does_not_validate_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yml"
    path.write_text("channels: {a: {type: nothing}}\nroute: {receiver: a}\n")
    ran = await alertbridge("serve", "--config", str(path))
    assert ran.code == 1
    assert f"{path}:1:" in ran.err
    assert "Traceback" not in ran.err


async def test_a_running_bridge_keeps_its_memory_to_itself_and_stops_when_told(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yml"
    path.write_text(CONFIG.format(folder=tmp_path, channel=DYING))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "serve", "--config", str(path), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        line = b""
        while b'"started"' not in line:
            line = await process.stderr.readline()
            assert line, "it ended"
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        await process.stderr.read()
        assert await process.wait() == 0
