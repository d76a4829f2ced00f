"""Fire drills: when each is next, the one that is under way, and how the last ones went."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.storage.transaction import Row, Tx

_KEPT = 100


class Planned(Struct, frozen=True):
    """`next_at` is when the next window begins, None if none does. `run` is the id of the test under way, begun at
    `began_at`; empty for none. `timer` looks at it, 0 for none.
    """

    name: str
    next_at: datetime | None = None
    run: str = ""
    began_at: datetime | None = None
    timer: int = 0


class Result(Struct, frozen=True):
    """How one went: `passed`, `failed` or `missed`. The times are in milliseconds since its beginning, -1 for never."""

    run: str
    name: str
    at: datetime
    outcome: str
    delivered_ms: int = -1
    acknowledged_ms: int = -1
    detail: str = ""


async def add(tx: Tx, planned: Planned) -> None:
    await tx.run("drill_add", planned.name, *_values(planned))


async def put(tx: Tx, planned: Planned) -> None:
    """Keep everything that can change."""
    await tx.run("drill_put", *_values(planned), planned.name)


async def get(tx: Tx, name: str) -> Planned | None:
    row = await tx.one("drill_get", name)
    return None if row is None else _planned(row)


async def every(tx: Tx) -> list[Planned]:
    """All there are, by name."""
    return [_planned(row) for row in await tx.all("drills_all")]


async def drop(tx: Tx, name: str) -> None:
    """What came of it stays."""
    await tx.run("drill_drop", name)


async def keep(tx: Tx, result: Result) -> None:
    """Add a result, and forget the oldest of its drill if there are very many."""
    await tx.run(
        "drill_result_add", result.run, result.name, micros(result.at), result.outcome, result.delivered_ms,
        result.acknowledged_ms, result.detail,
    )  # fmt: skip
    await tx.run("drill_results_prune", result.name, result.name, _KEPT)


async def results(tx: Tx, name: str, limit: int) -> list[Result]:
    """How the last ones went, the newest first."""
    rows = await tx.all("drill_results", name, limit)
    return [Result(row[0], row[1], moment(row[2]), row[3], row[4], row[5], row[6]) for row in rows]


def _values(planned: Planned) -> tuple[int | str | None, ...]:
    return (maybe_micros(planned.next_at), planned.run, maybe_micros(planned.began_at), planned.timer)


def _planned(row: Row) -> Planned:
    return Planned(row[0], maybe_moment(row[1]), row[2], maybe_moment(row[3]), row[4])
