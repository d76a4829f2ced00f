"""The configuration as it is on disk: read, with the last good text of each file standing in for a bad one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bridge.channels.registry import ChannelRegistry
from bridge.config.load import Loaded, load
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener
from bridge.domain.errors import ConfigError, SecretError
from bridge.hooks.registry import HookRegistry
from bridge.net import Egress, HttpClient, client_tls
from bridge.secrets.keyring import Keyring, locate

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


def database_path(config: Config) -> Path:
    """The database file of `storage.url`.

    Raises:
        ConfigError: the address is of a kind that this version does not have.
    """
    try:
        url = SecretOpener.of(config, None).secret(config.storage.url, "storage", "url").reveal()
    except SecretError as error:
        raise ConfigError(f"storage.url: {error}") from error
    if not url.startswith(_SQLITE) or len(url) == len(_SQLITE):
        raise ConfigError(
            "storage.url: this version keeps its data in SQLite; write sqlite:PATH, such as sqlite:var/bridge.db"
        )
    return Path(url.removeprefix(_SQLITE))


def http_of(config: Config) -> HttpClient:
    """The outgoing HTTP client: egress rules, proxy, authorities.

    Raises:
        ConfigError: a certificate file cannot be used.
        SecretError: the proxy's address cannot be opened.
    """
    outgoing = config.http
    opener = SecretOpener.of(config, keyring_of(config))
    proxy = None if outgoing.proxy is None else opener.secret(outgoing.proxy, "http", "proxy")
    egress = Egress(config.egress.allow, config.egress.denied_networks, config.egress.deny_private)
    return HttpClient(egress, proxy, client_tls(outgoing.ca_file, outgoing.cert_file, outgoing.key_file))
