"""A silence begins or ends: what it hides is noted, and what it hid and still fires is announced."""

from __future__ import annotations

from bridge.domain.audit import Kind
from bridge.engine import groups
from bridge.engine.work import Work
from bridge.storage import incidents, muting, silences, timers
from bridge.storage.timers import Timer

_PAGE = 500
_BREAK = "\n"


async def turn(work: Work, timer: Timer) -> None:
    """Take a timer that was just deleted. Its data is the silence's id, and up to which alert the work is done."""
    name, _, after = timer.data.partition(_BREAK)
    silence = await silences.get(work.tx, name)
    if not after:
        for incident_id in await muting.hidden_by(work.tx, name):
            await groups.wake(work, incident_id)
        if silence is not None and silence.updated_at < silence.ends_at <= work.now:
            work.record(Kind.SILENCE_EXPIRED, reason="ended", detail=name)
    if silence is not None and silence.starts_at <= work.now < silence.ends_at:
        await _begin(work, name, int(after or 0))


async def _begin(work: Work, name: str, after: int) -> None:
    """Note what is hidden from now on, page by page: without that, its end would concern nobody who was told before."""
    page = await muting.firing_page(work.tx, after, _PAGE)
    found: dict[str, None] = {}
    for number, _fingerprint, labels in page:
        if any(silence.id == name for silence in work.silences.matching(labels, work.now)):
            found.update(dict.fromkeys(await incidents.with_firing(work.tx, number)))
    for incident_id in found:
        incident = await incidents.get(work.tx, incident_id)
        if incident is not None and incident.state != "resolved":
            await groups.see(work, incident)
    if len(page) == _PAGE:
        await timers.add(work.tx, "silence", work.now, f"{name}{_BREAK}{page[-1][0]}")
        work.effects.due(work.now)
