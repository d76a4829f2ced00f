"""What is kept from people: which alerts inhibit others, and what an incident's alerts are hidden by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec import Struct

from bridge.storage.text import unpack
from bridge.storage.transaction import Tx

Pair = tuple[str, str]
"""(rule, what its `equal` labels are)."""


class Inhibitors(Struct, frozen=True):
    """The sources of one pair: the first and the last by number; and of those that are no targets of the rule themselves."""

    first: int
    last: int
    plain_first: int | None
    plain_last: int | None

    def other_than(self, alert: int, *, plain: bool) -> int | None:
        """A source that is not this alert; `plain` asks for one that is no target."""
        pair = (self.plain_first, self.plain_last) if plain else (self.first, self.last)
        return next((found for found in pair if found is not None and found != alert), None)


class Hiding(Struct, frozen=True):
    """What is to be kept of an alert in an incident; fields as in `Member`."""

    alert: int
    planned: str
    hidden: str
    hidden_by: str


async def add_inhibitor(tx: Tx, pair: Pair, alert: int, fingerprint: str, *, both: bool) -> None:
    """A firing alert is a source of a rule; `both` says that it is a target of it, too."""
    await tx.run("inhibitor_add", *pair, alert, fingerprint, int(both))


async def drop_inhibitor(tx: Tx, alert: int) -> bool:
    """The alert ended; whether it was a source of any rule."""
    return await tx.run("inhibitors_delete", alert) > 0


async def forget_ended(tx: Tx) -> None:
    """Drop sources that do not fire any more: nobody dropped them while no rule asked for any."""
    await tx.run("inhibitors_of_ended")


async def inhibitors(tx: Tx, pairs: Collection[Pair]) -> dict[Pair, Inhibitors]:
    """The sources of these pairs, where there are any."""
    if not pairs:
        return {}
    rows = await tx.all("inhibitors_find", msgspec.json.encode(sorted(pairs)).decode())
    return {(row[0], row[1]): Inhibitors(*row[2:]) for row in rows}


async def firing_page(tx: Tx, after: int, limit: int) -> list[tuple[int, str, Mapping[str, str]]]:
    """(id, fingerprint, labels) of what fires and is no page by hand, hooks' labels among them, by id."""
    rows = await tx.all("alerts_firing_page", after, limit)
    return [(row[0], row[1], {**unpack(row[2]), **unpack(row[3])}) for row in rows]


async def still_firing(tx: Tx, alerts: Sequence[int]) -> set[int]:
    """Those of these alerts that fire."""
    return {row[0] for row in await tx.all("alerts_still_firing", msgspec.json.encode(alerts).decode())}


async def hide(tx: Tx, incident: str, found: Sequence[Hiding]) -> None:
    await tx.many(
        "incident_alert_plan", [(one.planned, one.hidden, one.hidden_by, incident, one.alert) for one in found]
    )


async def hidden_by(tx: Tx, by: str) -> list[str]:
    """Ids of the incidents with alerts that are hidden by this."""
    return [row[0] for row in await tx.all("incidents_hidden_by", by)]


async def with_hidden(tx: Tx, after: str, limit: int) -> list[str]:
    """Ids of incidents with hidden alerts, in order, beyond `after`."""
    return [row[0] for row in await tx.all("incidents_with_hidden", after, limit)]


async def withdraw(tx: Tx, incident: str, alerts: Collection[int]) -> None:
    """What was told of these firings is to be told anew; their end is to be told as before."""
    await tx.many("told_withdraw", [(incident, alert) for alert in alerts])


async def silence_firing(tx: Tx, silence: str, alerts: Sequence[int]) -> list[str]:
    """Hide these firing alerts wherever they are shown; the incident of each, once for each alert.

    What is shown was planned to be told, though that is not written where nothing waits for ticks.
    """
    return [row[0] for row in await tx.all("incident_alerts_silence", silence, msgspec.json.encode(alerts).decode())]
