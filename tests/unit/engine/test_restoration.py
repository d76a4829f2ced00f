"""Restored mode: a database that is a copy resends rather than be silent, and says of what it tells that it may be stale."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Retryable
from bridge.domain.moment import micros
from bridge.engine.restoration import Restoration
from bridge.secrets.instance import InstanceKeys
from bridge.storage import backup, restoration
from bridge.storage.restoration import Restored
from tests.bridge_bench import START, Bench, Dial, engine, firing, resolved

TEXT = """
fallback: desk
channels:
  people: {type: console}
  pager: {type: console}
  desk: {type: console}
escalations:
  night: [{after: 5m, notify: [pager], repeat: {every: 5m, times: 3}}]
route:
  receiver: people
  hooks: [dedupe, {escalate: night}]
"""


class Copied:
    """A copy made at some moment, to be started on elsewhere."""

    def __init__(self, file: Path, clock: Dial) -> None:
        self.file = file
        self.clock = clock
        self.at = clock.now()

    @classmethod
    def of(cls, bench: Bench, folder: Path) -> Copied:
        file = folder / "copy.db"
        file.touch()
        backup.copy_file(folder / "bridge.db", file, lambda _done, _total: None)
        backup.take_note(file, micros(bench.clock.now()), "1", "bridge.db", shared=False)
        return cls(file, bench.clock)

    @asynccontextmanager
    async def restored(self, folder: Path, *, moved: bool = False, ready: bool = True) -> AsyncIterator[Bench]:
        """An engine started on the copy, in an empty folder."""
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        if ready:
            database = folder / "bridge.db"
            shutil.copyfile(self.file, database)
            shutil.copyfile(self.file.parent / "bridge.db.keys", folder / "bridge.db.keys")
            (folder / "bridge.db.keys").chmod(0o600)
            fact = restoration.written(Restored(micros(self.at), "copy.db", moved))
            backup.make_ready(database, restoration.FACT, fact, 0 if moved else micros(self.clock.now()))
        async with engine(folder, TEXT, self.clock) as bench:
            yield bench
        trust = Trust((), InstanceKeys.load(folder / "bridge.db.keys").verifiers)
        report = await asyncio.to_thread(verify, folder / "bridge.db", trust)
        assert [found.what for found in report.findings if "head file (.audit-head) is missing" not in found.what] == []


async def minutes(bench: Bench, number: float) -> None:
    """Pass the time with the sweeper's rounds in between."""
    again = Restoration(bench.transactions)
    for _round in range(round(number * 4)):
        bench.clock.turn(seconds=15)
        await again.step(bench.clock.now())
        await bench.settle()


def fails(message: Message, context: Context) -> Receipt | None:
    raise Retryable(FailureReason.NETWORK)


async def test_what_was_open_is_told_again_after_a_minute_and_marked_as_perhaps_stale(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Open"), firing("Open too"))
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(hours=3)
    async with copy.restored(tmp_path / "new") as bench:
        await bench.settle()
        assert bench.told() == []
        await minutes(bench, 1)
        assert [line for line in bench.told() if "people" in line] == ["people reminder"]
        [told] = [message for message in bench.sent if message.channel == "people"]
        assert "restored from what it knew at 2026-03-01 12:00:00 UTC" in told.note
        assert "may be over already" in told.note
        await minutes(bench, 3)
        assert [line for line in bench.told() if "people" in line] == ["people reminder"]


async def test_what_resolves_in_that_minute_is_told_as_resolved_and_nothing_else(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Over"))
        copy = Copied.of(bench, tmp_path)
        end = bench.clock.turn(hours=3)
    async with copy.restored(tmp_path / "new") as bench:
        await minutes(bench, 0.75)
        await bench.post(resolved("Over", end=end))
        await minutes(bench, 10)
        assert bench.told() == ["people resolved"]


async def test_what_its_sender_repeats_in_that_minute_is_told_once_and_is_not_stale(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Still"))
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(minutes=10)
    async with copy.restored(tmp_path / "new") as bench:
        await bench.post(firing("Still"))
        await minutes(bench, 2)
        reminders = [message for message in bench.sent if message.channel == "people"]
        assert [message.note for message in reminders] == [""]


async def test_what_somebody_had_acknowledged_stays_quiet(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Known"))
        [found] = (await bench.operator.incidents()).incidents
        await bench.operator.acknowledge(found.id, "alice", bench.clock.now())
        await bench.settle()
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(hours=3)
    async with copy.restored(tmp_path / "new") as bench:
        await minutes(bench, 10)
        assert bench.told() == []


async def test_what_waited_in_an_old_copy_is_sent_and_not_given_up(tmp_path: Path) -> None:
    keys: list[str] = []

    def note(message: Message, context: Context) -> Receipt | None:
        keys.append(context.idempotency_key)
        raise Retryable(FailureReason.NETWORK)

    async with engine(tmp_path, TEXT) as bench:
        bench.answers["people"] += [note]
        await bench.post(firing("Waits"))
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(days=5)
    async with copy.restored(tmp_path / "new") as bench:
        bench.answers["people"] += [note]
        await bench.settle()
        await bench.pass_time(seconds=5)
        assert "people opened" in bench.told()
        assert "desk" not in " ".join(bench.told())
        assert len(keys) == 2
        assert len(set(keys)) == 1  # whoever got it before the copy was lost knows it again


async def test_no_message_gets_the_key_of_one_that_was_sent_after_the_copy_was_made(tmp_path: Path) -> None:
    """A receiver that knows messages by their keys would take the end for the change it was told of before."""
    keys: list[str] = []

    def note(message: Message, context: Context) -> Receipt | None:
        keys.append(context.idempotency_key)
        return None

    async with engine(tmp_path, TEXT) as bench:
        bench.answers["people"] += [note] * 100
        await bench.post(firing("Before"))
        copy = Copied.of(bench, tmp_path)
        await bench.post(firing("Before", instance="b"))
        assert bench.told() == ["people opened", "people changed"]
        end = bench.clock.turn(minutes=1)
    async with copy.restored(tmp_path / "new") as bench:
        bench.answers["people"] += [note] * 100
        await bench.post(resolved("Before", end=end))
        assert bench.told() == ["people resolved"]
        assert len(keys) == len(set(keys)) == 3


async def test_overdue_escalations_wait_for_the_minute_and_are_taken_once(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Steps"))
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(hours=3)
    async with copy.restored(tmp_path / "new") as bench:
        await bench.settle()
        assert bench.told() == []
        await minutes(bench, 1)
        assert bench.told().count("pager escalated") == 1
        await minutes(bench, 4)
        assert bench.told().count("pager escalated") == 1
        await minutes(bench, 1)
        assert bench.told().count("pager escalated") == 2


async def test_an_acknowledgement_in_the_minute_stops_all_of_it(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Taken"))
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(hours=3)
    async with copy.restored(tmp_path / "new") as bench:
        [found] = (await bench.operator.incidents()).incidents
        await bench.operator.acknowledge(found.id, "alice", bench.clock.now())
        await minutes(bench, 10)
        assert bench.told() == []


async def test_a_crash_while_they_are_told_again_costs_none_of_them(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        for number in range(230):
            await bench.accept(firing(f"Open {number}"))
        await bench.settle()
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(hours=3)
    async with copy.restored(tmp_path / "new") as bench:
        bench.clock.turn(seconds=60)
        await Restoration(bench.transactions).step(bench.clock.now())
        bench.clock.turn(seconds=1)
    async with copy.restored(tmp_path / "new", ready=False) as bench:
        await minutes(bench, 2)
        told = [message.group_labels["alertname"] for message in bench.sent if message.channel == "people"]
        assert len(told) == len(set(told)) == 230
        kinds = [kind for kind, _reason, _channel in await bench.audit()]
        assert kinds.count("restored") == 1


async def test_the_restore_is_on_record_and_what_is_said_names_the_time(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Open"))
        copy = Copied.of(bench, tmp_path)
    async with copy.restored(tmp_path / "new") as bench:
        assert bench.trail is not None
        assert bench.trail.restored == "restored from a backup of 2026-03-01 12:00:00 UTC"
        assert ("restored", "backup", "") in await bench.audit()
    async with copy.restored(tmp_path / "new", ready=False) as bench:
        assert bench.trail is not None
        assert bench.trail.restored == ""


async def test_a_database_that_was_moved_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    async with engine(tmp_path, TEXT) as bench:
        await bench.post(firing("Open"))
        copy = Copied.of(bench, tmp_path)
        bench.clock.turn(minutes=2)
    async with copy.restored(tmp_path / "new", moved=True) as bench:
        assert bench.trail is not None
        assert bench.trail.restored == ""
        assert ("restored", "moved", "") in await bench.audit()
        await minutes(bench, 4)
        assert bench.told() == ["pager escalated"]


@pytest.mark.parametrize("what", ["swapped", "emptied"])
async def test_an_older_file_put_in_the_place_of_the_database_is_noticed_and_treated_alike(
    tmp_path: Path, what: str
) -> None:
    keys: list[str] = []

    def note(message: Message, context: Context) -> Receipt | None:
        keys.append(context.idempotency_key)
        return None

    async with engine(tmp_path, TEXT) as bench:
        bench.answers["people"] += [note] * 100
        assert bench.trail is not None
        await bench.post(firing("Open"))
        await bench.trail.checkpoint(bench.clock.now())
        copy = Copied.of(bench, tmp_path)
        await bench.post(firing("Forgotten"))
        await bench.trail.checkpoint(bench.clock.now())
        clock = bench.clock
    clock.turn(hours=1)
    if what == "swapped":
        shutil.copyfile(copy.file, tmp_path / "bridge.db")
    else:
        (tmp_path / "bridge.db").unlink()
    async with engine(tmp_path, TEXT, clock) as bench:
        bench.answers["people"] += [note] * 100
        assert bench.trail is not None
        assert "is not in the database as it was signed" in bench.trail.restored
        await bench.post(firing("New", at=START + timedelta(hours=1)))
        await minutes(bench, 1)
        again = ["people reminder"] if what == "swapped" else []
        assert [line for line in bench.told() if line.startswith("people")] == ["people opened", *again]
        assert len(keys) == len(set(keys))
