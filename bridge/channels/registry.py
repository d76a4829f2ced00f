"""The channels on offer, by type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Self, cast

from bridge.channels.api import Channel, ChannelOptions
from bridge.domain.errors import BridgeError, ConfigError
from bridge.plugins import Kind, OfferedWorkflow, Plugins, workflows_of

_KIND = Kind("channel", "alertbridge.channels", "send", ChannelOptions)


class ChannelRegistry:
    """Channel classes from the entry-point group `alertbridge.channels` and from plugin files.

    Built-in channels are entry points like any other; only what is asked for is imported.
    """

    def __init__(self, plugins: Plugins, workflows: Mapping[str, OfferedWorkflow] | None = None) -> None:
        self._plugins = plugins
        self._workflows = workflows or {}

    @classmethod
    def load(cls, plugin_files: Sequence[Path] = ()) -> Self:
        """Collects the names and runs the plugin files; their workflows are defined.

        Raises:
            ConfigError: a plugin file cannot be loaded, a workflow cannot be defined, or a name is claimed twice.
        """
        return cls(Plugins(_KIND, plugin_files), workflows_of(plugin_files))

    def names(self) -> tuple[str, ...]:
        """Every type on offer, sorted. Imports nothing."""
        return self._plugins.names()

    def workflows(self) -> Mapping[str, Path]:
        """Every workflow of the plugin files, and the file that defines it."""
        return {name: offered.file for name, offered in self._workflows.items()}

    def options_model(self, type_name: str) -> type[ChannelOptions]:
        """The model to validate that type's options with.

        Raises:
            ConfigError: there is no such type, or it cannot be loaded.
        """
        return cast("type[ChannelOptions]", self._plugins.options_model(type_name))

    def for_people(self, type_name: str) -> bool:
        """Whether people read such channels, as its class says in `people`; a class that says nothing is for people."""
        try:
            return bool(getattr(self._plugins.get(type_name), "people", True))
        except BridgeError:
            return True

    def create(self, name: str, options: ChannelOptions, *, exec_directories: Sequence[Path] = ()) -> Channel:
        """The channel `name` of the type its options name.

        `exec_directories` are the allow-listed ones; a class gets them if its constructor takes `exec_directories`;
        so with `workflows`, the actions by workflow.

        Raises:
            ConfigError: there is no such type, it cannot be loaded, or it refuses its options.
        """
        built_by = self._plugins.get(options.type)
        granted: dict[str, object] = {}
        try:
            parameters = signature(built_by).parameters
            if "exec_directories" in parameters:
                granted["exec_directories"] = tuple(exec_directories)
            if "workflows" in parameters:
                granted["workflows"] = {name: offered.actions for name, offered in self._workflows.items()}
            return cast("Channel", built_by(name, options, **granted))
        except BridgeError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's constructor may raise anything
            # The text of a foreign error may quote an opened credential: its type has to do.
            raise ConfigError(
                f"channel {name!r} of type {options.type!r} cannot be built: {type(error).__name__}"
            ) from None
