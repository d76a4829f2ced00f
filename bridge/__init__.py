"""Alertbridge: from alert senders to the people who must hear of an alert.

`from bridge import Workflow, Action, Hook, Plugin` is for files of workflows; the classes are loaded when asked for.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.workflows.api import Action, Hook, Plugin, Workflow

__all__ = ["Action", "Hook", "Plugin", "Workflow", "__version__"]

try:
    __version__ = version("alertbridge")
except PackageNotFoundError:  # run from a source tree that was not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    if name in __all__:
        from bridge.workflows import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
