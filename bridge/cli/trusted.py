"""Whose signatures in the audit log count, and with which keys a bridge signs, as the configuration says."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.audit.pins import Trust
from bridge.config.documents import find_files
from bridge.domain.errors import SecretError
from bridge.secrets.instance import InstanceKeys, VerifyKey
from bridge.secrets.keyring import Keyring, locate
from bridge.secrets.public_keys import PublicKeys
from bridge.secrets.settings import LightSettings, light_settings

ROUTES = Path("routes")


def settings_of(config: Path) -> LightSettings:
    """What a configuration says of storage and secrets; the defaults where the default folder is not there.

    Raises:
        SecretError: it cannot be read.
    """
    try:
        files = find_files(config) if config != ROUTES or config.exists() else ()
    except OSError as error:
        raise SecretError(f"{config}: cannot be read: {error.strerror}") from error
    return light_settings(files, os.environ)


def keys_file(database: Path) -> Path:
    """Where the keys are that a bridge without a keyring makes."""
    return database.with_name(database.name + ".keys")


def keyring_file(settings: LightSettings, keyring: Path | None = None) -> Path | None:
    """The keyring that is named, else the configured one, if it is there."""
    found = keyring or locate(settings.keyring, os.environ)
    return found if found is not None and found.exists() else None


def trust_of(
    settings: LightSettings, beside: tuple[Path, ...], keyring: Path | None = None, public_keys: Path | None = None
) -> Trust:
    """Public keys that were given, else the keyring's, else the configured public keys; and those in files beside a database."""
    keys = _audit_keys(settings, keyring, public_keys)
    former: list[VerifyKey] = []
    for file in beside:
        try:
            former += InstanceKeys.load(file).verifiers if file.exists() else ()
        except SecretError:
            if not keys:
                raise  # an auditor with the public keys need not be able to read private ones
    return Trust(keys, tuple(former))


def signing_keys(settings: LightSettings, database: Path | None) -> InstanceKeys:
    """The keys a bridge on this database would sign with: the keyring's, else those beside the file.

    Raises:
        SecretError: there are none, or they cannot be read.
    """
    ring = keyring_file(settings)
    if ring is not None:
        return Keyring.load(ring).instance_keys()
    if database is None or not keys_file(database).exists():
        raise SecretError("there is no keyring, and no key beside the database, to sign with")
    return InstanceKeys.load(keys_file(database))


def _audit_keys(settings: LightSettings, keyring: Path | None, public_keys: Path | None) -> tuple[VerifyKey, ...]:
    if public_keys is not None:
        return PublicKeys.load(public_keys).audit
    ring = keyring_file(settings, keyring)
    if ring is not None:
        return Keyring.load(ring).instance_keys().verifiers
    if settings.public_keys is not None and settings.public_keys.exists():
        return PublicKeys.load(settings.public_keys).audit
    return ()
