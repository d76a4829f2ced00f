"""`pagerduty_configs`."""

from __future__ import annotations

import re

from bridge.importing.conversion import Conversion, Options, given, send_resolved, templated, timeout, unused
from bridge.importing.http_config import leave_authentication, transport
from bridge.importing.ledger import Place

_HOME = "https://events.pagerduty.com/v2/enqueue"
_OWN_SEVERITY = re.compile(
    r"(\{\{-?\s*(if|with)?\s*\.(Common|Group)Labels\.severity(\s*\|\s*toLower)?\s*-?\}\})+"
    r"(\{\{-?\s*else\s*-?\}\}\w+\{\{-?\s*end\s*-?\}\})?"
)
_LABELS = "it is made from the alerts' labels"
_LEFT = {
    "client": "events come from Alertbridge",
    "client_url": "events link to Alertbridge's external_url",
    "details": "details are the built-in ones: text, counts, common labels and annotations",
    "images": "events have no images",
    "links": "the links are the built-in ones: dashboard, runbook, source",
    "severity": "it follows the severity label, see `severity:`",
    "source": _LABELS,
    "class": _LABELS,
    "component": _LABELS,
    "group": _LABELS,
}


def pagerduty(conversion: Conversion, config: Place, channel: str) -> Options | None:
    """The options, or None if there is no key of an Events API v2 integration."""
    key = _key(conversion, config, channel)
    if key is None:
        return None
    unused(config, "routing_key_file")
    transport(conversion, config, channel)
    leave_authentication(conversion, config)
    severity = given(config, "severity")
    if severity is not None and _OWN_SEVERITY.fullmatch(severity.text()):
        severity.noted("it is made from the severity label, as here")
    conversion.leave(config, _LEFT)
    return {
        "type": "pagerduty",
        "routing_key": key,
        **_url(conversion, config, channel),
        **conversion.template(config.get("description"), channel, "title"),
        **timeout(config, channel),
        **send_resolved(config, channel, default=True),
    }


def _key(conversion: Conversion, config: Place, channel: str) -> str | None:
    at = ("channels", channel, "routing_key")
    for older in ("service_key", "service_key_file"):
        if (place := given(config, older)) is not None:
            place.left("it is a key of the Events API v1", "make an Events API v2 integration and give its routing_key")
    key, file = given(config, "routing_key"), given(config, "routing_key_file")
    if key is None:
        return conversion.credentials.in_file(file, at) if file is not None else None
    if templated(key):
        key.left("whom an alert is sent to cannot depend on the alert here", "nothing is sent there")
        return None
    return conversion.credentials.keep(key, at)


def _url(conversion: Conversion, config: Place, channel: str) -> Options:
    place = conversion.inherited(config, "url", "pagerduty_url")
    if place is None:
        return {}
    if place.text() == _HOME:
        place.noted("it is PagerDuty's own")
        return {}
    place.mapped(f"channels.{channel}.url")
    return {"url": place.text()}
