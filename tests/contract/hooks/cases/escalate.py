from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case("escalate", lambda _url: {"escalation": "payments"}, refused=({}, "", {"escalation": None}))
