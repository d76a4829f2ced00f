"""Third-party: a Python file."""

from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case(
    "office_hours",
    lambda _url: {"opens": 9, "urgent": ["page"]},
    refused=({"opens": 18, "closes": 8}, {"opens": 24}, {"opens": "early"}),
)
