"""`slack_configs`: with a webhook's URL, with an app's token, or with a token as `http_config` authorization."""

from __future__ import annotations

import re

from msgspec import Struct

from bridge.importing.conversion import Conversion, Options, given, plain, send_resolved, templated, timeout, unused
from bridge.importing.http_config import http_config, leave_authentication, transport
from bridge.importing.ledger import Place

_POST = "/chat.postMessage"
_HOME = "https://slack.com/api/chat.postMessage"
_LOOK = "the message has its built-in look"
_LEFT = {
    "username": "messages come under the name the webhook or app has",
    "icon_emoji": "messages have the icon the webhook or app has",
    "icon_url": "messages have the icon the webhook or app has",
    "color": "the colour follows state and severity",
    "title_link": "the links are the built-in ones: dashboard, runbook, source",
    "pretext": "title and text are the whole message",
    "message_text": "the notification shows the title",
    "fallback": "the notification shows the title",
    "fields": _LOOK,
    "footer": _LOOK,
    "image_url": _LOOK,
    "thumb_url": _LOOK,
    "callback_id": _LOOK,
    "actions": "the buttons are the built-in ones",
}
_MENTION = re.compile(r"<((?:@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!here|!channel|!everyone))(?:\|[^<>]*)?>[ \t]*")
_LINK = re.compile(r"<[^<>]*\|[^<>]*>")
_WORDS = ("title", "text", "pretext", "message_text", "fallback")
_OWN_COLOURS = (
    '{{ifeq.Status"firing"}}danger{{else}}good{{end}}',
    '{{ifeq.Status"resolved"}}good{{else}}danger{{end}}',
)
_NOTED = {
    "short_fields": "there are no fields",
    "mrkdwn_in": "title and text are shown with Slack's marks",
    "link_names": "`mention` names who is called",
    "update_message": "an app's first message is always kept up to date",
}


class _Way(Struct, frozen=True):
    """How messages get to Slack: with an app's token (in the text or in a file), or by a webhook's URL."""

    app: bool
    credential: Place | None
    file: Place | None
    base: Place | None = None
    authorized: bool = False
    """Whether the token is the authorization of `http_config`."""


def slack(conversion: Conversion, config: Place, channel: str) -> Options | None:
    """The options, or None if there is no way to Slack in it."""
    way = _way(conversion, config)
    where = given(config, "channel")
    if way is None or (way.app and _nowhere(config, where)):
        return None
    transport(conversion, config, channel)
    leave_authentication(conversion, config, but_authorization=way.authorized)
    colour = given(config, "color")
    if colour is not None and re.sub(r"\s|-", "", colour.text()) in _OWN_COLOURS:
        colour.noted("the colour follows the state here too")
    conversion.leave(config, _LEFT, lambda text: _MENTION.sub("", text).strip())
    mention = _mentions(config, channel)
    for key, how in _NOTED.items():
        if (place := config.get(key)) is not None:
            place.noted(how)
    options: Options = {"type": "slack", **_credential(conversion, way, channel)}
    unused(config, "api_url", "api_url_file", "app_token", "app_token_file", "app_url")
    if where is not None and templated(where):
        where.left("the channel cannot depend on the alert here", "messages go where the webhook was made for")
    else:
        options |= plain(where, channel, "channel")
    return {
        **options,
        **mention,
        **_words(conversion, config, channel, "title"),
        **_words(conversion, config, channel, "text"),
        **timeout(config, channel),
        **send_resolved(config, channel, default=False),
    }


def _mentions(config: Place, channel: str) -> Options:
    """Whom the texts call. Text made by a template mentions nobody here: it is escaped."""
    found: dict[str, None] = {}
    for key in _WORDS:
        place = given(config, key)
        called = [f"<{mention[1]}>" for mention in _MENTION.finditer(place.text())] if place is not None else []
        if place is None or not called:
            continue
        found |= dict.fromkeys(called)
        place.mapped(f"channels.{channel}.mention", "whom it calls")
    return {"mention": [*found]} if found else {}


def _words(conversion: Conversion, config: Place, channel: str, option: str) -> Options:
    place = config.get(option)
    if place is None:
        return {}
    text = _MENTION.sub("", place.text())
    options = conversion.template(place, channel, option, text)
    if options and _LINK.search(text):
        place.left(
            "Slack's links, <address|words>, are not made of what a template writes", "they are shown as written"
        )
    return options


def _nowhere(config: Place, where: Place | None) -> bool:
    if where is None:
        config.left("an app needs a channel to post to", "nothing is sent")
        return True
    if templated(where):
        where.left("the channel cannot depend on the alert here", "nothing is sent")
        return True
    return False


def _way(conversion: Conversion, config: Place) -> _Way | None:
    """As Alertmanager chooses: an app's token before a webhook's URL; an integration's own before the global one."""
    http = http_config(conversion, config)
    own = config.get("http_config")
    url, url_file = given(config, "api_url"), given(config, "api_url_file")
    token, token_file = given(config, "app_token"), given(config, "app_token_file")
    general = conversion.globals
    if general is not None:
        authorized = own is not None and own.get("authorization") is not None
        if token is None and token_file is None and url is None and not authorized:
            token, token_file = given(general, "slack_app_token"), given(general, "slack_app_token_file")
        if url is None and url_file is None:
            url, url_file = given(general, "slack_api_url"), given(general, "slack_api_url_file")
    if token is not None or token_file is not None:
        return _Way(True, token, token_file, conversion.inherited(config, "app_url", "slack_app_url"))
    bearer = http.get("authorization") if http is not None else None
    if url is not None and url.text().endswith(_POST) and bearer is not None:
        token, token_file = given(bearer, "credentials"), given(bearer, "credentials_file")
        if token is not None or token_file is not None:
            return _Way(True, token, token_file, url, authorized=True)
    return _Way(False, url, url_file) if url is not None or url_file is not None else None


def _credential(conversion: Conversion, way: _Way, channel: str) -> Options:
    option = "token" if way.app else "webhook_url"
    at = ("channels", channel, option)
    options: Options = {}
    if way.credential is not None:
        options[option] = conversion.credentials.keep(way.credential, at)
    elif way.file is not None:
        options[option] = conversion.credentials.in_file(way.file, at)
    if way.base is not None and way.base.text() == _HOME:
        way.base.noted("it is Slack's own")
    elif way.base is not None:
        way.base.mapped(f"channels.{channel}.url")
        options["url"] = way.base.text().removesuffix(_POST)
    return options
