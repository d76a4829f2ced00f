"""`webhook_configs`."""

from __future__ import annotations

from urllib.parse import urlsplit

from bridge.importing.conversion import Conversion, Options, given, send_resolved, templated, timeout, unused
from bridge.importing.http_config import authentication, transport
from bridge.importing.ledger import Place

_LEFT = {
    "max_alerts": "every alert is in the payload",
    "payload": "Alertmanager's version 4 payload is sent; the channel's `template` makes another body",
}


def webhook(conversion: Conversion, config: Place, channel: str) -> Options | None:
    """The options, or None if there is nowhere to post."""
    url = _url(conversion, config, channel)
    if url is None:
        return None
    maximum = given(config, "max_alerts")
    if maximum is not None and maximum.text() == "0":
        maximum.noted("no limit, as here")
    unused(config, "url_file")
    transport(conversion, config, channel)
    conversion.leave(config, _LEFT if maximum is None or maximum.text() != "0" else {"payload": _LEFT["payload"]})
    return {
        "type": "webhook",
        "url": url,
        **authentication(conversion, config, channel),
        **timeout(config, channel),
        **send_resolved(config, channel, default=True),
    }


def _url(conversion: Conversion, config: Place, channel: str) -> str | None:
    at = ("channels", channel, "url")
    url, file = given(config, "url"), given(config, "url_file")
    if url is None:
        return conversion.credentials.in_file(file, at) if file is not None else None
    if templated(url):
        url.left("where an alert is sent cannot depend on the alert here", "nothing is sent there")
        return None
    if _tells_nothing(url.text()):
        url.mapped(".".join(at))
        return url.text()
    return conversion.credentials.keep(url, at)


def _tells_nothing(url: str) -> bool:
    """Whether the URL names a host and no more: a path or a query may be all that proves who calls."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.username is None and parts.path in {"", "/"} and not parts.query and not parts.fragment
