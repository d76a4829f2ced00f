"""The recorded requests beside this file, as values. README.md says how each came to be."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec import Struct

_HERE = Path(__file__).parent


class Recorded(Struct, frozen=True):
    """One request as it stood on the wire. `hmac` is there for signed ones only."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    parsed: dict[str, object] | list[dict[str, object]] | None
    hmac: dict[str, str] | None = None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The headers as a server hands them on."""
        return list(self.headers.items())


def recorded(folder: str) -> dict[str, Recorded]:
    """Every request in a folder, by name; files that hold no request are left out."""
    found = {}
    for path in sorted((_HERE / folder).glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "method" in content:
            found[content["name"]] = Recorded(
                name=content["name"],
                method=content["method"],
                path=content["path"],
                headers=content["headers"],
                body=content["body_raw"].encode(),
                parsed=content["body"],
                hmac=content.get("hmac"),
            )
    return found


ALERTMANAGER = recorded("alertmanager-0.25")
GRAFANA = recorded("grafana")
PROMETHEUS = recorded("prometheus-2.42")
