"""On a shared database: whoever is on call is told once, by whichever bridge takes the step, and rules stop there too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.bridge_bench import firing
from tests.contract.replicas.bridges import bridges, settle, told
from tests.unit.engine.test_calling import ON_CALL


async def test_a_step_and_its_rules_are_taken_once_and_an_acknowledgement_at_another_bridge_stops_them(
    tmp_path: Path, postgres_url: str
) -> None:
    async with bridges(tmp_path, postgres_url, 2, ON_CALL) as found:
        one, two = found
        await one.accept(firing())
        await settle(found)
        one.clock.time += timedelta(minutes=10)
        await settle(found)
        assert sorted(told(found)) == ["anna-slack escalated", "people opened"]
        incident = (await two.operator.incidents()).incidents[0].id
        detail = await two.operator.acknowledge(incident, "anna", two.clock.now())
        assert {one.channel: one.person for one in detail.deliveries} == {"people": "", "anna-slack": "anna"}
        one.clock.time += timedelta(minutes=10)
        await settle(found)
        assert len(told(found)) == 2
        await two.operator.unacknowledge(incident, "anna", two.clock.now())
        one.clock.time += timedelta(minutes=5)
        await settle(found)
        assert sorted(told(found))[:2] == ["anna-slack escalated", "anna-sms escalated"]
