"""Where the database of a configuration is: a file, or a server's address."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.domain.errors import SecretError
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring, locate
from bridge.secrets.references import Form, form_of, open_secret
from bridge.secrets.settings import LightSettings
from bridge.storage.postgres_address import SCHEMES, Address, parse_address


def located(settings: LightSettings, keyring: Path | None = None) -> Path | Address | None:
    """The database that `storage.url` names; None if it names none of a kind that there is.

    Raises:
        SecretError: the address is sealed and does not open.
        StorageError: it is no address.
    """
    if settings.url is None:
        return settings.database
    url = settings.url
    if form_of(url.reveal()) is Form.SEALED:
        url = open_secret(
            url, Binding.at(settings.environment, ("storage", "url")), _ring(settings, keyring), os.environ
        )
    if url.reveal().startswith("sqlite:"):
        return Path(url.reveal().removeprefix("sqlite:"))
    return parse_address(url.reveal()) if url.reveal().startswith(SCHEMES) else None


def required(settings: LightSettings, named: Path | None = None, keyring: Path | None = None) -> Path | Address:
    """The database file that was named on the command line, else what `located` gives.

    Raises:
        SecretError, StorageError: as `located`; also if there is none.
    """
    found = named or located(settings, keyring)
    if found is None:
        raise SecretError("storage.url names no database that can be read here; give --database FILE")
    return found


def _ring(settings: LightSettings, named: Path | None) -> Keyring | None:
    path = named or locate(settings.keyring, os.environ)
    return Keyring.load(path) if path is not None and path.exists() else None
