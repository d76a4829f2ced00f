"""What is asked under a key is done once: the key is noted with the deed, in one commit, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.domain.audit import Kind
from bridge.domain.errors import Conflict, NotFound
from bridge.engine.incident_acts import IncidentActs
from bridge.engine.once import Once, Repeated
from bridge.engine.work import Work
from bridge.storage import asked
from tests.bridge_bench import engine, firing


async def test_a_deed_and_its_key_are_committed_together(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        incident = (await bench.operator.incidents()).incidents[0].id
        acts = IncidentActs(Once(bench.transactions, "chat", "k"))
        await acts.acknowledge(incident, "alice", bench.clock.now())
        await bench.operator.unacknowledge(incident, "bob", bench.clock.now())
        with pytest.raises(Repeated):
            await acts.acknowledge(incident, "alice", bench.clock.now())
        assert (await bench.operator.incident(incident)).incident.state == "open"
        assert [kind for kind, _, _ in await bench.audit("acknowledged")] == ["acknowledged"]


async def test_what_broke_off_is_not_noted_and_may_be_asked_again(tmp_path: Path) -> None:
    async def breaks(work: Work) -> str:
        work.record(Kind.COMMENTED, actor="alice")
        raise RuntimeError("broken")

    async def holds(_work: Work) -> str:
        return "done"

    async with engine(tmp_path) as bench:
        with pytest.raises(RuntimeError):
            await Once(bench.transactions, "chat", "k").write(bench.clock.now(), breaks)
        assert await bench.audit("commented") == []
        assert await Once(bench.transactions, "chat", "k").write(bench.clock.now(), holds) == "done"


@pytest.mark.parametrize("error", [NotFound("none"), Conflict("taken", "bob")])
async def test_what_was_refused_is_noted(tmp_path: Path, error: NotFound | Conflict) -> None:
    async def refuses(_work: Work) -> str:
        raise error

    async with engine(tmp_path) as bench:
        with pytest.raises(type(error)) as raised:
            await Once(bench.transactions, "chat", "k").write(bench.clock.now(), refuses)
        assert raised.value is error
        with pytest.raises(Repeated):
            await Once(bench.transactions, "chat", "k").write(bench.clock.now(), refuses)


async def test_keys_of_another_channel_are_other_keys(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        now = bench.clock.now()
        assert await bench.transactions.write(now, lambda work: asked.first_time(work.tx, "chat", "k", now))
        assert await bench.transactions.write(now, lambda work: asked.first_time(work.tx, "pager", "k", now))
