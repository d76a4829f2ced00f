from __future__ import annotations

import base64

from bridge.channels.webhook import WebhookChannel
from tests.contract.channels.case import Case
from tests.simulators.webhook import WebhookReceiver

KEY = b"canary-signing-key-0123456789"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BEARER = "canary-bearer/+="
PATH = "canary-path-token"

CASE = Case(
    name="webhook",
    channel=WebhookChannel,
    idempotency="native",
    service=lambda: WebhookReceiver(KEY),
    options=lambda url: {
        "url": f"{url}/hook/{PATH}?token=canary-query",
        "signing_secret": SECRET,
        "bearer": BEARER,
        "headers": {"X-Api-Key": "canary-header"},
    },
    canaries=(SECRET, KEY.decode(), BEARER, PATH, "canary-query", "canary-header"),
    native_key=lambda request: request.headers["webhook-id"],
)
