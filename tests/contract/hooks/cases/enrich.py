from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case(
    "enrich",
    lambda _url: {
        "labels": {"region": "{{ labels.instance.split('-')[0] }}", "broken": "{{ labels.region.x }}"},
        "annotations": {"runbook": "https://runbooks.example.com/{{ labels.alertname }}"},
    },
    refused=({"labels": {"x": "{{"}}, {"labels": "x"}, {"lookup": {"file": "x.csv"}}),
)
