"""What was told already follows an incident's state: edited, or answered in its thread, where the channel can."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bridge.domain.message import Reason
from bridge.engine import outbox
from bridge.engine.work import Work
from bridge.storage import incidents
from bridge.storage.incidents import Incident


async def tell(
    work: Work,
    incident: Incident,
    reason: Reason,
    *,
    note: str = "",
    under_way: Iterable[str] = (),
    but: Collection[str] = (),
) -> None:
    """Queue the follow-up for every channel that was told and wants it, besides `but`.

    A channel with a message `under_way` is one that was told, unless the message turns out to have failed: then the
    follow-up ends when it is claimed.
    """
    channels = work.generation.channels
    told = dict.fromkeys([*await incidents.told_channels(work.tx, incident.id), *under_way])
    wanted = [
        name for name in told if name in channels and name not in but and not outbox.refusal(channels[name], reason)
    ]
    people = await outbox.heard_for(work, incident) if wanted else outbox.NOBODY
    await outbox.tell_channels(work, incident, wanted, reason, note=note, people=people)
