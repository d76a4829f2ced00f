"""Makes a generation of a configuration: opens its secrets, builds its channels and hooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from bridge.channels.api import ChannelOptions
from bridge.channels.registry import ChannelRegistry
from bridge.config.model import ChannelEntry, Config
from bridge.config.open_secrets import SecretOpener, open_channel
from bridge.domain.errors import BridgeError
from bridge.domain.secret import Secret
from bridge.engine.generation import ConfiguredChannel, Generation, walk
from bridge.hooks.api import HookContext
from bridge.hooks.chain import Chain
from bridge.hooks.registry import HookRegistry
from bridge.net import HttpClient
from bridge.routing.route import HookCall
from bridge.secrets.keyring import Keyring
from bridge.templates import Templates


class Builder:
    """Builds generations; the HTTP client is shared by all of them."""

    def __init__(self, channels: ChannelRegistry, hooks: HookRegistry, http: HttpClient) -> None:
        self._channels = channels
        self._hooks = hooks
        self._http = http

    def build(self, config: Config, keyring: Keyring | None) -> Generation:
        """The configuration, ready to work. A channel that cannot be made is kept with its problem, and parks.

        Raises:
            ConfigError: a hook cannot be made.
        """
        opener = SecretOpener.of(config, keyring)
        channels = {name: self._channel(config, name, opener) for name in config.channels}
        routes = {route.id: route for route in walk(config.route)}
        made: dict[tuple[HookCall, ...], Chain] = {}
        for route in routes.values():
            if route.hooks not in made:
                made[route.hooks] = self._chain(route.hooks)
        return Generation(
            digest=config.digest,
            config=config,
            root=config.route,
            routes=routes,
            channels=channels,
            chains={name: made[route.hooks] for name, route in routes.items()},
            before=self._chain(config.hooks) if config.hooks else None,
            escalations=config.escalations,
            severities=config.severity,
            templates=Templates(),
        )

    def _channel(self, config: Config, name: str, opener: SecretOpener) -> ConfiguredChannel:
        entry = config.channels[name]
        fallback_options = entry.options or ChannelOptions(type=entry.type)
        credential = _credential(entry)
        try:
            options = open_channel(config, name, opener)
            directories: Sequence[Path] = config.exec.directories
            channel = self._channels.create(name, options, exec_directories=directories)
        except BridgeError as error:
            return ConfiguredChannel(name, fallback_options, None, credential, str(error))
        return ConfiguredChannel(name, options, channel, credential)

    def _chain(self, calls: tuple[HookCall, ...]) -> Chain:
        context = HookContext(http=self._http)
        return Chain(
            tuple(self._hooks.create(call.name, self._hooks.parse(call.name, call.options), context) for call in calls)
        )


def _credential(entry: ChannelEntry) -> str:
    """What breaker and rate belong to: the shared credential the channel names, else the channel itself."""
    named = _named_credential(entry.options) if entry.options is not None else ""
    return named or entry.name


def _named_credential(options: BaseModel) -> str:
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, Secret) and value.reveal().startswith("credential:"):
            return value.reveal()
    return ""
