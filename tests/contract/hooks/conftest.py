from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from bridge.hooks.registry import HookRegistry
from bridge.net import Egress, HttpClient
from tests.third_party.hooks.installing import OFFICE_HOURS, OWNERSHIP, install


@pytest.fixture(scope="session")
def registry(tmp_path_factory) -> Iterator[HookRegistry]:
    """The built-in hooks, one of a file, and one of an installed distribution."""
    site = tmp_path_factory.mktemp("site")
    install(OWNERSHIP, site)
    sys.path.insert(0, str(site))
    loaded = HookRegistry.load([OFFICE_HOURS])
    loaded.options_model("ownership")  # imported while it can be: other suites must not find it installed
    sys.path.remove(str(site))
    yield loaded
    del sys.modules["ownership"]


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()
