"""What makes a silence valid, and which edits keep its id. Pure.

Source: Alertmanager 0.34, `postSilencesHandler`, `validateSilence` and `canUpdate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from bridge.domain.errors import BridgeError
from bridge.ingest.posted_silence import Parts, PostedSilence
from bridge.routing.matchers import Matcher, Operator
from bridge.routing.silences import Silence, hides_everything


class SilenceRefused(BridgeError):  # noqa: N818 - the outcome is the name
    """A silence that makes no sense; the message is Alertmanager's."""


def check_times(posted: PostedSilence, now: datetime) -> datetime:
    """The end of a silence that may begin.

    Raises:
        SilenceRefused: it ends before it begins, or is over.
    """
    if posted.ends_at is None or (posted.starts_at is not None and posted.starts_at >= posted.ends_at):
        raise SilenceRefused("Failed to create silence: start time must be before end time")
    if posted.ends_at < now:
        raise SilenceRefused("Failed to create silence: end time can't be in the past")
    return posted.ends_at


def matchers_of(parts: Sequence[Parts]) -> tuple[Matcher, ...]:
    """The matchers, of which at least one is about a label that an alert must have.

    Raises:
        SilenceRefused: one is invalid, or all of them match what has no labels.
    """
    found = tuple(_matcher(index, part) for index, part in enumerate(parts))
    if hides_everything(found):
        raise SilenceRefused("invalid silence: matcher set 0: at least one matcher must not match the empty string")
    return found


def may_keep_id(old: Silence, new: Silence, now: datetime) -> bool:
    """Whether `old` can become `new` without changing what was silenced in the past."""
    if old.matchers != new.matchers:
        return False
    match old.state(now):
        case "active":
            return _second(old.starts_at) == _second(new.starts_at) and new.ends_at >= now
        case "pending":
            return new.starts_at >= now
        case _:
            return False


def _matcher(index: int, part: Parts) -> Matcher:
    name, operator, value = part
    where = f"invalid silence: invalid label matcher {index} in set 0"
    if not name:
        raise SilenceRefused(f'{where}: invalid label name ""')
    try:
        return Matcher(name, cast("Operator", operator), value)
    except ValueError as error:
        raise SilenceRefused(f"{where}: {error}") from None


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
