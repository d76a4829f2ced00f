"""The shared HTTP client: deadlines, egress check, proxy and CA, errors without secrets."""

from __future__ import annotations

from bridge.net.client import HttpClient, basic_authorization
from bridge.net.egress import Egress, Network
from bridge.net.outcome import Response, outcome_of, retry_after
from bridge.net.tls import client_tls

__all__ = [
    "Egress",
    "HttpClient",
    "Network",
    "Response",
    "basic_authorization",
    "client_tls",
    "outcome_of",
    "retry_after",
]
