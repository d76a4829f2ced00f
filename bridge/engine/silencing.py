"""A silence begins or ends: escalations of what it hides pause, and what it hid and still fires is announced."""

from __future__ import annotations

from bridge.domain.audit import Kind
from bridge.engine import groups
from bridge.engine.work import Work
from bridge.storage import incidents, muting, silences, timers
from bridge.storage.timers import Timer

_PAGE = 200
_BREAK = "\n"


async def turn(work: Work, timer: Timer) -> None:
    """Take a timer that was just deleted. Its data is the silence's id, and up to which incident the work is done."""
    name, _, after = timer.data.partition(_BREAK)
    silence = await silences.get(work.tx, name)
    if not after:
        for incident_id in await muting.hidden_by(work.tx, name):
            await groups.wake(work, incident_id)
        if silence is not None and silence.updated_at < silence.ends_at <= work.now:
            work.record(Kind.SILENCE_EXPIRED, reason="ended", detail=name)
    if silence is None or not silence.starts_at <= work.now < silence.ends_at:
        return
    page = await timers.incidents_with_steps(work.tx, after, _PAGE)
    for incident_id in page:
        incident = await incidents.get(work.tx, incident_id)
        if incident is not None and incident.state == "open":
            await groups.pause_if_hidden(work, incident)
    if len(page) == _PAGE:
        await timers.add(work.tx, "silence", work.now, f"{name}{_BREAK}{page[-1]}")
        work.effects.due(work.now)
