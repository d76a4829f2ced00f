from __future__ import annotations

import json

from bridge.channels.api import Reason
from bridge.channels.pagerduty import PagerDutyChannel
from tests.contract.channels.case import Case
from tests.simulators.pagerduty import LIMIT, PagerDuty

KEY = "canary0123456789abcdef0123456789"


def _error(text: str) -> bytes:
    return json.dumps({"status": "invalid event", "message": text, "errors": [text]}).encode()


CASE = Case(
    name="pagerduty",
    channel=PagerDutyChannel,
    idempotency="native",
    service=lambda: PagerDuty(KEY),
    options=lambda url: {"routing_key": KEY, "url": url},
    follows=(Reason.ACKNOWLEDGED,),
    canaries=(KEY,),
    success_body=b'{"status": "success", "message": "Event processed", "dedup_key": "x"}',
    bad_success=(b'{"status": "invalid event"}', b"{}", b"[]", b"null", b'"success"'),
    checks_body=True,
    error_body=_error,
    native_key=lambda request: json.loads(request.body)["dedup_key"],
    limit=LIMIT,
)
