"""The few settings that commands need without a valid configuration: `secrets:` and `storage.url`, read lightly.

A mistake anywhere else must not stop somebody from sealing a secret or verifying the audit log, so a file that is no
YAML as a whole still gives the sections that can be read on their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from msgspec import Struct

from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.secrets.files import MAX_SIZE
from bridge.secrets.references import resolve

DEFAULT_KEYRING = Path("var/keyring.json")
DEFAULT_ENVIRONMENT = "default"
DEFAULT_DATABASE = Path("var/bridge.db")
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # gives every scalar as text


class LightSettings(Struct, frozen=True):
    """What was found; `keyring` and `database` have the configuration's defaults.

    `url` is a `storage.url` that names no file, as it is written or as its reference says: it may be sealed, and may hold
    a password.
    """

    keyring: Path = DEFAULT_KEYRING
    environment: str = DEFAULT_ENVIRONMENT
    public_keys: Path | None = None
    database: Path | None = DEFAULT_DATABASE
    url: Secret | None = None


def light_settings(files: Iterable[Path], environ: Mapping[str, str]) -> LightSettings:
    """Read them from the files of a configuration; the first file that has a setting gives it.

    `database` is None for a database that is no SQLite file.

    Raises:
        SecretError: a file cannot be read, or a reference in a setting leads nowhere.
    """
    found: dict[str, str] = {}
    for path in files:
        text = _text(path)
        for section in ("secrets", "storage"):
            for key, value in _section(text, section).items():
                if isinstance(value, str) and value:
                    found.setdefault(f"{section}.{key}", value)
    settings = {name: resolve(value, name, environ) for name, value in found.items()}
    public_keys = settings.get("secrets.public_keys")
    url = settings.get("storage.url", "")
    database = _database(url)
    return LightSettings(
        keyring=Path(settings.get("secrets.keyring", DEFAULT_KEYRING)),
        environment=settings.get("secrets.environment", DEFAULT_ENVIRONMENT),
        public_keys=Path(public_keys) if public_keys else None,
        database=database,
        url=Secret(url) if database is None else None,
    )


def names_in(files: Iterable[Path], section: str, key: str = "") -> frozenset[str]:
    """The names under a section of names, or of the list under its `key` (`access`, `tokens`); read as lightly.

    Raises:
        SecretError: a file cannot be read.
    """
    found: set[object] = set()
    for path in files:
        held: object = _section(_text(path), section)
        if key and isinstance(held, dict):
            held = held.get(key)
        if isinstance(held, list):
            found.update(entry.get("name") for entry in held if isinstance(entry, dict))
        elif isinstance(held, dict):
            found.update(held)
    return frozenset(name for name in found if isinstance(name, str))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SIZE).decode("utf-8-sig", "replace")
    except OSError as error:
        raise SecretError(f"{path}: cannot be read: {error.strerror}") from error


def _section(text: str, name: str) -> Mapping[object, object]:
    """One top-level section, cut out by indentation so that mistakes in others do not matter."""
    cut = re.search(rf"^(['\"]?){name}\1[ \t]*:.*(?:\n(?:[ \t}}\]#].*)?$)*", text, re.MULTILINE)
    for part in (cut[0] if cut else "", text):
        try:
            # The loader makes nothing but texts, lists and mappings.
            loaded = yaml.load(part, Loader=_Loader)  # noqa: S506
        except (yaml.YAMLError, RecursionError, ValueError):
            continue
        section = loaded.get(name) if isinstance(loaded, dict) else None
        if isinstance(section, dict):
            return section
    return {}


def _database(url: str) -> Path | None:
    if not url:
        return DEFAULT_DATABASE
    scheme, colon, rest = url.partition(":")
    return Path(rest) if colon and scheme == "sqlite" and rest else None
