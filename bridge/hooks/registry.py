"""The hooks on offer, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

from pydantic import ValidationError

from bridge.domain.errors import BridgeError, ConfigError
from bridge.hooks.api import Hook, HookContext, HookOptions
from bridge.hooks.chain import Link
from bridge.plugins import Kind, Plugins

_KIND = Kind("hook", "alertbridge.hooks", "__call__", HookOptions)


class HookRegistry:
    """Hook classes from the entry-point group `alertbridge.hooks` and from plugin files.

    Built-in hooks are entry points like any other; only what is asked for is imported.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    @classmethod
    def load(cls, plugin_files: Sequence[Path] = ()) -> Self:
        """Collects the names and runs the plugin files.

        Raises:
            ConfigError: a plugin file cannot be loaded, or a name is claimed twice.
        """
        return cls(Plugins(_KIND, plugin_files))

    def names(self) -> tuple[str, ...]:
        """Every hook on offer, sorted. Imports nothing."""
        return self._plugins.names()

    def options_model(self, name: str) -> type[HookOptions]:
        """The model to validate that hook's options with.

        Raises:
            ConfigError: there is no such hook, or it cannot be loaded.
        """
        return cast("type[HookOptions]", self._plugins.options_model(name))

    def parse(self, name: str, json_text: str) -> HookOptions:
        """The options of a `HookCall`, from their JSON text.

        Raises:
            ConfigError: there is no such hook, or the options do not validate; every fault is named.
        """
        try:
            return self.options_model(name).model_validate_json(json_text)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'options'}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            raise ConfigError(f"hook {name!r}: {faults}") from None

    def create(self, name: str, options: HookOptions, context: HookContext) -> Link:
        """The hook with its budget and failure policy, ready for a `Chain`.

        Raises:
            ConfigError: there is no such hook, it cannot be loaded, or it refuses its options.
        """
        built_by = self._plugins.get(name)
        try:
            hook = cast("Hook", built_by(options, context))
        except BridgeError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's constructor may raise anything
            # As for channels: the text of a foreign error may quote an opened credential.
            raise ConfigError(f"hook {name!r} cannot be built: {type(error).__name__}") from None
        return Link(name, hook, options.on_error, options.budget.total_seconds())
