"""What a database knows of alerts that are only supposed: which fire already, what inhibits them, which incident they would
join.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from bridge.domain.alert import Alert
from bridge.routing.inhibition import Inhibition, Side
from bridge.storage import alert_views, alerts, incidents, muting, timers
from bridge.storage.incidents import Incident, Member
from bridge.storage.muting import Inhibitors, Pair
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx

_PAGE = 1000

Group = tuple[str, str, str]
"""(source, route, group's hash)."""


class Source(Struct, frozen=True):
    """A firing alert that inhibits others."""

    fingerprint: str
    labels: Mapping[str, str]


class Joined(Struct, frozen=True):
    """An open incident: `heard` are the channels that were told of a firing, `tick` the next look at it, if any is due."""

    incident: Incident
    members: tuple[Member, ...]
    heard: tuple[str, ...]
    tick: Timer | None


class State(Struct, frozen=True):
    """`numbers` are those of the alerts that are known, by key; `sources` are by number."""

    inhibitors: Mapping[Pair, Inhibitors] = {}
    sources: Mapping[int, Source] = {}
    numbers: Mapping[tuple[str, str, str], int] = {}
    groups: Mapping[Group, Joined] = {}

    def inhibitor(self, alert: Alert, side: Side) -> Source | None:
        """A stored alert other than this one that inhibits it by this rule."""
        found = self.inhibitors.get((side.rule, side.equals))
        number = found.other_than(self.numbers.get(alert.key, 0), plain=side.both) if found else None
        return self.sources.get(number) if number is not None else None


async def load(
    tx: Tx, inhibition: Inhibition, supposed: Collection[Alert], groups: Iterable[Group], *, adopted: bool
) -> State:
    """Read it. `adopted`: the database keeps by these rules what inhibits; where it may not, everything that fires is asked."""
    known = {alert.key: await alerts.known(tx, alert.key) for alert in supposed}
    numbers = {key: found.id for key, found in known.items() if found is not None}
    pairs = {(side.rule, side.equals) for alert in supposed for side in inhibition.targets(alert.labels)}
    inhibitors = await (muting.inhibitors(tx, pairs) if adopted else _asked(tx, inhibition, pairs))
    wanted = {number for found in inhibitors.values() for number in _numbers(found)}
    firing = await alert_views.firing(tx, wanted) if wanted else {}
    sources = {number: Source(found.fingerprint, found.labels) for number, found in firing.items()}
    joined = {group: found for group in groups if (found := await _joined(tx, group)) is not None}
    return State(inhibitors, sources, numbers, joined)


async def _joined(tx: Tx, group: Group) -> Joined | None:
    incident = await incidents.open_in_group(tx, *group)
    if incident is None:
        return None
    members = tuple(await incidents.members(tx, incident.id))
    heard = tuple(await incidents.channels_told_of_firing(tx, incident.id))
    return Joined(incident, members, heard, await timers.group_of(tx, incident.id))


async def _asked(tx: Tx, inhibition: Inhibition, pairs: Collection[Pair]) -> dict[Pair, Inhibitors]:
    found: dict[Pair, list[tuple[int, bool]]] = {}
    after = 0
    while pairs and (page := await muting.firing_page(tx, after, _PAGE)):
        for number, _fingerprint, labels in page:
            for side in inhibition.sources(labels):
                if (side.rule, side.equals) in pairs:
                    found.setdefault((side.rule, side.equals), []).append((number, side.both))
        after = page[-1][0]
    return {pair: _inhibitors(sources) for pair, sources in found.items()}


def _inhibitors(sources: list[tuple[int, bool]]) -> Inhibitors:
    numbers = [number for number, _both in sources]
    plain = [number for number, both in sources if not both]
    return Inhibitors(min(numbers), max(numbers), min(plain, default=None), max(plain, default=None))


def _numbers(found: Inhibitors) -> set[int]:
    pairs = (found.first, found.last, found.plain_first, found.plain_last)
    return {number for number in pairs if number is not None}
