"""What a database knows of alerts that are only supposed: which fire already, what inhibits them, which incident they would
join.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from bridge.domain.alert import Alert
from bridge.routing.inhibition import Inhibition, Side
from bridge.storage import alert_views, alerts, deliveries, incidents, muting, timers
from bridge.storage.alerts import KnownAlert
from bridge.storage.incidents import Incident, Member
from bridge.storage.muting import Inhibitors, Pair
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx

_PAGE = 1000

Group = tuple[str, str, str]
"""(source, route, group's hash)."""

Key = tuple[str, str, str]
"""An alert's: (source, org, fingerprint)."""


class Source(Struct, frozen=True):
    """A firing alert that inhibits others."""

    fingerprint: str
    labels: Mapping[str, str]


class Joined(Struct, frozen=True):
    """An open incident: `heard` are the channels that were told of a firing or are just being told, `tick` the next look at
    it, if any is due.
    """

    incident: Incident
    members: tuple[Member, ...]
    heard: tuple[str, ...]
    tick: Timer | None


class State(Struct, frozen=True):
    """`numbers` are those of the supposed alerts that are known, by key; `sources` are by number, `joined` by incident.
    `of_group` is the open incident of a group, `of_alert` those in which an alert fires.
    """

    inhibitors: Mapping[Pair, Inhibitors] = {}
    sources: Mapping[int, Source] = {}
    numbers: Mapping[Key, int] = {}
    joined: Mapping[str, Joined] = {}
    of_group: Mapping[Group, str] = {}
    of_alert: Mapping[Key, tuple[str, ...]] = {}

    def inhibitor(self, alert: Alert, side: Side) -> Source | None:
        """A stored alert other than this one that inhibits it by this rule."""
        found = self.inhibitors.get((side.rule, side.equals))
        number = found.other_than(self.numbers.get(alert.key, 0), plain=side.both) if found else None
        return self.sources.get(number) if number is not None else None


async def known(tx: Tx, supposed: Collection[Alert]) -> dict[Key, KnownAlert]:
    """What is known of the alerts themselves."""
    found = {alert.key: await alerts.known(tx, alert.key) for alert in supposed}
    return {key: known for key, known in found.items() if known is not None}


async def load(
    tx: Tx,
    inhibition: Inhibition,
    supposed: Collection[Alert],
    numbers: Mapping[Key, int],
    groups: Collection[Group],
    staying: Collection[Key],
    *,
    adopted: bool,
) -> State:
    """What is known of what is around them. `groups` are those that alerts would enter, `staying` the alerts that are in
    incidents already. `adopted`: the database keeps by these rules what inhibits; where it may not, everything that fires
    is asked.
    """
    pairs = {(side.rule, side.equals) for alert in supposed for side in inhibition.targets(alert.labels)}
    inhibitors = await (muting.inhibitors(tx, pairs) if adopted else _asked(tx, inhibition, pairs))
    wanted = {number for found in inhibitors.values() for number in _numbers(found)}
    firing = await alert_views.firing(tx, wanted) if wanted else {}
    of_group, of_alert, joined = {}, {}, {}
    for group in groups:
        incident = await incidents.open_in_group(tx, *group)
        if incident is not None:
            of_group[group] = incident.id
            joined[incident.id] = await _joined(tx, incident)
    for key in staying:
        of_alert[key] = tuple(await incidents.with_firing(tx, numbers[key]))
        for name in of_alert[key]:
            incident = None if name in joined else await incidents.get(tx, name)
            if incident is not None:
                joined[name] = await _joined(tx, incident)
    sources = {number: Source(found.fingerprint, found.labels) for number, found in firing.items()}
    return State(inhibitors, sources, numbers, joined, of_group, of_alert)


async def _joined(tx: Tx, incident: Incident) -> Joined:
    members = tuple(await incidents.members(tx, incident.id))
    heard = await incidents.channels_told_of_firing(tx, incident.id)
    heard += [channel for _id, channel, _reason, _leased in await deliveries.queued_of_incident(tx, incident.id)]
    return Joined(incident, members, tuple(heard), await timers.group_of(tx, incident.id))


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
