"""A dry run straight from the configuration, with what its database says if there is one; no running bridge is needed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from bridge.app.calendars import with_copies
from bridge.app.files import database_path, database_url, http_of, keyring_of, read_files, registries_of
from bridge.config.load import Loaded
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener
from bridge.domain.clock import SystemClock
from bridge.domain.errors import ConfigError, SecretError
from bridge.domain.secret import Secret
from bridge.engine.build import Builder
from bridge.engine.explaining import Explainer, Ground
from bridge.engine.explaining_ask import Ask, moment_of
from bridge.engine.explaining_views import Explained
from bridge.engine.silences import unended
from bridge.net import HttpClient
from bridge.routing.silences import Silences
from bridge.secrets.redaction import Redactor
from bridge.storage.postgres_address import Address, parse_address
from bridge.storage.snapshot import open_to_read

_AROUND = timedelta(days=40)
"""How far from the moment that is asked about calendars are read."""
_ALONE = "there is no database at {}: no silence is known, no alert that fires, no open incident"


class _HooksMayStaySealed(SecretOpener):
    """For hooks that are made and not run: where a credential of one does not open, something stands in for it."""

    def secret(self, secret: Secret, *path: str) -> Secret:
        try:
            return super().secret(secret, *path)
        except SecretError:
            if path[0] != "hooks":
                raise
            return Secret("stays sealed")


async def explain(path: Path, ask: Ask, *, database: bool = True) -> Explained:
    """What would become of the alerts that are asked about, by the configuration at `path`.

    Raises:
        ConfigError: the configuration is not valid.
        SecretError: a credential of a hook does not open, or the database's address.
        BadAsk: the question makes no sense.
        StorageError: the database is there and cannot be read.
    """
    loaded = read_files(path)
    if loaded.config is None or loaded.errors:
        raise ConfigError("\n".join(str(found) for found in loaded.errors) or f"{path}: no configuration there")
    http = http_of(loaded.config)
    try:
        return await _answer(loaded, loaded.config, http, ask, database=database)
    finally:
        await http.close()


async def _answer(loaded: Loaded, config: Config, http: HttpClient, ask: Ask, *, database: bool) -> Explained:
    opener = (SecretOpener if ask.io else _HooksMayStaySealed).of(config, keyring_of(config))
    now = SystemClock().now()
    if database:
        at = moment_of(ask, now)
        config, _ = await with_copies(config, at - _AROUND, at + _AROUND)
    generation = Builder(*registries_of(loaded), http, Redactor()).build(config, opener)
    ground = Ground(generation, Silences(), None, adopted=False, sealed=True)
    async with AsyncExitStack() as stack:
        note = ""
        place = _place(config) if database else None
        if place is not None and (isinstance(place, Address) or place.is_file()):
            reader = await stack.enter_async_context(open_to_read(place))
            silences = await reader.read(partial(unended, now=moment_of(ask, now)))
            ground = replace(ground, silences=silences, database=reader)
        elif place is not None:
            note = _ALONE.format(place)
        found = await Explainer(lambda: ground).answer(ask, now)
    return replace(found, notes=(*found.notes, note)) if note else found


def _place(config: Config) -> Path | Address:
    return database_path(config) or parse_address(database_url(config).reveal())
