from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case("dedupe", lambda _url: {"window": "5m"}, refused=("soon", {"window": "5.5m"}, []))
