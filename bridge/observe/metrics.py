"""Every metric of the bridge, in a registry of its own.

Label values come from the configuration or from closed sets, never from alerts, so their number is bounded. The hot
counters are plain numbers that a collector shows: the library's own take locks for every count.
"""

from __future__ import annotations

import hashlib
import platform
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bridge.observe.signs import Signs

ALERTMANAGER_VERSION = "0.34.0"
"""The Alertmanager whose behaviour is the reference here; karma reads it from `alertmanager_build_info`."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_HUMAN_SECONDS = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


class _Counts(Collector):
    """A counter kept as plain numbers, by label values; to be used from the event loop's thread alone."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._values: defaultdict[tuple[str, ...], int] = defaultdict(int)
        registry.register(self)

    def add(self, labels: tuple[str, ...], amount: int = 1) -> None:
        self._values[labels] += amount

    def set(self, labels: tuple[str, ...], amount: int) -> None:
        """Where somebody else counts."""
        self._values[labels] = amount

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class _Seconds(Collector):
    """A histogram kept as plain numbers, by label values; to be used from the event loop's thread alone."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._bounds = tuple(bounds)
        self._shown = [*map(floatToGoString, bounds), "+Inf"]
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        if not labels:
            self._begin(())
        registry.register(self)

    def observe(self, labels: tuple[str, ...], seconds: float) -> None:
        counts = self._counts.get(labels) or self._begin(labels)
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def _begin(self, labels: tuple[str, ...]) -> list[int]:
        self._sums[labels] = 0.0
        counts = self._counts[labels] = [0] * len(self._shown)
        return counts

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, counts in self._counts.items():
            buckets = list(zip(self._shown, accumulate(counts), strict=True))
            family.add_metric(labels, buckets, self._sums[labels])
        yield family


class Metrics:
    """The metrics of one process. Counting methods are cheap enough for every request and attempt.

    `version` is the bridge's own. Attributes without a method (`journal_pending`, `loop_lag_seconds`, …) are
    used as they are: `.set()`, `.observe()`, `.inc()`.
    """

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._webhooks = _Counts(
            "alertbridge_webhooks_received",
            "Webhook requests by source and outcome; an unknown source counts under the empty name.",
            ("source", "outcome"),
            registry,
        )
        self._callbacks = _Counts(
            "alertbridge_callbacks", "Requests of services in people's names.", ("channel", "outcome"), registry
        )
        self.links_forged = Counter("alertbridge_links_forged", "Links asked for that open nothing.", registry=registry)
        self._refused = _Counts(
            "alertbridge_requests_refused",
            "Requests that were refused for who asked; webhooks, callbacks and links have their own.",
            ("reason",),
            registry,
        )
        self._alerts = _Counts("alertbridge_alerts", "Alerts accepted.", ("source", "status"), registry)
        self._notifications = _Counts(
            "alertbridge_notifications", "Notifications planned.", ("route", "reason"), registry
        )
        self._suppressed = _Counts(
            "alertbridge_suppressed", "Notifications a hook dropped.", ("hook", "reason"), registry
        )
        self._attempts = _Counts(
            "alertbridge_delivery_attempts",
            "Attempts to deliver; reason is empty for those that succeeded.",
            ("channel", "outcome", "reason"),
            registry,
        )
        self.journal_pending = Gauge(
            "alertbridge_journal_pending", "Requests accepted but not yet planned.", registry=registry
        )
        self._delivery_seconds = _Seconds(
            "alertbridge_delivery_seconds", "Length of an attempt.", ("channel",), _SECONDS, registry
        )
        self._deliveries = Gauge(
            "alertbridge_deliveries", "Deliveries that have not ended.", ("channel", "state"), registry=registry
        )
        self._end_to_end_seconds = _Seconds(
            "alertbridge_end_to_end_seconds", "From accepted to sent.", (), _SECONDS, registry
        )
        self._incidents = Gauge(
            "alertbridge_incidents", "Incidents that are not resolved.", ("state",), registry=registry
        )
        self._time_to_acknowledge = Histogram(
            "alertbridge_time_to_acknowledge_seconds",
            "From the first opening of an incident, though it reopened, to its acknowledgement.",
            ("route",),
            buckets=_HUMAN_SECONDS,
            registry=registry,
        )
        self._time_to_resolve = Histogram(
            "alertbridge_time_to_resolve_seconds",
            "From the first opening of an incident, though it reopened, to its resolution.",
            ("route",),
            buckets=_HUMAN_SECONDS,
            registry=registry,
        )
        self._pages = _Counts(
            "alertbridge_pages",
            "Messages sent that call for somebody; person is empty for a channel that is nobody's.",
            ("channel", "person", "reason"),
            registry,
        )
        self.escalation_lag_seconds = Histogram(
            "alertbridge_escalation_lag_seconds",
            "How late an escalation step was taken.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.config_last_reload_successful = Gauge(
            "alertbridge_config_last_reload_successful",
            "1 if every configuration file was good the last time they were read.",
            registry=registry,
        )
        self._config_hash = Gauge(
            "alertbridge_config_hash", "48 bits of the SHA-256 of the configuration in force.", registry=registry
        )
        self._troubles = Gauge(
            "alertbridge_troubles", "What `/-/ready` names at this moment.", ("kind",), registry=registry
        )
        self._stage_still = Gauge(
            "alertbridge_stage_still_seconds", "Since a loop last turned.", ("stage",), registry=registry
        )
        self._queue_age = Gauge(
            "alertbridge_queue_age_seconds", "For how long the oldest has been due.", ("queue",), registry=registry
        )
        self.loop_lag_seconds = Histogram(
            "alertbridge_loop_lag_seconds", "How late the event loop was.", buckets=_LAGS, registry=registry
        )
        self._heartbeats = _Counts("alertbridge_heartbeats", "Outbound heartbeats.", ("outcome",), registry)
        self.signs = Signs(registry)
        self._drills = _Counts("alertbridge_drills", "Drills that this bridge saw end.", ("drill", "outcome"), registry)
        self.clock_jumps = Counter("alertbridge_clock_jumps", "Jumps of the machine's clock.", registry=registry)
        self.audit_records = Counter("alertbridge_audit_records", "Audit records written.", registry=registry)
        self.log_lines_dropped = Counter(
            "alertbridge_log_lines_dropped", "Lines the log did not take.", registry=registry
        )
        self._threads_left = Gauge(
            "alertbridge_workflow_threads_left", "Left behind, and running still.", ("workflow",), registry=registry
        )
        self._threads_left_ever = _Counts(
            "alertbridge_workflow_threads_left_behind", "Threads left behind.", ("workflow",), registry
        )
        self._write_build_info(version)

    def _write_build_info(self, version: str) -> None:
        ours = Gauge("alertbridge_build_info", "Always 1.", ("version", "python"), registry=self.registry)
        ours.labels(version, platform.python_version()).set(1)
        theirs = Gauge(
            "alertmanager_build_info",
            "Always 1; names the Alertmanager that this bridge answers like.",
            ("version", "revision", "branch", "goversion"),
            registry=self.registry,
        )
        theirs.labels(ALERTMANAGER_VERSION, f"alertbridge-{version}", "", "").set(1)

    def webhook(self, source: str, outcome: str) -> None:
        """One request: `outcome` is `accepted` or an `IngestReason`."""
        self._webhooks.add((source, outcome))

    def callback(self, channel: str, outcome: str) -> None:
        """One callback: `outcome` is `done`, `unchanged`, `ignored`, `forged`, `unreadable` or `unavailable`."""
        self._callbacks.add((channel, outcome))

    def refused(self, reason: str) -> None:
        """One request refused for who asked: `reason` is `wrong_token`, `no_token` or `forbidden`."""
        self._refused.add((reason,))

    def alerts(self, source: str, status: str, amount: int) -> None:
        """Alerts of one status in one accepted request."""
        self._alerts.add((source, status), amount)

    def notification(self, route: str, reason: str) -> None:
        """One notification planned."""
        self._notifications.add((route, reason))

    def suppressed(self, hook: str, reason: str) -> None:
        """One notification that a hook dropped."""
        self._suppressed.add((hook, reason))

    def attempt(self, channel: str, outcome: str, reason: str, seconds: float) -> None:
        """One attempt: `outcome` is `sent`, `retry`, `unknown` or `dead`; `reason` a FailureReason or empty."""
        self._attempts.add((channel, outcome, reason))
        self._delivery_seconds.observe((channel,), seconds)

    def end_to_end(self, seconds: float) -> None:
        """One notification was sent so long after its alerts were accepted."""
        self._end_to_end_seconds.observe((), seconds)

    def page(self, channel: str, people: Iterable[str], reason: str) -> None:
        """One message that calls for somebody was sent: it counts for each of those that it was for."""
        for person in people:
            self._pages.add((channel, person, reason))

    def time_to_acknowledge(self, route: str, seconds: float) -> None:
        """An incident was acknowledged so long after it opened."""
        self._time_to_acknowledge.labels(route).observe(seconds)

    def time_to_resolve(self, route: str, seconds: float) -> None:
        """An incident was resolved so long after it opened."""
        self._time_to_resolve.labels(route).observe(seconds)

    def set_deliveries(self, counts: Mapping[tuple[str, str], int]) -> None:
        """What has not ended, by (channel, state). What is not named has gone and disappears."""
        self._deliveries.clear()
        for labels, count in counts.items():
            self._deliveries.labels(*labels).set(count)

    def set_incidents(self, counts: Mapping[str, int]) -> None:
        """Incidents by state. `open`, `acknowledged` and `snoozed` are always shown."""
        for state in ("open", "acknowledged", "snoozed"):
            self._incidents.labels(state).set(counts.get(state, 0))

    def set_troubles(self, counts: Mapping[str, int]) -> None:
        """Troubles by kind. What is not named has gone and disappears."""
        self._troubles.clear()
        for kind, count in counts.items():
            self._troubles.labels(kind).set(count)

    def set_still(self, stage: str, seconds: float) -> None:
        """How long ago a loop turned."""
        self._stage_still.labels(stage).set(seconds)

    def set_queue_age(self, queue: str, seconds: float) -> None:
        """The oldest of a queue: `deliveries`, `requests`, `steps`."""
        self._queue_age.labels(queue).set(seconds)

    def heartbeat(self, outcome: str) -> None:
        """One heartbeat was `sent`, `failed`, or `withheld`."""
        self._heartbeats.add((outcome,))

    def drill(self, name: str, outcome: str) -> None:
        """One drill `passed`, `failed`, or was `missed`."""
        self._drills.add((name, outcome))

    def set_threads_left(self, running: Mapping[str, int], ever: Mapping[str, int]) -> None:
        """Threads of workflows that nobody waits for: those that run still, and all since the process began."""
        for workflow, count in running.items():
            self._threads_left.labels(workflow).set(count)
        for workflow, count in ever.items():
            self._threads_left_ever.set((workflow,), count)

    def set_config(self, texts: Mapping[str, str]) -> None:
        """Publish the hash of the configuration texts in force, by file name."""
        digest = hashlib.sha256()
        for name, text in sorted(texts.items()):
            for part in (name.encode(), text.encode()):
                digest.update(len(part).to_bytes(8, "big") + part)
        self._config_hash.set(int.from_bytes(digest.digest()[:6], "big"))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The text Prometheus scrapes and its Content-Type, as the Accept header asks."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type
