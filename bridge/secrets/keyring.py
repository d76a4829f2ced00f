"""The keyring: the private keys that open sealed texts, newest first, and the keys of the installation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from bridge.domain.errors import SecretError
from bridge.secrets import encoding
from bridge.secrets.binding import Binding
from bridge.secrets.files import create_atomically, read_private, write_atomically
from bridge.secrets.instance import InstanceKeys, KeysFile
from bridge.secrets.seal import CLASSIC, PrivateKey, PublicKey, Sealed, seal

FORMAT = "alertbridge-keyring/1"


class _KeyEntry(msgspec.Struct, frozen=True):
    version: int
    private: str

    def __repr__(self) -> str:
        return "<private key>"


class _File(msgspec.Struct, frozen=True):
    format: str
    keys: tuple[_KeyEntry, ...]
    instance: KeysFile


class Keyring:
    """Several private keys, newest first: the newest seals, every one opens, the key id in a text picks the key."""

    __slots__ = ("_by_kid", "_instance", "_keys")

    def __init__(self, keys: Iterable[PrivateKey], instance: InstanceKeys) -> None:
        self._keys = tuple(keys)
        self._instance = instance
        self._by_kid = {key.kid: key for key in self._keys}
        if not self._keys or len(self._by_kid) != len(self._keys):
            raise SecretError("a keyring holds at least one key, and no key twice")

    @classmethod
    def generate(cls, version: int = CLASSIC, instance: InstanceKeys | None = None) -> Keyring:
        """A new keyring with one key; `instance` takes over the keys an installation already uses."""
        return cls((PrivateKey.generate(version),), instance or InstanceKeys.generate())

    @classmethod
    def load(cls, path: Path) -> Keyring:
        """Read a keyring file.

        Raises:
            SecretError: unreadable, damaged, or open to others (see `files.permission_problem`).
        """
        keyring: Keyring | None = None
        content = read_private(path)
        try:
            file = msgspec.json.decode(content, type=_File)
            if file.format == FORMAT:
                keys = [PrivateKey(entry.version, encoding.decode(entry.private)) for entry in file.keys]
                keyring = cls(keys, InstanceKeys.from_file(file.instance))
        except (msgspec.MsgspecError, ValueError):
            keyring = None
        except SecretError as error:
            raise SecretError(f"{path}: {error}") from error
        # Raised outside the handler, so that no exception in the chain holds what was read.
        if keyring is None:
            raise SecretError(f"{path}: is not a keyring of the format {FORMAT}")
        return keyring

    def create(self, path: Path) -> None:
        """Write a new keyring file (0600).

        Raises:
            SecretError: there is a file already (never overwritten), or it cannot be written.
        """
        try:
            create_atomically(path, self._content())
        except FileExistsError as error:
            raise SecretError(f"{path}: there is a file already, and keys are never overwritten") from error
        except OSError as error:
            raise SecretError(f"{path}: cannot be written: {error.strerror}") from error

    def save(self, path: Path) -> None:
        """Replace a keyring file, atomically and on disk when this returns.

        Raises:
            SecretError: it cannot be written; the old one is untouched.
        """
        try:
            write_atomically(path, self._content())
        except OSError as error:
            raise SecretError(f"{path}: cannot be written: {error.strerror}") from error

    def public(self) -> PublicKey:
        """The newest public key: what new texts are sealed to."""
        return self._keys[0].public

    def publics(self) -> tuple[PublicKey, ...]:
        """All public keys, newest first."""
        return tuple(key.public for key in self._keys)

    def instance_keys(self) -> InstanceKeys:
        return self._instance

    def seal(self, text: str, binding: Binding) -> str:
        """Seal with the newest key. Raises SecretError as `seal.seal`."""
        return seal(self.public(), text, binding)

    def open(self, sealed: str, binding: Binding) -> str:
        """The credential in a sealed text. The key is picked by the id in it, never by trial.

        Raises:
            SecretError: malformed, sealed with a key that is not here, sealed for another place or environment, or
                changed. The message names the field, never a value.
        """
        where = binding.location
        parsed = Sealed.parse(sealed, where)
        key = self._by_kid.get(parsed.kid)
        if key is None or key.version != parsed.version:
            raise SecretError(
                f"{where}: sealed with the key {parsed.kid} (v{parsed.version}), which the keyring does not hold"
            )
        plain = key.open(parsed.data, binding.info(parsed.version))
        if plain is None:
            raise SecretError(
                f"{where}: does not open: it was sealed for another place or environment (this is {binding.environment!r}), "
                "or was changed; seal it again, or after a rename use `alertbridge secrets seal --rename OLD NEW`"
            )
        text = _text(plain)
        if text is None:
            raise SecretError(f"{where}: what was sealed is not text")
        return text

    def with_new_key(self, version: int = CLASSIC) -> Keyring:
        """The same keyring with a new key in front."""
        return Keyring((PrivateKey.generate(version), *self._keys), self._instance)

    def without(self, kid: str) -> Keyring:
        """The same keyring without one key.

        Raises:
            SecretError: the key is not here, or is the one that seals.
        """
        if kid not in self._by_kid:
            raise SecretError(f"the keyring holds no key {kid}")
        if kid == self.public().kid:
            raise SecretError(f"{kid} is the key that seals; rotate first")
        return Keyring((key for key in self._keys if key.kid != kid), self._instance)

    def _content(self) -> bytes:
        keys = [{"kid": key.kid, "version": key.version, "private": encoding.encode(key.raw())} for key in self._keys]
        content = {"format": FORMAT, "keys": keys, "instance": self._instance.to_builtins()}
        return json.dumps(content, indent=1).encode() + b"\n"

    def __repr__(self) -> str:
        return f"<keyring {' '.join(self._by_kid)}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a keyring is not pickled")


def locate(configured: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Which keyring file is meant: the configured one, `$ALERTBRIDGE_KEYRING`, or `$CREDENTIALS_DIRECTORY/keyring.json`.

    None where nobody names one. A named file that is missing counts only if no other is there.

    Raises:
        SecretError: two of them exist and are different files.
    """
    named = [configured] if configured is not None else []
    if environ.get("ALERTBRIDGE_KEYRING"):
        named.append(Path(environ["ALERTBRIDGE_KEYRING"]))
    if environ.get("CREDENTIALS_DIRECTORY"):
        offered = Path(environ["CREDENTIALS_DIRECTORY"], "keyring.json")
        named += [offered] if offered.exists() else []
    present = {path.resolve(): path for path in named if path.exists()}
    if len(present) > 1:
        raise SecretError(f"several keyrings are named, only one may be: {', '.join(map(str, present.values()))}")
    return next(iter(present.values()), named[0] if named else None)


def _text(plain: bytes) -> str | None:
    try:
        return plain.decode()
    except UnicodeDecodeError:  # carries the bytes along, so it goes no further
        return None
