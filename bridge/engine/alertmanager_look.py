"""How one question to API v2 looks at firing alerts: where they go, and what keeps them from people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET

from bridge.domain.moment import micros
from bridge.engine.alertmanager_filters import AlertFilter
from bridge.engine.alertmanager_shapes import AlertStatus, GettableAlert, Named, as_time, micros_as_time
from bridge.engine.generation import Generation
from bridge.routing.inhibition import Side
from bridge.routing.matchers import match_all
from bridge.routing.silences import Silences
from bridge.routing.tree import find
from bridge.storage import alert_views, muting
from bridge.storage.alert_views import Firing
from bridge.storage.muting import Inhibitors, Pair
from bridge.storage.transaction import Tx

_NOBODY = Inhibitors(0, 0, None, None)


class Look:
    """Remembers what it learned of inhibitors as long as the question lasts."""

    def __init__(self, generation: Generation, silences: Silences, wanted: AlertFilter, now: datetime) -> None:
        self._root = generation.root
        self._inhibition = generation.inhibition
        self._silences = silences
        self._wanted = wanted
        self._now = now
        self._micros = micros(now)
        self._open_end = as_time(now + generation.config.resolve_timeout)
        self._inhibitors: dict[Pair, Inhibitors] = {}
        self._fingerprints: dict[int, str] = {}
        self._receivers: dict[tuple[str, ...], tuple[Named, ...]] = {}

    async def page(self, tx: Tx, ids: Sequence[int]) -> list[GettableAlert]:
        """Those of the alerts that fire and are asked for, in the order of `ids`."""
        return await self._shown(tx, ids, (), grouped=False)

    async def page_of_group(self, tx: Tx, ids: Sequence[int], mutes: tuple[str, ...]) -> list[GettableAlert]:
        """The same of a group, whose receiver is asked for and which these time intervals mute."""
        return await self._shown(tx, ids, mutes, grouped=True)

    async def _shown(self, tx: Tx, ids: Sequence[int], mutes: tuple[str, ...], *, grouped: bool) -> list[GettableAlert]:
        by_id = await alert_views.firing(tx, ids, self._are_asked_for)
        found = [alert for number in ids if (alert := by_id.get(number)) is not None and self._fires(alert)]
        inhibitors = await self._inhibitors_of(tx, found)
        shown = []
        for alert in found:
            receivers = tuple(route.receiver for route in find(self._root, alert.labels))
            if not grouped and not self._wanted.takes_receiver(receivers):
                continue
            status = self._status(alert, inhibitors.get(alert.id), mutes)
            if self._wanted.takes_status(status):
                shown.append(self._gettable(alert, receivers, status))
        return shown

    def _are_asked_for(self, labels: Mapping[str, str]) -> bool:
        return match_all(self._wanted.matchers, labels)

    def _fires(self, alert: Firing) -> bool:
        return alert.expires_at is None or alert.expires_at >= self._micros

    async def _inhibitors_of(self, tx: Tx, alerts: Sequence[Firing]) -> Mapping[int, str]:
        """The fingerprint of a firing source for each alert that has one."""
        if not self._inhibition:
            return {}
        targets = {alert.id: self._inhibition.targets(alert.labels) for alert in alerts}
        asked = {(side.rule, side.equals) for sides in targets.values() for side in sides} - self._inhibitors.keys()
        if asked:
            self._inhibitors |= dict.fromkeys(asked, _NOBODY) | await muting.inhibitors(tx, asked)
        sources = {number: self._source(number, sides) for number, sides in targets.items()}
        unnamed = {source for source in sources.values() if source} - self._fingerprints.keys()
        self._fingerprints |= await alert_views.fingerprints(tx, unnamed)
        return {
            number: self._fingerprints[source]
            for number, source in sources.items()
            if source and source in self._fingerprints
        }

    def _source(self, alert: int, sides: Sequence[Side]) -> int:
        """The first source of the first rule that mutes the alert, 0 if none does."""
        for side in sides:
            found = self._inhibitors[side.rule, side.equals]
            source = found.other_than(alert, plain=side.both) if found is not _NOBODY else None
            if source is not None:
                return source
        return 0

    def _status(self, alert: Firing, inhibitor: str | None, mutes: tuple[str, ...]) -> AlertStatus:
        silenced = tuple(silence.id for silence in self._silences.matching(alert.labels, self._now))
        inhibited = () if inhibitor is None else (inhibitor,)
        state = "suppressed" if silenced or inhibited or mutes else "active"
        return AlertStatus(state, silenced, inhibited, mutes)

    def _gettable(self, alert: Firing, receivers: tuple[str, ...], status: AlertStatus) -> GettableAlert:
        return GettableAlert(
            annotations=alert.annotations,
            ends_at=self._open_end if alert.expires_at is None else micros_as_time(alert.expires_at),
            fingerprint=alert.fingerprint,
            receivers=self._named(receivers),
            starts_at=micros_as_time(alert.starts_at),
            status=status,
            updated_at=micros_as_time(alert.last_seen),
            labels=alert.labels,
            generator_url=alert.generator_url or UNSET,
        )

    def _named(self, receivers: tuple[str, ...]) -> tuple[Named, ...]:
        found = self._receivers.get(receivers)
        if found is None:
            found = self._receivers[receivers] = tuple(map(Named, receivers))
        return found
