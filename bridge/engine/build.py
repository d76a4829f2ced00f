"""Makes a generation of a configuration: opens its secrets, builds its channels and hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from bridge.channels.api import ChannelOptions
from bridge.channels.registry import ChannelRegistry
from bridge.config.model import ChannelEntry, Config
from bridge.config.open_secrets import SecretOpener, open_channel
from bridge.config.timing import heartbeats_of, held_drills, inhibition_of, intervals_of, recurring_of
from bridge.domain.errors import BridgeError, ConfigError, SecretError
from bridge.domain.secret import Secret
from bridge.engine.generation import ConfiguredChannel, Generation, Heartbeat, walk
from bridge.hooks.api import HookContext
from bridge.hooks.chain import Chain, Link
from bridge.hooks.registry import HookRegistry
from bridge.net import HttpClient
from bridge.routing.intervals import TimeInterval, opens
from bridge.routing.route import HookCall
from bridge.secrets.redaction import Redactor
from bridge.templates import Templates


class Builder:
    """Builds one generation. The registries know the plugins that its configuration names."""

    def __init__(self, channels: ChannelRegistry, hooks: HookRegistry, http: HttpClient, redactor: Redactor) -> None:
        self._channels = channels
        self._hooks = hooks
        self._http = http
        self._redactor = redactor

    def build(self, config: Config, opener: SecretOpener) -> Generation:
        """The configuration, ready to work. A channel that cannot be made is kept with its problem, and parks.

        Every credential that is opened is made known to the redactor.

        Raises:
            ConfigError: a hook cannot be made.
        """
        channels = {name: self._channel(config, name, opener) for name in config.channels}
        routes = {route.id: route for route in walk(config.route)}
        intervals = intervals_of(config)
        made: dict[tuple[HookCall, ...], Chain] = {}
        for route in routes.values():
            if route.hooks not in made:
                made[route.hooks] = self._chain(route.hooks, opener, intervals)
        return Generation(
            digest=config.digest,
            config=config,
            root=config.route,
            routes=routes,
            channels=channels,
            chains={name: made[route.hooks] for name, route in routes.items()},
            before=self._chain(config.hooks, opener, intervals) if config.hooks else None,
            escalations=config.escalations,
            severities=config.severity,
            templates=Templates(),
            http=self._http,
            heartbeat=self._heartbeat(config, opener),
            inhibition=inhibition_of(config),
            intervals=intervals,
            recurring=recurring_of(config, intervals),
            heartbeats=heartbeats_of(config),
            drills=held_drills(config, intervals),
        )

    def _heartbeat(self, config: Config, opener: SecretOpener) -> Heartbeat | None:
        settings = config.watch
        if settings.heartbeat_url is None:
            return None
        try:
            url = opener.secret(settings.heartbeat_url, "watch", "heartbeat_url")
        except SecretError as error:
            return Heartbeat(Secret(""), settings.every, settings.timeout, str(error))
        self._redactor.register(url)
        return Heartbeat(url, settings.every, settings.timeout)

    def _channel(self, config: Config, name: str, opener: SecretOpener) -> ConfiguredChannel:
        entry = config.channels[name]
        sealed = entry.options or ChannelOptions.model_validate({"type": entry.type})
        credential = _credential(entry)
        people = self._channels.for_people(entry.type)
        try:
            options = open_channel(config, name, opener)
            self._register(options)
            directories: Sequence[Path] = config.exec.directories
            channel = self._channels.create(name, options, exec_directories=directories)
            for secret in getattr(channel, "secrets", ()):
                self._redactor.register(secret)
        except BridgeError as error:
            return ConfiguredChannel(name, sealed, None, credential, str(error), people)
        return ConfiguredChannel(name, options, channel, credential, people=people)

    def _chain(self, calls: tuple[HookCall, ...], opener: SecretOpener, intervals: Mapping[str, TimeInterval]) -> Chain:
        context = HookContext(self._http, partial(opens, intervals))
        return Chain(tuple(self._hook(call, opener, context) for call in calls))

    def _hook(self, call: HookCall, opener: SecretOpener, context: HookContext) -> Link:
        try:
            options = opener.options(self._hooks.parse(call.name, call.options), "hooks", call.name)
        except SecretError as error:
            raise ConfigError(f"{call.where}: hook {call.name}: {error}") from error
        self._register(options)
        return self._hooks.create(call.name, options, context)

    def _register(self, options: BaseModel) -> None:
        for secret in secrets_in(options):
            self._redactor.register(secret)


def _credential(entry: ChannelEntry) -> str:
    """What breaker and rate belong to: the shared credential the channel names, else the channel itself."""
    named = _named_credential(entry.options) if entry.options is not None else ""
    return named or entry.name


def _named_credential(options: BaseModel) -> str:
    references = (secret.reveal() for secret in secrets_in(options))
    return next((reference for reference in references if reference.startswith("credential:")), "")


def secrets_in(value: object) -> Iterator[Secret]:
    """Every secret in a model, however deep."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from secrets_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from secrets_in(entry)
