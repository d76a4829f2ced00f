"""What a configuration needs to know of the channels and hooks on offer.

The registries themselves are handed in, so that this package names no plugin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from bridge.channels.api import ChannelOptions
from bridge.hooks.api import HookOptions


class ChannelCatalogue(Protocol):
    """As `bridge.channels.registry.ChannelRegistry`."""

    def load(self, plugin_files: Sequence[Path] = (), /) -> Self:
        """The same catalogue with plugin files; raises ConfigError."""

    def names(self) -> tuple[str, ...]: ...

    def workflows(self) -> Mapping[str, Path]:
        """Every workflow of the plugin files, and the file that defines it."""

    def options_model(self, type_name: str, /) -> type[ChannelOptions]:
        """Raises ConfigError: no such type, or it cannot be loaded."""


class HookCatalogue(Protocol):
    """As `bridge.hooks.registry.HookRegistry`."""

    def load(self, plugin_files: Sequence[Path] = (), /) -> Self:
        """The same catalogue with plugin files; raises ConfigError."""

    def names(self) -> tuple[str, ...]: ...

    def options_model(self, name: str, /) -> type[HookOptions]:
        """Raises ConfigError: no such hook, or it cannot be loaded."""
