"""The configuration as it is on disk: read, with the last good text of each file standing in for a bad one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.channels.registry import ChannelRegistry
from bridge.config.load import Loaded, load
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener
from bridge.domain.errors import ConfigError, SecretError
from bridge.domain.secret import Secret
from bridge.hooks.registry import HookRegistry
from bridge.net import Egress, HttpClient, client_tls
from bridge.secrets.instance import InstanceKeys
from bridge.secrets.keyring import Keyring, locate
from bridge.storage.database import Database
from bridge.storage.postgres_address import SCHEMES
from bridge.storage.sqlite import SqliteDatabase

_SQLITE = "sqlite:"


def read_files(path: Path, last_good: Mapping[str, str] | None = None) -> Loaded:
    """Load the configuration; plugin files are imported anew."""
    return load(path, ChannelRegistry.load(), HookRegistry.load(), last_good)


def registries_of(loaded: Loaded) -> tuple[ChannelRegistry, HookRegistry]:
    """The registries a configuration was loaded with: they know its plugin files.

    Raises:
        TypeError: it was loaded with something else.
    """
    if not isinstance(loaded.channels, ChannelRegistry) or not isinstance(loaded.hooks, HookRegistry):
        raise TypeError("the configuration was not loaded by read_files")
    return loaded.channels, loaded.hooks


def keyring_of(config: Config) -> Keyring | None:
    """The keyring, None if there is none; it is missed only where something is sealed.

    Raises:
        SecretError: it is there and cannot be used.
    """
    path = locate(config.secrets.keyring, os.environ)
    return Keyring.load(path) if path is not None and path.exists() else None


def database_url(config: Config) -> Secret:
    """The address in `storage.url`, or the one it refers to. It may hold a password.

    Raises:
        ConfigError: the reference leads nowhere, or the address is of no kind that there is.
    """
    try:
        url = SecretOpener.of(config, keyring_of(config)).secret(config.storage.url, "storage", "url")
    except SecretError as error:
        raise ConfigError(f"storage.url: {error}") from error
    if not url.reveal().startswith((_SQLITE, *SCHEMES)) or url.reveal() == _SQLITE:
        raise ConfigError(
            "storage.url: write sqlite:PATH, such as sqlite:var/bridge.db, or postgresql://user@host/database"
        )
    return url


def database_path(config: Config) -> Path | None:
    """The database file of `storage.url`, None for a database that is no file.

    Raises:
        ConfigError: as `database_url`.
    """
    url = database_url(config).reveal()
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


async def open_database(config: Config, fatal: Callable[[BaseException], None]) -> Database:
    """Open the database of `storage.url`; see the databases' own `open`.

    Raises:
        ConfigError: as `database_url`, or PostgreSQL without a keyring.
        StorageError: it cannot be used.
    """
    path = database_path(config)
    if path is not None:
        return await SqliteDatabase.open(path, fatal=fatal)
    if keyring_of(config) is None:
        raise ConfigError(
            f"storage.url: on PostgreSQL the bridges sign with one keyring, and {config.secrets.keyring} is not there: "
            "make it with `alertbridge secrets keygen`, and give every bridge the same"
        )
    from bridge.storage.postgres import PostgresDatabase  # whoever needs no server need not wait for its driver to load

    return await PostgresDatabase.open(database_url(config).reveal(), fatal=fatal)


def http_of(config: Config, *, anew: bool = False) -> HttpClient:
    """The outgoing HTTP client: egress rules, proxy, authorities.

    Without a file of its own it trusts the system's authorities as they were when the process began, which are there
    already: reading them takes longer than opening the database. `anew` reads them again.

    Raises:
        ConfigError: a certificate file cannot be used.
        SecretError: the proxy's address cannot be opened.
    """
    outgoing = config.http
    opener = SecretOpener.of(config, keyring_of(config))
    proxy = None if outgoing.proxy is None else opener.secret(outgoing.proxy, "http", "proxy")
    egress = Egress(config.egress.allow, config.egress.denied_networks, config.egress.deny_private)
    files = outgoing.ca_file, outgoing.cert_file, outgoing.key_file
    return HttpClient(egress, proxy, client_tls(*files) if anew or any(files) else None)


def usable(loaded: Loaded, *, strict: bool) -> Config:
    """The configuration to start with. Raises ConfigError if there is none, or `strict` and anything is wrong."""
    if loaded.config is None or (strict and loaded.errors):
        raise ConfigError("\n".join(str(found) for found in loaded.errors))
    return loaded.config


def instance_keys(config: Config, database: Database) -> InstanceKeys:
    """The keyring's keys, else those beside the database file. On PostgreSQL there is no start without a keyring."""
    keyring = keyring_of(config)
    if keyring is not None or not isinstance(database, SqliteDatabase):
        if keyring is None:
            raise ConfigError(f"the keyring {config.secrets.keyring} is gone")
        return keyring.instance_keys()
    return InstanceKeys.load_or_create(database.path.with_name(database.path.name + ".keys"))
