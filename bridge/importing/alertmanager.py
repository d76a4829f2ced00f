"""An alertmanager.yml into a configuration of ours, and what became of every key of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from bridge.domain.errors import ConfigError
from bridge.importing.conversion import Conversion
from bridge.importing.credentials import Credentials, Wanted
from bridge.importing.http_config import shared_settings
from bridge.importing.ledger import Entry, Ledger, Place
from bridge.importing.original import read_original
from bridge.importing.output import Output
from bridge.importing.receivers import Receivers, read_receivers
from bridge.importing.routing import inhibit_rules, route, time_intervals
from bridge.importing.template_files import read_templates
from bridge.secrets.seal import PublicKey

_OURS = ("smtp_", "slack_", "pagerduty_", "telegram_")
_OTHERS = ("opsgenie", "victorops", "wechat", "webex", "jira", "rocketchat", "mattermost")
_APART: Mapping[str, tuple[str, str]] = {
    "tracing": ("traces are not exported", "the audit log tells what was done"),
    "event_recorder": ("events are not written to other places", "the audit log tells what was done"),
}


class Imported(Struct, frozen=True):
    """The sections of our configuration, what became of the original, and the variables that somebody must set."""

    sections: Mapping[str, Output]
    entries: tuple[Entry, ...]
    wanted: tuple[Wanted, ...]
    sealed: int

    @property
    def left_out(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.outcome == "left_out")


def import_file(path: Path, key: PublicKey | None, environment: str) -> Imported:
    """Convert the file; secrets are sealed to the key, for bridges of that environment.

    Raises:
        OSError: the file cannot be read.
        ConfigError: it is no alertmanager.yml.
        SecretError: a secret cannot be sealed.
    """
    original = read_original(path)
    ledger = Ledger()
    root = Place(original.root, (), original.root.mark, ledger)
    credentials = Credentials(key, environment, path.parent)
    conversion = Conversion(root, credentials, read_templates(root.get("templates"), path.parent))
    tree = root.get("route")
    if tree is None:
        raise ConfigError(f"{root.mark}: an alertmanager.yml has a `route:`")
    found = read_receivers(conversion, root)
    sections: dict[str, Output] = {**_resolve_timeout(conversion), "http": shared_settings(conversion)}
    sections |= {"channels": found.channels, "receivers": found.receivers}
    rules = root.get("inhibit_rules")
    sections["inhibit_rules"] = inhibit_rules(rules) if rules is not None else []
    sections["time_intervals"] = time_intervals(root)
    sections["route"] = route(tree)
    _account(conversion, root, found)
    kept = {name: section for name, section in sections.items() if section}
    if original.more is not None:
        Place(original.root, (f"{original.more}",), original.more, ledger).left(
            "a second document in the file", "Alertmanager does not read it either"
        )
    entries = ledger.close(root)
    return Imported(kept, entries, tuple(credentials.wanted), credentials.sealed)


def _resolve_timeout(conversion: Conversion) -> dict[str, Output]:
    place = conversion.globals.get("resolve_timeout") if conversion.globals is not None else None
    if place is None:
        return {}
    place.mapped("resolve_timeout")
    return {"resolve_timeout": place.text()}


def _account(conversion: Conversion, root: Place, found: Receivers) -> None:
    """Say what became of what nobody read: settings for integrations that are not used, or that have no channel."""
    for name, (how, instead) in _APART.items():
        if (place := root.get(name)) is not None:
            place.left(how, instead)
    for key, place in conversion.globals.pairs() if conversion.globals is not None else []:
        other = next((name for name in _OTHERS if key.startswith(f"{name}_")), None)
        if other is not None and f"{other}_configs" in found.used:
            place.left(f"there is no channel for {other} here", "see its receivers")
        elif (other is not None or key.startswith(_OURS) or key == "http_config") and not place.is_read:
            place.noted("no receiver uses it")
