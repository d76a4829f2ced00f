"""Alertbridge: from alert senders to the people who must hear of an alert.

`from bridge import Workflow, Action, Hook, Plugin` is for files of workflows; the classes are loaded when asked for, and
so is the version.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.workflows.api import Action, Hook, Plugin, Workflow

    __version__: str

__all__ = ["Action", "Hook", "Plugin", "Workflow", "__version__"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return globals().setdefault(name, _version())
    if name in __all__:
        from bridge.workflows import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("alertbridge")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "0+unknown"
