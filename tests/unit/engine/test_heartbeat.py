"""The heartbeat beats while all is well, and is silent while it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest

from bridge.domain.errors import FailureReason, Retryable
from bridge.domain.secret import Secret
from bridge.engine.generation import Heartbeat
from bridge.engine.heartbeat import Heartbeats
from bridge.net.outcome import Response
from bridge.observe.metrics import Metrics

URL = "https://beats.example.com/s3cret-token"


class World:
    """A configuration with a heartbeat, and the service that hears it."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.heard: list[tuple[str, str]] = []
        self.answers: list[int | Exception] = []
        self.heartbeat: Heartbeat | None = Heartbeat(Secret(URL), timedelta(minutes=1), timedelta(seconds=10))
        self.metrics = Metrics("0")
        self.http = self
        self.beats = Heartbeats(lambda: self, self.metrics, redact, lambda: self.seconds)  # type: ignore[arg-type,return-value]

    async def request(  # as the client's
        self,
        method: str,
        url: Secret,
        *,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109
    ) -> Response:
        assert headers == {"Cache-Control": "no-cache"}
        assert timeout == 10
        self.heard.append((method, url.reveal()))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return Response(answer, {}, b"")

    async def live(self, seconds: int, *, well: bool = True) -> int:
        """How many heartbeats came in that time."""
        before = len(self.heard)
        for _second in range(seconds):
            self.seconds += 1
            self.beats.step(well=well)
            for _turn in range(3):
                await asyncio.sleep(0)
        return len(self.heard) - before

    def counted(self, outcome: str) -> int:
        return int(self.metrics.registry.get_sample_value("alertbridge_heartbeats_total", {"outcome": outcome}) or 0)


def redact(text: str) -> str:
    return text.replace("s3cret", "***")


@pytest.fixture
def world() -> World:
    return World()


async def test_it_beats_once_a_minute_from_the_start(world: World) -> None:
    assert await world.live(1) == 1
    assert await world.live(59) == 0
    assert await world.live(120) == 2
    assert set(world.heard) == {("GET", URL)}
    assert world.counted("sent") == 3


async def test_it_is_silent_while_something_is_wrong_and_beats_soon_after(world: World) -> None:
    await world.live(1)
    assert await world.live(300, well=False) == 0
    assert world.counted("withheld") > 0
    assert await world.live(10) == 1
    assert all(url == URL for _method, url in world.heard)  # no other address is made up for what is wrong


@pytest.mark.parametrize(
    "answer", [500, 302, 404, Retryable(FailureReason.NETWORK, "s3cret refused"), RuntimeError("s3cret")]
)
async def test_one_that_does_not_arrive_is_a_trouble_until_one_does(world: World, answer: int | Exception) -> None:
    world.answers.append(answer)
    await world.live(1)
    assert world.beats.problem
    assert "s3cret" not in world.beats.problem
    assert await world.live(9) == 0
    assert await world.live(1) == 1
    assert world.beats.problem == ""
    assert (world.counted("failed"), world.counted("sent")) == (1, 1)


async def test_a_slow_service_gets_one_at_a_time(world: World) -> None:
    done = asyncio.Event()

    async def slow(*_arguments: object, **_options: object) -> Response:
        world.heard.append(("GET", URL))
        await done.wait()
        return Response(200, {}, b"")

    world.request = slow  # type: ignore[method-assign]
    assert await world.live(600) == 1
    done.set()
    assert await world.live(2) == 2 - 1


async def test_without_an_address_nothing_is_sent(world: World) -> None:
    world.heartbeat = None
    assert await world.live(120) == 0
    assert world.beats.problem == ""


async def test_an_address_that_does_not_open_is_a_trouble(world: World) -> None:
    world.heartbeat = Heartbeat(Secret(""), timedelta(minutes=1), timedelta(seconds=10), "the variable X is not set")
    assert await world.live(120) == 0
    assert world.beats.problem == "the variable X is not set"


async def test_after_the_stop_none_is_under_way(world: World) -> None:
    async def never(*_arguments: object, **_options: object) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    world.request = never  # type: ignore[method-assign]
    await world.live(1)
    await world.beats.stop()
    assert world.beats._task is None
