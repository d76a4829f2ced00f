"""Third-party: a distribution with an entry point."""

from __future__ import annotations

from tests.contract.hooks.case import Case

CASE = Case(
    "ownership",
    lambda url: {"catalogue": url},
    does_io=True,
    refused=({}, {"catalogue": 5}),
    answer=b'{"owner": "web"}',
)
