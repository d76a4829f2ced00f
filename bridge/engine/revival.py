"""Which dead letters are still wanted, and what becomes of those of one incident and channel. Decides alone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT, DeliveryState, merged_reason
from bridge.domain.message import FOLLOW_UPS, Reason
from bridge.storage.incidents import Incident
from bridge.storage.letters import Letter


class LeftOut(StrEnum):
    """Why a letter stays as it is."""

    NOT_FIRING = "not_firing"
    ACKNOWLEDGED = "acknowledged"
    NOTICE = "notice"
    SEND_ON = "send_on"
    CHANNEL_UNUSABLE = "channel_unusable"
    INCIDENT_GONE = "incident_gone"


class Pair(Struct, frozen=True):
    """The letters of one incident and channel that are asked for, and what else is known there; oldest first.

    `waiting` are deliveries that will be sent anyway. `told_id` and `told_at` are the highest id and the latest hour of
    planning of what was sent. `knows_firing` says that the channel was told of a firing and not of its end, `wants_end`
    that it is configured to hear of ends, `usable` that it can send.
    """

    incident: Incident | None
    letters: tuple[Letter, ...]
    waiting: tuple[Letter, ...] = ()
    told_id: int = 0
    told_at: datetime | None = None
    knows_firing: bool = False
    wants_end: bool = True
    usable: bool = True


class Fate(Struct, frozen=True):
    """What becomes of a pair's letters. `revived` goes out again, for `reason`; else `heir`, which waits, tells it all.

    `superseded` end: the channel was told something newer, or one of the others tells what they had to say.
    """

    revived: Letter | None = None
    heir: Letter | None = None
    reason: Reason = Reason.OPENED
    superseded: tuple[Letter, ...] = ()
    left_out: tuple[tuple[Letter, LeftOut], ...] = ()


def judge(pair: Pair, *, everything: bool) -> Fate:
    """One message with the whole present state, for as many letters as there are. `everything` wants ends that nobody
    waits for, too; what an acknowledgement stopped stays stopped.
    """
    wanted: list[Letter] = []
    superseded: list[Letter] = []
    left_out: list[tuple[Letter, LeftOut]] = []
    for letter in pair.letters:
        why = _unwanted(pair, letter, everything=everything)
        if _said_already(pair, letter):
            superseded.append(letter)
        elif why is None:
            wanted.append(letter)
        else:
            left_out.append((letter, why))
    if not wanted:
        return Fate(superseded=tuple(superseded), left_out=tuple(left_out))
    reason = _reason(pair, wanted)
    heir = _heir(pair, wanted)
    if heir is not None:
        merged = merged_reason(reason, heir.reason)
        return Fate(heir=heir, reason=merged, superseded=(*superseded, *wanted), left_out=tuple(left_out))
    *older, newest = wanted
    return Fate(revived=newest, reason=reason, superseded=(*superseded, *older), left_out=tuple(left_out))


def judge_notice(notice: Letter, *, everything: bool, usable: bool) -> Fate:
    """A word of the bridge itself stands alone, and is old news unless somebody wants it all."""
    if not usable:
        return Fate(left_out=((notice, LeftOut.CHANNEL_UNUSABLE),))
    if not everything:
        return Fate(left_out=((notice, LeftOut.NOTICE),))
    return Fate(revived=notice, reason=notice.reason)


def _said_already(pair: Pair, letter: Letter) -> bool:
    """Whether the channel was told something newer, or what it was to be told has passed and something else is true."""
    if pair.incident is None:
        return False
    if pair.told_at is not None and (pair.told_id > letter.id or pair.told_at > letter.created_at):
        return True
    if letter.reason is Reason.RESOLVED:  # it fires again, and that has its own delivery
        return pair.incident.state != "resolved"
    if letter.reason is Reason.ACKNOWLEDGED:
        return not pair.incident.quiet
    return letter.reason is Reason.UNACKNOWLEDGED and pair.incident.state != "open"


def _unwanted(pair: Pair, letter: Letter, *, everything: bool) -> LeftOut | None:
    if pair.incident is None:
        return LeftOut.INCIDENT_GONE
    if letter.state is DeliveryState.PARKED and not pair.usable:
        return LeftOut.CHANNEL_UNUSABLE
    if pair.incident.state == "resolved":
        return _unwanted_end(pair, everything=everything)
    return LeftOut.ACKNOWLEDGED if _stopped(pair.incident, letter) else None


def _unwanted_end(pair: Pair, *, everything: bool) -> LeftOut | None:
    if not pair.knows_firing and not everything:
        return LeftOut.NOT_FIRING
    return None if pair.wants_end else LeftOut.SEND_ON


def _stopped(incident: Incident, letter: Letter) -> bool:
    """Whether an acknowledgement stopped it: planned before, and no resolve."""
    acknowledged = incident.acknowledged_at if incident.quiet else None
    return (
        acknowledged is not None and letter.reason in CANCELLED_BY_ACKNOWLEDGEMENT and letter.created_at <= acknowledged
    )


def _reason(pair: Pair, wanted: list[Letter]) -> Reason:
    if pair.incident is not None and pair.incident.state == "resolved":
        return Reason.RESOLVED
    reason = wanted[0].reason
    for letter in wanted[1:]:
        reason = merged_reason(reason, letter.reason)
    return reason


def _heir(pair: Pair, wanted: list[Letter]) -> Letter | None:
    """The first delivery that waits and will say what the wanted ones had to say."""
    newest = wanted[-1]
    follow_up = newest.reason in FOLLOW_UPS
    for waiting in pair.waiting:
        newer = waiting.id > newest.id or waiting.created_at > newest.created_at
        if (newer or waiting.state is not DeliveryState.LEASED) and (follow_up or waiting.reason not in FOLLOW_UPS):
            return waiting
    return None
