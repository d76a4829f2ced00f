"""Replaces the references in valid options by the credentials they stand for.

What a sealed text is bound to comes from where the option stands, never from the text. An element of a list may have
been sealed for the list itself (`sources/grafana/auth.hmac_secret`) or for its place in it (`….0`): during a rotation
the older of two secrets moves down without being sealed again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from bridge.channels.api import ChannelOptions
from bridge.config.fields import SecretUse
from bridge.config.heartbeats import HeartbeatSettings
from bridge.config.model import Config
from bridge.config.model_types import fields_by_key
from bridge.config.senders import AccessSettings, MirrorSettings, SourceSettings
from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring
from bridge.secrets.references import Form, form_of, open_secret

M = TypeVar("M", bound=BaseModel)
Path = tuple[str, ...]
Credentials = Mapping[str, Mapping[str, Secret]]


class SecretOpener:
    """Opens the secrets of one configuration.

    Every method raises SecretError if a secret cannot be opened or found; the message names the place, never a value.
    """

    def __init__(
        self,
        environment: str,
        keyring: Keyring | None,
        credentials: Credentials | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`keyring` may be None where nothing is sealed. `environ` is what `env:NAME` looks into, the process's own if None."""
        self._environment = environment
        self._keyring = keyring
        self._credentials = credentials or {}
        self._environ = os.environ if environ is None else environ

    @classmethod
    def of(cls, config: Config, keyring: Keyring | None, environ: Mapping[str, str] | None = None) -> SecretOpener:
        """The opener for a configuration's own environment and credentials."""
        return cls(config.secrets.environment, keyring, config.credentials, environ)

    def options(self, options: M, *path: str) -> M:
        """A model with every Secret in it opened; `path` are the keys that lead to it, such as `channels`, `pager`."""
        return options.model_copy(update=self._opened_fields(options, path))

    def secret(self, secret: Secret, *path: str) -> Secret:
        """One secret that stands at the end of these keys."""
        text = secret.reveal()
        if form_of(text) is Form.CREDENTIAL:
            secret, path = self._credential(text.partition(":")[2], path)
        return open_secret(secret, Binding.at(self._environment, path), self._keyring, self._environ)

    def use(self, use: SecretUse) -> Secret:
        """What a secret field recorded at load stands for."""
        *before, last = use.path
        if last.isdigit():
            return self._element_secret(use.reference, tuple(before), last)
        return self.secret(use.reference, *use.path)

    def _opened_fields(self, model: BaseModel, path: Path) -> dict[str, Any]:
        keys = {id(field): key for key, field in reversed(fields_by_key(type(model)).items())}
        opened = {}
        for name, field in type(model).model_fields.items():
            value = getattr(model, name)
            replaced = self._opened(value, (*path, keys.get(id(field), name)))
            if replaced is not value:
                opened[name] = replaced
        return opened

    def _opened(self, value: Any, path: Path) -> Any:
        """The value with its secrets opened; the same object if it holds none."""
        if isinstance(value, Secret):
            return self.secret(value, *path)
        if isinstance(value, BaseModel):
            changed = self._opened_fields(value, path)
            return value.model_copy(update=changed) if changed else value
        if isinstance(value, Mapping):
            entries = {key: self._opened(entry, (*path, str(key))) for key, entry in value.items()}
            return entries if any(entries[key] is not value[key] for key in value) else value
        if isinstance(value, list | tuple):
            items = [self._element(entry, path, index) for index, entry in enumerate(value)]
            return type(value)(items) if any(new is not old for new, old in zip(items, value, strict=True)) else value
        return value

    def _element(self, entry: Any, path: Path, index: int) -> Any:
        if isinstance(entry, Secret):
            return self._element_secret(entry, path, str(index))
        return self._opened(entry, (*path, str(getattr(entry, "name", index))))

    def _element_secret(self, secret: Secret, path: Path, index: str) -> Secret:
        try:
            return self.secret(secret, *path)
        except SecretError:
            if form_of(secret.reveal()) is not Form.SEALED:
                raise
            return self.secret(secret, *path, index)

    def _credential(self, name: str, path: Path) -> tuple[Secret, Path]:
        """(what the credential holds for this option, where that stands): the field of the same name, or its only one."""
        fields = self._credentials.get(name)
        if not fields:
            raise SecretError(f"{'/'.join(path)}: the credential {name!r} is not defined under `credentials:`")
        field = path[-1] if path[-1] in fields else next(iter(fields))
        if field != path[-1] and len(fields) > 1:
            raise SecretError(f"{'/'.join(path)}: the credential {name!r} has no {path[-1]!r}")
        return fields[field], ("credentials", name, field)


def open_channel(config: Config, name: str, opener: SecretOpener) -> ChannelOptions:
    """A channel's options, ready for `ChannelRegistry.create`.

    Raises:
        SecretError: a secret cannot be opened, or an option's variable or file is not there: the channel parks.
    """
    entry = config.channels[name]
    if entry.options is None or entry.problem:
        raise SecretError(entry.problem)
    return opener.options(entry.options, "channels", name)


def open_source(config: Config, name: str, opener: SecretOpener) -> SourceSettings:
    """A source's settings with its proofs opened. Raises SecretError."""
    return opener.options(config.sources[name], "sources", name)


def open_mirror(config: Config, name: str, opener: SecretOpener) -> MirrorSettings | None:
    """A source's mirror with its secrets opened, None if it has none. Raises SecretError."""
    source = config.sources.get(name)
    return opener.options(source.mirror, "sources", name, "mirror") if source and source.mirror else None


def open_heartbeat(config: Config, name: str, opener: SecretOpener) -> HeartbeatSettings:
    """A heartbeat's settings with its tokens opened. Raises SecretError."""
    return opener.options(config.heartbeats[name], "heartbeats", name)


def open_access(config: Config, opener: SecretOpener) -> AccessSettings | None:
    """The access section with its tokens opened; None if there is none. Raises SecretError."""
    return opener.options(config.access, "access") if config.access is not None else None
