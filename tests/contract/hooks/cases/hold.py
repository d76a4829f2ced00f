from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case(
    "hold", lambda _url: {"until": ["office"]}, refused=({}, "", {"until": []}, {"until": "a", "severities": []})
)
