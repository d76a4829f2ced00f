"""The checks of channels, overload and storms find the bugs that are planted in the bridge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from tests.faults import (
    test_channels_that_fail,
    test_channels_that_hang,
    test_channels_that_lie,
    test_channels_that_limit,
    test_overload,
    test_storms,
    witness,
)
from tests.faults.channel_bugs import BUGS
from tests.running_bridge import eventually

LIMITED = test_channels_that_limit.test_nobody_calls_before_the_permitted_instant_and_nothing_is_lost
Check = Callable[[Path], Awaitable[None]]
FOUND_BY: dict[str, Check] = {
    "heeds-no-pause": partial(LIMITED, in_flight=1, dated=False),
    "learns-no-pace": partial(LIMITED, in_flight=8, dated=False),
    "redirects-are-well": test_channels_that_lie.test_channels_that_lie_cost_little_are_found_out_and_catch_up,
    "every-failure-is-announced": test_channels_that_lie.test_channels_that_lie_cost_little_are_found_out_and_catch_up,
    "one-queue-for-all": test_channels_that_hang.test_a_slow_channel_delays_nobody_else_and_gets_everything_in_order,
    "bodies-without-end": test_overload.test_many_large_bodies_at_once_stay_within_their_memory,
    "no-descriptor-is-spared": test_overload.test_with_few_open_files_the_database_and_the_channels_come_first,
    "a-storm-swallows": partial(
        test_storms.test_people_read_a_handful_of_messages_and_machines_get_everything, killed=False
    ),
    "machines-are-people": partial(
        test_storms.test_people_read_a_handful_of_messages_and_machines_get_everything, killed=False
    ),
}
MODULES: tuple[ModuleType, ...] = (
    witness,
    test_channels_that_fail,
    test_channels_that_hang,
    test_channels_that_lie,
    test_channels_that_limit,
    test_overload,
    test_storms,
)


async def soon(check: object, within: float = 60.0) -> None:
    """What does not happen in time with a bug does not happen at all."""
    await eventually(check, min(within, 12.0))


@pytest.mark.parametrize("name", sorted(BUGS))
async def test_the_check_finds_the_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(witness, "PLANTED", name)
    for module in MODULES:
        monkeypatch.setattr(module, "eventually", soon)

    with pytest.raises(AssertionError):
        await FOUND_BY[name](tmp_path)
