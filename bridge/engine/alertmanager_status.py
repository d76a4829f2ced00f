"""What the bridge tells of itself where Alertmanager's clients ask: status and receivers."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Sequence
from datetime import datetime

from bridge.engine.alertmanager_config import alertmanager_yml, receivers_of
from bridge.engine.alertmanager_shapes import Cluster, Original, Peer, Receiver, Status, VersionInfo, as_time
from bridge.engine.transactions import Transactions
from bridge.observe.metrics import ALERTMANAGER_VERSION
from bridge.routing.matchers import Matcher, match_all
from bridge.storage.replicas import Replica

Present = Callable[[], Sequence[Replica]]
"""The bridges on a shared database, this one among them."""


class AlertmanagerStatus:
    """`version` is the bridge's own; clients are told the Alertmanager's that it behaves like. `present` is None alone."""

    def __init__(
        self,
        transactions: Transactions,
        started_at: datetime,
        version: str,
        own: str = "",
        present: Present | None = None,
    ) -> None:
        self._transactions = transactions
        self._started_at = started_at
        self._version = version
        self._own = own
        self._present = present
        self._original = ("", "")

    async def status(self) -> Status:
        return Status(
            cluster=self._cluster(),
            config=Original(await self._config()),
            uptime=as_time(self._started_at),
            version_info=VersionInfo(
                branch="alertbridge",
                build_date="",
                build_user="alertbridge",
                go_version=f"python{platform.python_version()}",
                revision=f"alertbridge-{self._version}",
                version=ALERTMANAGER_VERSION,
            ),
        )

    def receivers(self, matchers: Sequence[Matcher]) -> list[Receiver]:
        """In the configuration's order; `matchers` are on the label `name`, the only one a receiver has."""
        names = receivers_of(self._transactions.generation().config)
        receivers = [Receiver(name, {"name": name}) for name in names]
        return [receiver for receiver in receivers if match_all(matchers, receiver.labels)]

    def _cluster(self) -> Cluster:
        if self._present is None:
            return Cluster("disabled", ())
        peers = sorted(replica.id for replica in self._present())
        return Cluster("ready", tuple(Peer("", name) for name in peers), self._own)

    async def _config(self) -> str:
        """Worked out once for each configuration, beside the loop: a large one takes a while."""
        generation = self._transactions.generation()
        if self._original[0] != generation.digest:
            self._original = (generation.digest, await asyncio.to_thread(alertmanager_yml, generation.config))
        return self._original[1]
