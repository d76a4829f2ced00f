"""What readers of a message may do about its incident: links and buttons, signed for whom the message goes to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from bridge.channels.api import Channel
from bridge.config.model import Config
from bridge.domain.deed import Deed
from bridge.domain.message import Action
from bridge.domain.person import Person
from bridge.engine.links import Links

PATH = "/a/"
LABELS: Mapping[Deed, str] = {
    Deed.ACKNOWLEDGE: "Acknowledge",
    Deed.RESOLVE: "Resolve",
    Deed.SNOOZE: "Snooze 1h",
    Deed.UNACKNOWLEDGE: "Give back",
    Deed.ESCALATE: "Escalate",
}
_OPEN = (Deed.ACKNOWLEDGE, Deed.SNOOZE, Deed.RESOLVE)
_QUIET = (Deed.UNACKNOWLEDGE, Deed.RESOLVE)
_PERSON, _CHANNEL = "person ", "channel "


def deeds_for(state: str) -> tuple[Deed, ...]:
    """What can be done to an incident in that state, the likeliest first."""
    if state == "open":
        return _OPEN
    return () if state == "resolved" else _QUIET


class At(Struct, frozen=True):
    """A message that is about to be sent. `person` is whom it is for, where it is for one person."""

    channel: str
    incident: str
    state: str
    now: datetime
    person: str = ""


def actions(links: Links, config: Config, at: At, *, buttons: bool) -> tuple[Action, ...]:
    """The actions of a message; none where neither a link could be followed nor `buttons` be heard of."""
    base = config.server.external_url
    if base is None and not buttons:
        return ()
    recipient = recipient_of(config, at.channel, at.person)
    expires_at = at.now + config.acknowledgement.links_last
    tokens = {deed: links.token(deed, at.incident, recipient, expires_at) for deed in deeds_for(at.state)}
    return tuple(
        Action(deed, LABELS[deed], token, f"{base}{PATH}{token}" if base is not None else "")
        for deed, token in tokens.items()
        if token
    )


def hears(channel: Channel | None) -> bool:
    """Whether a channel's service tells of buttons that are pressed."""
    return getattr(channel, "callback", None) is not None


def recipient_of(config: Config, channel: str, person: str = "") -> str:
    """Whom links on a channel are given to: the person a message is for, or whose channel it is alone, or all who read it."""
    if person in config.people:
        return f"{_PERSON}{person}"
    owners = [name for name, person in config.people.items() if channel in person.channels.values()]
    return f"{_PERSON}{owners[0]}" if len(owners) == 1 else f"{_CHANNEL}{channel}"


def recipients(people: Mapping[str, Person], channels: Mapping[str, object]) -> list[str]:
    """Everybody whom a link may have been given to."""
    return [*(f"{_PERSON}{name}" for name in people), *(f"{_CHANNEL}{name}" for name in channels)]


def person_in(recipient: str) -> str:
    """The person a link was given to; empty if to all who read a channel."""
    return recipient.removeprefix(_PERSON) if recipient.startswith(_PERSON) else ""


def channel_in(recipient: str) -> str:
    return recipient.removeprefix(_CHANNEL)
