from __future__ import annotations

import json

from bridge.channels.api import Reason
from bridge.channels.sendgrid import SendGridChannel
from tests.contract.channels.case import Case
from tests.simulators.sendgrid import LIMIT, SendGrid

KEY = "SG.canary.0123456789/+abcdef"

CASE = Case(
    name="sendgrid",
    channel=SendGridChannel,
    idempotency="none",
    service=lambda: SendGrid(KEY),
    options=lambda url: {"api_key": KEY, "from": "Alerts <alerts@example.com>", "to": "ops@example.com", "url": url},
    follows=(Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED),
    canaries=(KEY,),
    accepts=frozenset({202}),
    error_body=lambda text: json.dumps({"errors": [{"message": text, "field": "from.email"}]}).encode(),
    limit=LIMIT,
)
