"""The configuration: YAML in, one frozen `Config` or every problem with its place out."""

from bridge.config.load import Loaded, Refused, load
from bridge.config.model import ChannelEntry, Config
from bridge.config.problems import Problem

__all__ = ["ChannelEntry", "Config", "Loaded", "Problem", "Refused", "load"]
