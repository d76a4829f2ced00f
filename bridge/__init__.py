"""Alertbridge: from alert senders to the people who must hear of an alert."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("alertbridge")
except PackageNotFoundError:  # run from a source tree that was not installed
    __version__ = "0+unknown"
