"""Slack through an incoming webhook."""

from __future__ import annotations

from bridge.channels.slack import SlackChannel
from tests.contract.channels.case import Case
from tests.simulators.slack import SlackWebhook

_CANARY = "slack-canary-webhook"

CASE = Case(
    name="slack",
    channel=SlackChannel,
    idempotency="none",
    service=SlackWebhook,
    options=lambda url: {"webhook_url": f"{url}{SlackWebhook.path}{_CANARY}"},
    canaries=(_CANARY,),
    accepts=frozenset({200}),
    success_body=b"ok",
    bad_success=(b"", b"no_text", b"<html>ok</html>", b'{"ok": false}'),
    checks_body=True,
    limit=60_000,
)
