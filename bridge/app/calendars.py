"""The private addresses of schedules' calendars."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from bridge.app.files import database_path, keyring_of
from bridge.config.model import Config
from bridge.domain.errors import ConfigError
from bridge.secrets.instance import InstanceKeys


def addresses(config: Config, names: Iterable[str]) -> dict[str, str]:
    """Where calendars subscribe to each schedule. Whoever has an address can read that schedule.

    Raises:
        ConfigError: the bridge has no keys yet.
        SecretError: they cannot be read.
    """
    keys = _keys(config)
    return {
        name: f"{config.server.url}/schedules/{quote(name, safe='')}.ics?token={keys.calendar_token(name)}"
        for name in names
    }


def _keys(config: Config) -> InstanceKeys:
    """As the running bridge finds them: the keyring's, else those beside the database file."""
    keyring = keyring_of(config)
    if keyring is not None:
        return keyring.instance_keys()
    path = database_path(config)
    file = None if path is None else path.with_name(path.name + ".keys")
    if file is None or not file.exists():
        raise ConfigError("the bridge has no keys yet: start it once where its database is to be")
    return InstanceKeys.load(file)
