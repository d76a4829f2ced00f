"""The credentials of the original: sealed for the place they get in our configuration, never written in plain text."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from bridge.importing.ledger import Place
from bridge.secrets.binding import Binding
from bridge.secrets.seal import PublicKey, seal

MASKED = "<secret>"
"""What Alertmanager shows in the place of a secret."""


class Wanted(Struct, frozen=True):
    """A variable that a reference in the output names and somebody must set; `at` is where its value stands."""

    variable: str
    at: str
    to: str


class Credentials:
    """Writes secrets: sealed if there is a key, else as `env:` references that `wanted` lists."""

    def __init__(self, key: PublicKey | None, environment: str, home: Path) -> None:
        """`home` is the directory that relative paths in the original begin at."""
        self._key = key
        self._environment = environment
        self._home = home
        self.sealed = 0
        self.wanted: list[Wanted] = []

    def keep(self, place: Place, to: tuple[str, ...], before: str = "") -> str:
        """What to write for the secret that stands at the place, for the option at `to`, with a text put before it."""
        target = ".".join(to)
        if place.text() == MASKED:
            reference = self.ask(place, to)
            place.left("the secret itself is not in the file", f"{target} is {reference}")
            return reference
        if self._key is None:
            reference = self.ask(place, to)
            place.mapped(target, f"as {reference}, which wants setting")
            return reference
        self.sealed += 1
        place.mapped(target, "sealed")
        return seal(self._key, before + place.text(), Binding.at(self._environment, to))

    def in_file(self, place: Place, to: tuple[str, ...]) -> str:
        """A reference to the file that the place names."""
        reference = f"file:{self.located(place.text())}"
        place.mapped(".".join(to), f"as {reference}")
        return reference

    def located(self, path: str) -> Path:
        """A path of the original as seen from here."""
        return self._home / path

    def ask(self, place: Place, to: tuple[str, ...]) -> str:
        """A reference to a variable that is not there yet."""
        taken = {wanted.variable: wanted for wanted in self.wanted}
        name = base = "ALERTBRIDGE_" + re.sub(r"[^A-Z0-9]+", "_", "_".join(to[1:]).upper()).strip("_")
        number = 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        self.wanted.append(Wanted(name, str(place.mark), ".".join(to)))
        return f"env:{name}"
