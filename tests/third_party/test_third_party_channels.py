"""Channels of others: written against `bridge.channels.api` alone, found without a line of ours changed."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.channels.api import Context, FailureReason, Refused, Retryable
from bridge.channels.registry import ChannelRegistry
from bridge.domain.errors import ConfigError
from bridge.net import Egress, HttpClient
from tests.contract.channels.leaks import assert_no_secret
from tests.contract.channels.messages import NOW, message, resolved
from tests.simulators.server import Simulator

HERE = Path(__file__).parent
NTFY = HERE / "ntfy.py"
LAMP = HERE / "alertbridge-lamp"


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The distribution as an installer leaves it: the package, and its metadata with the entry points beside it."""
    project = tomllib.loads((LAMP / "pyproject.toml").read_text())["project"]
    shutil.copytree(LAMP / "alertbridge_lamp", tmp_path / "alertbridge_lamp")
    metadata = tmp_path / "alertbridge_lamp-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for group, e in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("alertbridge_lamp", None)


def context(http: HttpClient) -> Context:
    return Context(http=http, now=NOW, idempotency_key="key-1")


class TestAPluginFile:
    async def test_its_channel_is_built_from_options_and_tells(self, http: HttpClient) -> None:
        registry = ChannelRegistry.load([NTFY])
        async with Simulator() as service:
            service.next(200, '{"id": "abc123"}')
            given = {"type": "ntfy", "topic": "payments", "token": "canary", "url": service.url}
            options = registry.options_model("ntfy").model_validate(given)
            receipt = await registry.create("phone", options).send(message(), context(http))
        (request,) = service.requests
        assert json.loads(request.body)["title"] == message().title
        assert request.headers["Authorization"] == "Bearer canary"
        assert receipt.data == {"id": "abc123"}

    @pytest.mark.parametrize(("status", "kind"), [(503, Retryable), (403, Refused)])
    async def test_the_shared_client_gives_it_the_shared_outcomes(
        self, http: HttpClient, status: int, kind: type[Exception]
    ) -> None:
        registry = ChannelRegistry.load([NTFY])
        async with Simulator() as service:
            service.next(status, "canary")
            given = {"type": "ntfy", "topic": "payments", "token": "canary", "url": f"{service.url}/canary"}
            channel = registry.create("phone", registry.options_model("ntfy").model_validate(given))
            with pytest.raises(kind) as caught:
                await channel.send(message(), context(http))
        assert_no_secret(("canary",), caught.value)

    def test_its_secret_is_masked_like_any_other(self) -> None:
        model = ChannelRegistry.load([NTFY]).options_model("ntfy")
        options = model.model_validate({"type": "ntfy", "topic": "payments", "token": "canary"})
        assert "canary" not in repr(options) + options.model_dump_json()

    def test_its_options_refuse_what_they_do_not_know(self) -> None:
        model = ChannelRegistry.load([NTFY]).options_model("ntfy")
        with pytest.raises(ValueError, match="topik"):
            model.model_validate({"type": "ntfy", "topik": "payments"})

    def test_without_the_file_there_is_no_such_channel(self) -> None:
        with pytest.raises(ConfigError, match="ntfy"):
            ChannelRegistry.load().options_model("ntfy")


@pytest.mark.usefixtures("installed")
class TestADistribution:
    async def test_its_channel_is_found_by_its_entry_point_and_tells(self, http: HttpClient) -> None:
        registry = ChannelRegistry.load()
        async with Simulator() as service:
            options = registry.options_model("lamp").model_validate({"type": "lamp", "url": service.url})
            lamp = registry.create("office", options)
            await lamp.send(message(), context(http))
            await lamp.send(resolved(), context(http))
        assert [request.body for request in service.requests] == [b"red", b"green"]

    def test_it_is_not_imported_before_it_is_asked_for(self) -> None:
        registry = ChannelRegistry.load()
        assert "lamp" in registry.names()
        assert "alertbridge_lamp" not in sys.modules
        registry.options_model("lamp")
        assert "alertbridge_lamp" in sys.modules

    async def test_it_stands_under_the_same_egress_rules(self) -> None:
        registry = ChannelRegistry.load()
        strict = HttpClient(Egress(deny_private=True))
        options = registry.options_model("lamp").model_validate({"type": "lamp", "url": "http://127.0.0.1:9/colour"})
        with pytest.raises(Retryable) as caught:
            await registry.create("office", options).send(message(), context(strict))
        await strict.close()
        assert caught.value.reason is FailureReason.EGRESS_DENIED


@pytest.mark.parametrize("path", [NTFY, LAMP / "alertbridge_lamp/__init__.py"], ids=["file", "distribution"])
def test_two_modules_are_all_a_channel_has_to_know_of_the_bridge(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text()))
    known = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    assert {name for name in known if name.startswith("bridge")} == {"bridge.channels.api", "bridge.net"}
