"""Reports that waited are judged again: firings that came after their end, and alerts that a hook held."""

from __future__ import annotations

import msgspec

from bridge.domain.alert import Webhook
from bridge.engine.planner import LateReport, Planner
from bridge.engine.work import Work
from bridge.storage.timers import Timer

_DECODER = msgspec.json.Decoder(LateReport)


async def replay(work: Work, timer: Timer) -> None:
    """Plan a report whose timer was just deleted. A late firing that waited long enough is believed."""
    late = _DECODER.decode(timer.data)
    request = Webhook(late.alert.source, "waited", (late.alert,), group_labels=late.group_labels, org=late.alert.org)
    await Planner(work, request, confirmed=late.why == "late").plan()
