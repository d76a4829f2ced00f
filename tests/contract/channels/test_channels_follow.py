"""What each channel shows, on what it already sent, of who has an incident."""

from __future__ import annotations

from msgspec.structs import replace as evolve

from bridge.channels.api import Reason
from bridge.net import HttpClient
from tests.contract.channels.case import Case
from tests.contract.channels.messages import message
from tests.contract.channels.test_channels import context, every_channel, where


@every_channel
async def test_a_channel_says_what_it_shows_on_what_it_already_sent(case: Case) -> None:
    async with case.service() as service:
        channel = case.build(service.url)
    assert channel.follows_acknowledgement is (Reason.ACKNOWLEDGED in case.follows)
    assert getattr(channel, "follows_unacknowledgement", False) is (Reason.UNACKNOWLEDGED in case.follows)


@where(lambda case: len(case.follows) == 2)
async def test_what_was_told_or_its_thread_says_who_has_it_and_when_nobody_has(case: Case, http: HttpClient) -> None:
    held = evolve(message(reason=Reason.ACKNOWLEDGED), acknowledged_by="alice", standing="Acknowledged by alice by SMS")
    async with case.service() as service:
        channel = case.build(service.url)
        receipt = await channel.send(message(), context(http))
        receipt = await channel.send(held, context(http, key="key-2", previous=receipt))
        assert "Acknowledged by alice by SMS" in service.told()[-1].text
        open_again = evolve(message(reason=Reason.UNACKNOWLEDGED), note="Given back by alice")
        await channel.send(open_again, context(http, key="key-3", previous=receipt))
        last = service.told()[-1].text
    assert "Given back by alice" in last
    assert "Acknowledged" not in last
