"""The private addresses of schedules' calendars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from bridge.app.files import database_path, database_url, keyring_of
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener
from bridge.domain.errors import ConfigError
from bridge.domain.secret import Secret
from bridge.engine.calendars import stored_shifts
from bridge.engine.on_call import with_calendar
from bridge.secrets.instance import InstanceKeys
from bridge.storage.postgres_address import parse_address
from bridge.storage.snapshot import open_to_read


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


async def with_copies(config: Config, begin: datetime, end: datetime) -> tuple[Config, str]:
    """The configuration whose schedules know what the last good copies of their calendars say of a stretch of time,
    and why they do not.

    Raises:
        StorageError: the database is there and cannot be read.
    """
    if not config.calendars:
        return config, ""
    place = database_path(config) or parse_address(database_url(config).reveal())
    if isinstance(place, Path) and not place.is_file():
        return config, f"there is no database at {place}: what calendars say is not known"
    found = dict(config.schedules)
    async with open_to_read(place) as reader:
        for name, settings in config.calendars.items():
            shifts = await reader.read(partial(stored_shifts, config=config, name=name, begin=begin, end=end))
            found[name] = with_calendar(found[name], shifts, as_overrides=settings.use == "overrides")
    return replace(config, schedules=found), ""


def opened(config: Config, opener: SecretOpener, schedule: str) -> Secret:
    """The address of the calendar that a schedule reads. Raises SecretError if it does not open."""
    return opener.secret(config.calendars[schedule].url, "schedules", schedule, "ical", "url")


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
