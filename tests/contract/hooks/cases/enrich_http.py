from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case(
    "enrich",
    lambda url: {"http": {"url": url + "/{{ labels.instance }}", "labels": {"team": "team"}}},
    does_io=True,
    refused=({"http": {"url": "https://{{ labels.instance }}/", "labels": {"team": "team"}}},),
    answer=b'{"team": "web"}',
)
