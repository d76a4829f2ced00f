"""Telegram through a bot."""

from __future__ import annotations

import json

from bridge.channels.api import Reason
from bridge.channels.telegram import TelegramChannel
from tests.contract.channels.case import Case
from tests.simulators.telegram import CHAT, TOKEN, Telegram

_SECRET = "canary-secret_token-0123456789"

CASE = Case(
    name="telegram",
    channel=TelegramChannel,
    idempotency="none",
    service=Telegram,
    options=lambda url: {"token": TOKEN, "chat_id": CHAT, "url": url, "secret_token": _SECRET},
    follows=(Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED),
    canaries=(TOKEN, _SECRET),
    accepts=frozenset({200}),
    success_body=b'{"ok": true, "result": {"message_id": 77, "chat": {"id": -1001234}}}',
    bad_success=(
        b"",
        b"ok",
        b"[]",
        b'{"ok": true}',
        b'{"ok": "yes"}',
        b'{"ok": false}',
        b'{"ok": false, "error_code": 403, "description": "Forbidden: bot was kicked from the supergroup chat"}',
    ),
    checks_body=True,
    error_body=lambda text: json.dumps({"ok": False, "description": text}).encode(),
    limit=40_000,
)
