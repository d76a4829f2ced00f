"""A claim on a shared database is a transaction: a busy channel makes few big ones, and waits for none of them long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.channels.api import Context, Receipt
from bridge.domain.message import Message
from tests.bridge_bench import Bench, firing
from tests.contract.replicas.bridges import bridges

TEXT = """
channels:
  people: {type: console, max_in_flight: 4}
route: {receiver: people}
"""


class Gate:
    """A channel whose messages each wait until one is let through."""

    def __init__(self, bench: Bench) -> None:
        self._through, self._ended = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self._of = bench.transactions.generation().channels["people"].channel
        assert self._of is not None
        self._send = self._of.send
        self._of.send = self.send  # type: ignore[method-assign]

    async def send(self, message: Message, context: Context) -> Receipt:
        await self._through.acquire()
        self._ended.release()  # whoever waits for it goes on when this attempt has nothing more to do
        return await self._send(message, context)

    async def let_through(self, bench: Bench, number: int) -> None:
        """Until so many more outcomes are recorded."""
        for _one in range(number):
            self._through.release()
        for _one in range(number):
            await self._ended.acquire()
        await bench.sender._results.settle()


@pytest.mark.parametrize("shared", [True, False])
async def test_a_busy_channel_claims_when_half_has_ended_or_some_time_has_passed(
    tmp_path: Path, postgres_url: str, *, shared: bool
) -> None:
    async with bridges(tmp_path, postgres_url if shared else "", 1, TEXT) as (bench,):
        gate = Gate(bench)
        for number in range(8):
            await bench.accept(firing(f"A{number}"))
        assert await bench.sender.step(bench.clock.now()) == 4
        await gate.let_through(bench, 1)
        assert await bench.sender.step(bench.clock.now()) == (0 if shared else 1)
        if shared:
            assert bench.sender._next(bench.clock.now()) > bench.clock.now()
            bench.clock.turn(seconds=0.06)
            assert await bench.sender.step(bench.clock.now()) == 1
        await gate.let_through(bench, 2)
        assert await bench.sender.step(bench.clock.now()) == 2
        for _rest in range(8):
            gate._through.release()
        await bench.sender.idle()
