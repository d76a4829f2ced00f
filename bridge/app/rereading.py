"""Requests that are on disk and not planned yet, read again as they were read when they came."""

from __future__ import annotations

from bridge.config.model import Config
from bridge.domain.alert import API, Webhook
from bridge.ingest.api_v2 import parse_alerts
from bridge.ingest.webhook import parse
from bridge.storage.journal import Request


def read_again(config: Config, request: Request) -> Webhook:
    """The alerts of a request. A source that is gone from the configuration is read by what its body says.

    Raises:
        IngestError, SwaggerError: the body does not say the same to this version as to the one that took it.
    """
    if request.source == API:
        return parse_alerts(request.body, request.received_at, config.resolve_timeout).webhook
    source = config.sources.get(request.source)
    return parse(source.type if source else "auto", request.body, request.source, request.received_at)
