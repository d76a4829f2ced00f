"""What links and buttons ask for, done; and said in a sentence."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.domain.duration import format_duration
from bridge.engine.incident_acts import IncidentActs
from bridge.engine.views import IncidentDetail, IncidentSummary

SNOOZE = timedelta(hours=1)
"""How long a snooze lasts where nobody says."""
LONGEST_SNOOZE = timedelta(days=366)
_SAID = {
    Deed.ACKNOWLEDGE: "acknowledged by {by}.",
    Deed.RESOLVE: "resolved by {by}.",
    Deed.UNACKNOWLEDGE: "open again, given back by {by}.",
    Deed.ESCALATE: "{by} took the next step of the escalation.",
}


async def do(
    acts: IncidentActs, deed: Deed, incident: str, by: str, now: datetime, via: Via, lasting: timedelta | None = None
) -> IncidentDetail:
    """Carry a deed out; a note in the answer says why nothing changed.

    Raises:
        NotFound: no such incident.
        Conflict: somebody else acknowledged or snoozed it first.
    """
    if deed is Deed.SNOOZE:
        period = min(max(lasting or SNOOZE, timedelta(minutes=1)), LONGEST_SNOOZE)
        return await acts.snooze(incident, now + period, by, now, via)
    act = {
        Deed.ACKNOWLEDGE: acts.acknowledge,
        Deed.RESOLVE: acts.resolve,
        Deed.UNACKNOWLEDGE: acts.unacknowledge,
        Deed.ESCALATE: acts.escalate,
    }[deed]
    return await act(incident, by, now, via)


def sentence(deed: Deed, detail: IncidentDetail, by: str, now: datetime) -> str:
    """`HighCPU: acknowledged by alice.`, or what the note says."""
    name = name_of(detail.incident)
    if detail.note:
        return f"{name}: {detail.note}."
    if deed is Deed.SNOOZE and detail.incident.snoozed_until is not None:
        return f"{name}: snoozed by {by} for {format_duration(detail.incident.snoozed_until - now)}."
    return f"{name}: {_SAID.get(deed, 'done by {by}.').format(by=by)}"


def name_of(incident: IncidentSummary) -> str:
    """What people call an incident."""
    return incident.labels.get("alertname") or incident.group_labels.get("alertname") or f"Incident {incident.id}"
