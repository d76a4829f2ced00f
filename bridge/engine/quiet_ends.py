"""When a snooze or an acknowledgement ends by itself: timers, written when it begins."""

from __future__ import annotations

from bridge.engine.work import Work
from bridge.storage import timers
from bridge.storage.incidents import Incident

SNOOZE = "snooze"
ACKNOWLEDGEMENT = "acknowledgement"
REMINDS, EXPIRES = "reminds", "expires"
"""What the timers of an acknowledgement are for: their data."""


async def write(work: Work, quiet: Incident, *, reminds: bool = True) -> None:
    """Write when it ends, in place of what was written before. An acknowledgement ends as it is configured at this moment."""
    await timers.stop_quiet(work.tx, quiet.id)
    if quiet.snoozed_until is not None:
        await timers.add(work.tx, SNOOZE, quiet.snoozed_until, "", incident=quiet.id)
        work.effects.due(quiet.snoozed_until)
        return
    settings = work.generation.config.acknowledgement
    if settings.expires_after is None:
        return
    over = work.now + settings.expires_after
    await timers.add(work.tx, ACKNOWLEDGEMENT, over, EXPIRES, incident=quiet.id)
    work.effects.due(over)
    if reminds and settings.remind_before:
        before = over - settings.remind_before
        await timers.add(work.tx, ACKNOWLEDGEMENT, before, REMINDS, incident=quiet.id)
        work.effects.due(before)
