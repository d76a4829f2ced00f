"""Sealing anew: with a new key (rotation), for a new name (re-binding); and giving up keys nobody needs any more.

Files are replaced one by one, each atomically, and only the sealed texts in them change. Old keys stay in the keyring,
so a crash at any moment leaves every file readable; run the command again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import SecretError
from bridge.secrets.binding import Binding
from bridge.secrets.files import write_atomically
from bridge.secrets.keyring import Keyring
from bridge.secrets.places import Place, SecretFile, read_secret_file
from bridge.secrets.public_keys import PublicKeys
from bridge.secrets.seal import CLASSIC


class Resealed(Struct, frozen=True):
    """What was done: the key that seals now, and how many texts were sealed anew in which file."""

    kid: str
    files: tuple[tuple[Path, int], ...]

    @property
    def count(self) -> int:
        return sum(count for _path, count in self.files)


def rotate(
    keyring_path: Path, paths: Iterable[Path], environment: str, public_keys: Path | None, version: int = CLASSIC
) -> Resealed:
    """Make a new key and seal everything in these files to it.

    Nothing is changed unless every sealed text opens. The new key is on disk before the first file uses it.

    Raises:
        SecretError: a text does not open, or a file cannot be read or written.
    """
    keyring = Keyring.load(keyring_path)
    files = [read_secret_file(path) for path in paths]
    for file in files:
        for place in file.places:
            open_place(keyring, place, bindings_of(place, environment))
    renewed = keyring.with_new_key(version)
    renewed.save(keyring_path)
    crashpoint("rekey.after_write")
    if public_keys is not None:
        PublicKeys.of(renewed).save(public_keys)

    def reseal(place: Place) -> str:
        return renewed.seal(*open_place(renewed, place, bindings_of(place, environment)))

    return Resealed(renewed.public().kid, tuple((file.path, _replace(file, reseal)) for file in files))


def rename(keyring: Keyring, paths: Iterable[Path], environment: str, old: str, new: str) -> Resealed:
    """Bind to the name `new` what was sealed for `old`: for use after the name was changed in the files.

    A name is written alone (`team-slack`) or with its section (`channels/team-slack`). Texts at the new name that open
    there already are left alone.

    Raises:
        SecretError: nothing stands at the new name, a text opens under neither name, or a file cannot be read or written.
    """

    def rebind(place: Place) -> str:
        bindings = bindings_of(place, environment)
        if not _is_named(bindings[0], new):
            return place.token
        before = tuple(_named(binding, old) for binding in bindings)
        text, bound = open_place(keyring, place, (*bindings, *before))
        return place.token if bound in bindings else keyring.seal(text, bindings[before.index(bound)])

    files = [read_secret_file(path) for path in paths]
    places = [place for file in files for place in file.places]
    if not any(_is_named(bindings_of(place, environment)[0], new) for place in places):
        raise SecretError(
            f"nothing sealed stands at {new}: change the name in the configuration first, then run this again"
        )
    for place in places:
        rebind(place)  # whatever does not open is told before the first file is changed
    return Resealed(keyring.public().kid, tuple((file.path, _replace(file, rebind)) for file in files))


def retire(keyring_path: Path, kid: str, in_use: Iterable[str], public_keys: Path | None) -> None:
    """Take a key out of the keyring.

    `in_use` are the ids of the keys that something still needs: of the files, and of texts kept in the database.

    Raises:
        SecretError: the key is still needed, is the one that seals, or is not there.
    """
    keyring = Keyring.load(keyring_path)
    remaining = keyring.without(kid)
    uses = sum(1 for used in in_use if used == kid)
    if uses:
        raise SecretError(
            f"the key {kid} is still needed by {uses} sealed texts; run `alertbridge secrets rotate` first"
        )
    remaining.save(keyring_path)
    if public_keys is not None:
        PublicKeys.of(remaining).save(public_keys)


def bindings_of(place: Place, environment: str) -> tuple[Binding, ...]:
    """What a sealed text may be bound to where it stands, first what it is sealed for by its whole path.

    An element of a list may also have been sealed for the list: of two secrets in rotation the older one moves down
    without being sealed again.

    Raises:
        SecretError: no secret can stand there.
    """
    paths = [place.path, place.path[:-1]] if place.path and place.path[-1].isdigit() else [place.path]
    try:
        return tuple(Binding.in_file(environment, path) for path in paths)
    except SecretError as error:
        raise SecretError(f"{place.where}: {error}") from error


def open_place(keyring: Keyring, place: Place, bindings: Sequence[Binding]) -> tuple[str, Binding]:
    """What is sealed at a place, and which of these bindings opened it.

    Raises:
        SecretError: none did; the message names file, line and place.
    """
    refusals: list[SecretError] = []
    for binding in bindings:
        try:
            return keyring.open(place.token, binding), binding
        except SecretError as error:
            refusals.append(error)
    raise SecretError(f"{place.where}: {refusals[0]}") from refusals[0]


def _is_named(binding: Binding, name: str) -> bool:
    return name in {binding.name, f"{binding.section}/{binding.name}"}


def _named(binding: Binding, name: str) -> Binding:
    prefix = f"{binding.section}/"
    return Binding(binding.environment, binding.section, name.removeprefix(prefix), binding.field)


def _replace(file: SecretFile, change: Callable[[Place], str]) -> int:
    """Write the file with its tokens changed; how many were. A file that was edited meanwhile is not overwritten."""
    tokens = [change(place) for place in file.places]
    changed = sum(place.token != token for place, token in zip(file.places, tokens, strict=True))
    if not changed:
        return 0
    try:
        if file.path.read_bytes() != file.text.encode():
            raise SecretError(f"{file.path}: was changed meanwhile; run this again")
        write_atomically(file.path, splice(file.text, file.places, tokens).encode())
        crashpoint("rekey.after_write")
    except OSError as error:
        raise SecretError(f"{file.path}: cannot be written: {error.strerror}") from error
    return changed


def splice(text: str, places: Sequence[Place], tokens: Sequence[str]) -> str:
    """The text with the token at each place (in order) replaced and every other character as it was."""
    parts, position = [], 0
    for place, token in zip(places, tokens, strict=True):
        parts += [text[position : place.start], token]
        position = place.end
    return "".join([*parts, text[position:]])
