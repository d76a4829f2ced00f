"""Where a secret sits: what a sealed text is bound to."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from bridge.domain.errors import SecretError

LIST_SECTIONS = frozenset({("access", "tokens")})
"""Sections two keys deep: lists, whose entries are told apart by their `name`."""


class Binding(Struct, frozen=True):
    """Environment, section, name and field of a secret: `production`, `channels`, `team-slack`, `webhook_url`.

    It comes from where the value stands in the loaded configuration, never from the sealed text itself. The section of
    a list is written with its key (`access/tokens`), keys below the name are joined by dots (`auth.bearer`); a field
    that stands directly in its section has an empty name.
    """

    environment: str
    section: str
    name: str
    field: str

    @property
    def location(self) -> str:
        """The place as people write it: `channels/team-slack/webhook_url`."""
        return "/".join(part for part in (self.section, self.name, self.field) if part)

    def info(self, version: int) -> bytes:
        """The injective encoding HPKE binds a text to: every part with its length (4 bytes, big-endian) before it."""
        parts = (f"alertbridge/seal/v{version}", self.environment, self.section, self.name, self.field)
        encoded = [part.encode() for part in parts]
        return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)

    @classmethod
    def at(cls, environment: str, path: Sequence[str]) -> Binding:
        """The binding of a value found under these keys; an entry of a list counts by its `name`, else its index.

        Raises:
            SecretError: the path is too short to be inside a section.
        """
        if len(path) < 2 or not all(path):
            raise SecretError(f"{'/'.join(path) or 'the top'}: a secret stands in a section: SECTION/NAME/FIELD")
        if len(path) == 2:
            return cls(environment, path[0], "", path[1])
        if tuple(path[:2]) in LIST_SECTIONS and len(path) > 3:
            return cls(environment, f"{path[0]}/{path[1]}", path[2], ".".join(path[3:]))
        return cls(environment, path[0], path[1], ".".join(path[2:]))

    @classmethod
    def in_file(cls, environment: str, path: Sequence[str]) -> Binding:
        """As `at`, for the keys that lead to a value in a file.

        A hook's secrets are bound to `hooks`, its name and its field wherever its list stands, before routing or in any
        route, so that hooks and routes may be moved and reordered.

        Raises:
            SecretError: as `at`.
        """
        rest = tuple(path)
        if rest[:1] == ("route",):
            rest = rest[1:]
        while rest[:1] == ("routes",):
            rest = rest[2:]
        return cls.at(environment, ("hooks", *rest[2:]) if rest[:1] == ("hooks",) and len(rest) > 2 else path)

    @classmethod
    def parse(cls, environment: str, location: str) -> Binding:
        """Read `SECTION/NAME/FIELD`; a name may hold slashes, a section and a field may not.

        Raises:
            SecretError: it is not a location.
        """
        parts = location.split("/")
        if len(parts) < 2 or not all(parts):
            raise SecretError(
                f"{location!r} is not a place: write SECTION/NAME/FIELD (channels/team-slack/webhook_url)"
            )
        if len(parts) == 2:
            return cls(environment, parts[0], "", parts[1])
        deep = 2 if tuple(parts[:2]) in LIST_SECTIONS and len(parts) > 3 else 1
        return cls(environment, "/".join(parts[:deep]), "/".join(parts[deep:-1]), parts[-1])
