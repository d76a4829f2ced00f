"""A whole configuration, valid and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from msgspec import Struct, field

from bridge.channels.api import ChannelOptions
from bridge.config.acknowledgement import AcknowledgementSettings
from bridge.config.drills import DrillSettings
from bridge.config.heartbeats import HeartbeatSettings
from bridge.config.intervals import InhibitRule, TimeInterval
from bridge.config.outgoing import EgressSettings, ExecSettings, HttpSettings
from bridge.config.problems import Mark
from bridge.config.recurring import RecurringSilence
from bridge.config.schedules import CalendarSettings
from bridge.config.senders import AccessSettings, SourceSettings
from bridge.config.server import LogSettings, SecretsSettings, ServerSettings, StorageSettings, WatchSettings
from bridge.domain.escalation import Step
from bridge.domain.person import Person
from bridge.domain.schedules import Schedule
from bridge.domain.secret import Secret
from bridge.domain.severity import Severities
from bridge.routing.route import HookCall, Route

DEFAULT_SOURCE = "default"


class ChannelEntry(Struct, frozen=True):
    """A configured channel. Its secrets are still references: see `bridge.config.open_secrets`.

    `problem` says why it cannot be used although the configuration is valid: an option stands in a variable or file
    that is not there. The channel parks until the next load; `options` may be None then.
    """

    name: str
    type: str
    options: ChannelOptions | None
    mark: Mark
    problem: str = ""

    @property
    def where(self) -> str:
        """`file:line:column`."""
        return str(self.mark)


class Config(Struct, frozen=True):
    """What the bridge runs on. `digest` is the SHA-256 (hex) over the texts it came from: equal digests, equal configurations.

    Without a `sources:` section there is one open source, `default`. `access` is None without an `access:` section.
    `hooks` run before routing. `max_in_flight` is for all channels together.
    `calendars` are those that schedules fetch, by the schedule's name.
    """

    digest: str
    route: Route
    channels: Mapping[str, ChannelEntry]
    receivers: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, SourceSettings]
    escalations: Mapping[str, tuple[Step, ...]]
    credentials: Mapping[str, Mapping[str, Secret]]
    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()
    secrets: SecretsSettings = SecretsSettings()
    access: AccessSettings | None = None
    severity: Severities = Severities()
    acknowledgement: AcknowledgementSettings = AcknowledgementSettings()
    egress: EgressSettings = EgressSettings()
    http: HttpSettings = HttpSettings()
    exec: ExecSettings = ExecSettings()
    log: LogSettings = LogSettings()
    watch: WatchSettings = WatchSettings()
    hooks: tuple[HookCall, ...] = ()
    plugins: tuple[Path, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: tuple[TimeInterval, ...] = ()
    silences: tuple[RecurringSilence, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    calendars: Mapping[str, CalendarSettings] = field(default_factory=dict)
    heartbeats: Mapping[str, HeartbeatSettings] = field(default_factory=dict)
    drills: Mapping[str, DrillSettings] = field(default_factory=dict)
    fallback: str | None = None
    max_in_flight: int = 1000
    reopen_within: timedelta = timedelta(hours=1)
    resolve_timeout: timedelta = timedelta(minutes=5)
    rehome_after: timedelta = timedelta(minutes=5)

    def channels_of(self, receiver: str) -> tuple[str, ...]:
        """The channels behind a receiver's name; a receiver wins over a channel of the same name. Empty if neither is there."""
        found = self.receivers.get(receiver)
        if found is not None:
            return found
        return (receiver,) if receiver in self.channels else ()
