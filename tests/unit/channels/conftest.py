from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.net import Egress, HttpClient


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()
