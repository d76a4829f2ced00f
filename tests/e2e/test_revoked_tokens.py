"""A revoked token is one outage: one notice, nothing dies, and once it works again all that is still wanted goes out."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from tests.e2e.outbound import Here, here, received
from tests.simulators.server import Answer, Recorded
from tests.simulators.slack import SlackApi, failure, told_of
from tests.simulators.webhook import WebhookReceiver

SLACK = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
fallback: desk
channels:
  bot: {type: slack, token: "env:SLACK_TOKEN", channel: general, url: "BOT/api"}
  desk: {type: webhook, url: "DESK/"}
route: {receiver: bot, group_by: [alertname], group_wait: 0s}
"""
SHARED = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
fallback: desk
credentials:
  partner: {token: "env:PARTNER_TOKEN"}
channels:
  orders: {type: webhook, url: "PARTNER/orders", bearer: "credential:partner"}
  bills: {type: webhook, url: "PARTNER/bills", bearer: "credential:partner"}
  desk: {type: webhook, url: "DESK/"}
receivers:
  both: [orders, bills]
route: {receiver: both, group_by: [alertname], group_wait: 0s}
"""
INCIDENTS = 500
AT_ONCE = 32


class Slack(SlackApi):
    """A workspace whose admin may revoke the bot's token."""

    def __init__(self) -> None:
        super().__init__("slack-canary-token")
        self.revoked = False
        self.refused = 0

    def answer(self, request: Recorded) -> Answer:
        if self.revoked:
            self.refused += 1
            return failure("invalid_auth")
        return super().answer(request)


class Partner(WebhookReceiver):
    """One service with one token and two addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.revoked = False
        self.refused = 0

    def answer(self, request: Recorded) -> Answer:
        if self.revoked or request.headers.get("Authorization") != "Bearer partner-canary-token":
            self.refused += 1
            return Answer(401)
        return super().answer(request)


def notices(desk: WebhookReceiver) -> list[str]:
    """What the bridge had to say of itself."""
    bodies = [request.body.decode() for request in desk.requests]
    return [body for body in bodies if "AlertbridgeNotice" in body]


def numbered(first: int, last: int) -> list[str]:
    return [f"Alert{number}" for number in range(first, last)]


def shown(slack: Slack) -> Counter[str]:
    """How many messages of the channel begin with each line."""
    return Counter(told_of(message.body).text.splitlines()[0] for message in slack.roots())


async def post_all(bridge: Here, names: list[str], status: str = "firing") -> None:
    for start in range(0, len(names), 125):
        await bridge.post(names[start : start + 125], status)


async def test_five_hundred_incidents_behind_a_revoked_slack_token_are_one_notice_and_no_dead_letter(
    tmp_path: Path,
) -> None:
    told, over, open_ = numbered(0, 10), numbered(10, 110), numbered(110, 10 + INCIDENTS)
    async with Slack() as slack, WebhookReceiver() as desk:
        text = SLACK.replace("BOT", slack.url).replace("DESK", desk.url)
        async with here(tmp_path, text, {"SLACK_TOKEN": "slack-canary-token"}) as bridge:
            await bridge.post(told)
            await bridge.until(lambda: len(slack.roots()) == len(told))
            slack.revoked = True
            await post_all(bridge, [*over, *open_])
            await bridge.until(lambda: notices(desk))
            await post_all(bridge, [*told, *over], "resolved")
            refused = slack.refused
            await bridge.until(lambda: slack.refused > refused)  # a probe

            assert slack.refused <= AT_ONCE + 5
            assert bridge.count("dead") == 0
            assert len(notices(desk)) == 1
            assert "invalid_auth" in notices(desk)[0]
            assert len(slack.roots()) == len(told)
            slack.revoked = False
            await bridge.at_rest()

            assert len(notices(desk)) == 2
            assert "takes messages again" in notices(desk)[1]
            assert bridge.count("dead") == 0
            assert shown(slack) == {
                **{f"[RESOLVED] {name}": 1 for name in (*told, *over)},
                **{f"[FIRING:1] {name}": 1 for name in open_},
            }
            assert [root.edits for root in slack.roots()[: len(told)]] == [1] * len(told)
            assert len(await bridge.audit("breaker_opened")) == len(await bridge.audit("breaker_closed")) == 1
            ends = {entry["incident"] for entry in await bridge.audit("superseded")}
            assert len(ends) == len(over)
            await bridge.verified()


async def test_two_channels_with_one_revoked_credential_are_one_outage(tmp_path: Path) -> None:
    async with Partner() as partner, WebhookReceiver() as desk:
        text = SHARED.replace("PARTNER/", f"{partner.url}/").replace("DESK", desk.url)
        async with here(tmp_path, text, {"PARTNER_TOKEN": "partner-canary-token"}) as bridge:
            partner.revoked = True
            names = numbered(0, 200)
            await post_all(bridge, names)
            await bridge.until(lambda: notices(desk))
            refused = partner.refused
            await bridge.until(lambda: partner.refused > refused)

            assert len(notices(desk)) == 1
            assert partner.refused <= 2 * AT_ONCE + 5
            assert bridge.count("dead") == 0
            partner.revoked = False
            await bridge.at_rest()

            assert received(partner) == {f"firing {name}": 2 for name in names}
            assert len(notices(desk)) == 2
            assert bridge.count("dead") == 0
            await bridge.verified()


async def test_an_outage_outlives_a_restart_and_its_end_is_told_by_the_bridge_that_was_given_a_new_token(
    tmp_path: Path,
) -> None:
    """Tokens of the environment come with a restart: it is the usual end of such an outage."""
    async with Partner() as partner, WebhookReceiver() as desk:
        text = SHARED.replace("PARTNER/", f"{partner.url}/").replace("DESK", desk.url)
        async with here(tmp_path, text, {"PARTNER_TOKEN": "an-old-token"}) as bridge:
            await post_all(bridge, numbered(0, 5))
            await bridge.until(lambda: notices(desk))
            refused = partner.refused
            assert await asyncio.to_thread(bridge.process.stop) == 0
            await asyncio.to_thread(bridge.process.start)
            await bridge.until(lambda: partner.refused > refused)

            assert await asyncio.to_thread(bridge.process.stop) == 0
            assert len(notices(desk)) == 1
            bridge.process._environment["PARTNER_TOKEN"] = "partner-canary-token"
            await asyncio.to_thread(bridge.process.start)
            await bridge.at_rest()
            assert received(partner) == {f"firing {name}": 2 for name in numbered(0, 5)}
            assert ["takes messages again" in notice for notice in notices(desk)] == [False, True]
            assert len(await bridge.audit("breaker_opened")) == 2, "each start finds it for itself"
            await bridge.verified()
