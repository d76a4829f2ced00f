"""Slack through a bot token."""

from __future__ import annotations

import json

from bridge.channels.api import Reason
from bridge.channels.slack import SlackChannel
from tests.contract.channels.case import Case
from tests.simulators.slack import SlackApi

_CANARY = "slack-canary-token"

CASE = Case(
    name="slack",
    channel=SlackChannel,
    idempotency="none",
    service=SlackApi,
    options=lambda url: {"token": _CANARY, "channel": "general", "url": url},
    follows=(Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED),
    canaries=(_CANARY,),
    accepts=frozenset({200}),
    success_body=b'{"ok": true, "channel": "C0EXAMPLE", "ts": "1700000000.000100"}',
    bad_success=(b"", b"ok", b"[]", b'{"ok": "yes"}', b'{"ok": false}', b'{"ok": false, "error": "channel_not_found"}'),
    checks_body=True,
    error_body=lambda text: json.dumps({"ok": False, "error": text}).encode(),
    limit=60_000,
)
