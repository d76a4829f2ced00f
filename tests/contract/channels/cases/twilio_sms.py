from __future__ import annotations

import json

from bridge.channels.twilio_sms import TwilioSmsChannel
from tests.contract.channels.case import Case
from tests.simulators.twilio import Twilio

ACCOUNT = "AC00000000000000000000000000000000"
TOKEN = "canary-token+/=0123456789"

CASE = Case(
    name="twilio_sms",
    channel=TwilioSmsChannel,
    idempotency="none",
    service=lambda: Twilio(ACCOUNT, TOKEN),
    options=lambda url: {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from": "+15005550006",
        "to": "+15005550001",
        "url": url,
    },
    canaries=(TOKEN,),
    success_body=b'{"sid": "SM1", "status": "queued", "error_code": null}',
    bad_success=(b"{}", b'{"sid": null}', b'{"sid": "SM1", "status": "failed", "error_code": 21610}', b"[]"),
    checks_body=True,
    error_body=lambda text: json.dumps({"code": 20500, "message": text, "status": 400}).encode(),
    limit=20_000,
)
