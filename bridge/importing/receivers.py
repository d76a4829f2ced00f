"""Receivers: each integration becomes a channel, each receiver the list of its channels.

A receiver of which nothing is left gets a placeholder: a webhook channel whose URL is a variable that is not there.
Its deliveries park, `check` warns of it and `check --secrets` refuses it, until somebody fills it in: alerts are never
swallowed because nobody noticed that their receiver had gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from bridge.domain.errors import ConfigError
from bridge.importing.conversion import Conversion, Options
from bridge.importing.email import email
from bridge.importing.ledger import Place
from bridge.importing.output import Output
from bridge.importing.pagerduty import pagerduty
from bridge.importing.slack import slack
from bridge.importing.telegram import telegram
from bridge.importing.webhook import webhook

Convert = Callable[[Conversion, Place, str], Options | None]
_KINDS: Mapping[str, tuple[str, Convert]] = {
    "webhook_configs": ("webhook", webhook),
    "slack_configs": ("slack", slack),
    "pagerduty_configs": ("pagerduty", pagerduty),
    "email_configs": ("email", email),
    "telegram_configs": ("telegram", telegram),
}
_OTHERS = frozenset(
    f"{name}_configs"
    for name in (
        "discord", "incidentio", "jira", "mattermost", "msteams", "msteamsv2", "opsgenie", "pushover", "rocketchat",
        "sns", "victorops", "webex", "wechat",
    )
)  # fmt: skip
_LONGEST = 180


class Receivers(Struct):
    """What became of them. `used` are the integrations that the original has, by their keys."""

    channels: dict[str, Output]
    receivers: dict[str, Output]
    used: set[str]


def read_receivers(conversion: Conversion, root: Place) -> Receivers:
    """All receivers.

    Raises:
        ConfigError: a receiver without a name, or a name that stands there twice.
    """
    found = Receivers({}, {}, set())
    section = root.get("receivers")
    for place in section.items() if section is not None else []:
        named = place.get("name")
        name = named.text() if named is not None else ""
        if named is None or not name or name in found.receivers:
            raise ConfigError(f"{place.mark}: every receiver has a name of its own, and this one has not")
        found.receivers[name] = _receiver(conversion, place, name, found)
        named.mapped(f"receivers.{name}")
    return found


def _receiver(conversion: Conversion, place: Place, name: str, found: Receivers) -> Output:
    channels: list[Output] = []
    failed: list[tuple[Place, str]] = []
    for key, configs in place.pairs():
        if key == "labels":
            configs.left("receivers have no labels here", "they have no effect")
        elif key in _KINDS or key in _OTHERS:
            _integrations(conversion, configs, name, found, (channels, failed))
    if failed and not channels:
        channels.append(_placeholder(conversion, place, name, found))
    for item, why in failed:
        item.left(why, f"the receiver tells over {', '.join(map(str, channels))}")
    return channels


def _integrations(
    conversion: Conversion,
    configs: Place,
    receiver: str,
    found: Receivers,
    outcome: tuple[list[Output], list[tuple[Place, str]]],
) -> None:
    channels, failed = outcome
    key = configs.name
    items = configs.items()
    if not items:
        configs.noted("it is empty")
        return
    found.used.add(key)
    if key in _OTHERS:
        failed += [(item, f"there is no channel for {key.removesuffix('_configs')} here") for item in items]
        return
    kind, convert = _KINDS[key]
    for number, item in enumerate(items, 1):
        channel = _free(f"{receiver}-{kind}-{number}", found)
        options = convert(conversion, item, channel)
        if options is None:
            failed.append((item, f"nothing can be sent to {kind} with what is given here"))
            continue
        found.channels[channel] = options
        channels.append(channel)


def _placeholder(conversion: Conversion, place: Place, receiver: str, found: Receivers) -> str:
    channel = _free(f"{receiver}-placeholder-1", found)
    at = ("channels", channel, "url")
    found.channels[channel] = {"type": "webhook", "url": conversion.credentials.ask(place, at)}
    return channel


def _free(wanted: str, found: Receivers) -> str:
    """A name that a channel may have and none has yet."""
    sound = "".join(char if char.isprintable() and char != "/" else "-" for char in wanted).strip()
    base, _, number = sound.rpartition("-")
    name = f"{base[:_LONGEST].strip()}-{number}"
    while name in found.channels:
        number = str(int(number) + 1)
        name = f"{base[:_LONGEST].strip()}-{number}"
    return name
