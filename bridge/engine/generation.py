"""One configuration, made ready to work with: built whole, then swapped in; work in flight keeps its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

import msgspec
from msgspec import Struct

from bridge.channels.api import Channel, ChannelOptions, Reason
from bridge.config.model import Config
from bridge.domain.alert import API, MANUAL
from bridge.domain.escalation import Step
from bridge.domain.secret import Secret
from bridge.domain.severity import Severities
from bridge.domain.ticks import Timing
from bridge.hooks.chain import Chain
from bridge.net import HttpClient
from bridge.routing.drills import Drill
from bridge.routing.heartbeats import Heartbeats
from bridge.routing.inhibition import Inhibition
from bridge.routing.intervals import TimeInterval
from bridge.routing.recurring import Recurring
from bridge.routing.route import Route
from bridge.templates import Templates

SETTLE = timedelta(seconds=60)
_OF_THE_API = Timing(timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=4))
_OF_A_SENDER = Timing()


class ConfiguredChannel(Struct, frozen=True):
    """A channel ready to send, or `problem` that parks its deliveries (a secret that does not open).

    `credential` names what breaker and rate belong to: channels that share a credential share it. `people` says that
    people read it, who are told of a storm in digests.
    """

    name: str
    options: ChannelOptions
    channel: Channel | None
    credential: str
    problem: str = ""
    people: bool = True

    def follows(self, reason: Reason) -> bool:
        """Whether the channel can show an acknowledgement, or that it was taken back, on what it already sent."""
        if self.channel is None or not self.channel.follows_acknowledgement:
            return False
        return reason is Reason.ACKNOWLEDGED or getattr(self.channel, "follows_unacknowledgement", False) is True


class Heartbeat(Struct, frozen=True):
    """Where the bridge says that it is well, and how often; `problem` says why it cannot (a secret that does not open)."""

    url: Secret
    every: timedelta
    timeout: timedelta
    problem: str = ""


class Generation(Struct, frozen=True):
    """Everything the engine asks of a configuration. `chains` is by route id, `before` runs on every alert
    first, None if there is nothing to run.
    """

    digest: str
    config: Config
    root: Route
    routes: Mapping[str, Route]
    channels: Mapping[str, ConfiguredChannel]
    chains: Mapping[str, Chain]
    before: Chain | None
    escalations: Mapping[str, tuple[Step, ...]]
    severities: Severities
    templates: Templates
    http: HttpClient
    heartbeat: Heartbeat | None = None
    inhibition: Inhibition = Inhibition()
    intervals: Mapping[str, TimeInterval] = {}
    recurring: Mapping[str, Recurring] = {}
    heartbeats: Heartbeats = Heartbeats()
    drills: Mapping[str, Drill] = {}

    def timing(self, route: str, source: str) -> Timing:
        """When groups of a route are looked at, by how their alerts came: what a sender grouped and timed is told at once
        unless the route says otherwise, a page by hand whatever the route says, what came over API v2 as Alertmanager does.
        """
        found = self.routes.get(route) or self.root
        if source == MANUAL:
            return Timing(repeat=found.repeat_interval)
        default = _OF_THE_API if source == API else _OF_A_SENDER
        if found.group_wait is None and found.group_interval is None and found.repeat_interval is None:
            return default
        return Timing(
            default.wait if found.group_wait is None else found.group_wait,
            default.interval if found.group_interval is None else found.group_interval,
            default.repeat if found.repeat_interval is None else found.repeat_interval,
        )

    def chain(self, route: str) -> Chain:
        """The hooks of a route; the root's for an incident whose route is gone."""
        return self.chains.get(route) or self.chains[self.root.id]

    def channels_of(self, receiver: str) -> tuple[str, ...]:
        """The channels behind a receiver. A name that is gone stands for itself: its delivery will be parked."""
        return self.config.channels_of(receiver) or (receiver,)

    def settle_of(self, source: str) -> timedelta:
        """How long a firing that came late is held before it is believed."""
        settings = self.config.sources.get(source)
        return settings.settle if settings else SETTLE

    def fallback_for(self, channel: str) -> str:
        """Who hears that a channel failed; empty for nobody, and never the channel itself."""
        configured = self.channels.get(channel)
        own = configured.options.fallback if configured else None
        fallback = own or self.config.fallback or ""
        return "" if fallback == channel else fallback


def walk(route: Route) -> list[Route]:
    """The route and all below it, in routing order."""
    return [route, *(below for child in route.routes for below in walk(child))]


_GROUP = msgspec.json.Encoder(order="sorted")


def group_hash(org: str, labels: Mapping[str, str]) -> str:
    """What identifies a group within (source, route): the labels it was formed by, and Grafana's organisation."""
    return hashlib.sha256(_GROUP.encode((org, labels))).hexdigest()[:32]
