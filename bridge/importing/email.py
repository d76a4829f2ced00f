"""`email_configs` and the `smtp_…` settings they inherit."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.channels.email_options import address_of
from bridge.importing.conversion import Conversion, Options, given, plain, plain_text, send_resolved, templated, unused
from bridge.importing.ledger import Place
from bridge.importing.output import Output

_LOOPBACK = ("localhost", "127.", "[::1]")
_WORDS = "the built-in HTML goes out beside the text"
_PLAIN = "authentication is by user name and password"
_TLS = "certificates and names are always verified"


def email(conversion: Conversion, config: Place, channel: str) -> Options | None:
    """The options, or None if mail could not be addressed or handed in."""
    smarthost = conversion.inherited(config, "smarthost", "smtp_smarthost")
    sender = conversion.inherited(config, "from", "smtp_from")
    to = given(config, "to")
    if smarthost is None or sender is None or to is None:
        return None
    if not _fixed(to) or not _fixed(sender):
        return None
    hello = conversion.inherited(config, "hello", "smtp_hello")
    return {
        "type": "email",
        **plain(smarthost, channel, "smarthost"),
        **plain(sender, channel, "from"),
        **plain(to, channel, "to"),
        **_login(conversion, config, channel),
        **_encryption(conversion, config, channel, smarthost.text()),
        **plain(hello, channel, "helo"),
        **_headers(conversion, config, channel),
        **conversion.template(given(config, "text"), channel, "text"),
        **_words(conversion, config),
        **send_resolved(config, channel, default=False),
    }


def _fixed(place: Place) -> bool:
    """Whether these are addresses; else that is listed."""
    if templated(place):
        place.left("who gets mail cannot depend on the alert here", "nothing is sent")
        return False
    try:
        for part in place.text().split(","):
            address_of(part.strip())
    except ValueError as error:
        place.left(str(error), "nothing is sent")
        return False
    return True


def _login(conversion: Conversion, config: Place, channel: str) -> Options:
    user = conversion.inherited(config, "auth_username", "smtp_auth_username")
    for key in ("auth_secret", "auth_secret_file", "auth_identity"):
        place = conversion.inherited(config, key, f"smtp_{key}")
        if place is not None:
            place.left(f"there is no counterpart of {key}", _PLAIN)
    owner, prefix = config, ""
    if given(config, "auth_password") is None and given(config, "auth_password_file") is None and conversion.globals:
        owner, prefix = conversion.globals, "smtp_"
    password, file = given(owner, f"{prefix}auth_password"), given(owner, f"{prefix}auth_password_file")
    at = ("channels", channel, "password")
    if user is None:
        for place in (password, file):
            if place is not None:
                place.noted("without a user name nobody logs in")
        return {}
    if password is not None:
        unused(owner, f"{prefix}auth_password_file")
        return {**plain(user, channel, "username"), "password": conversion.credentials.keep(password, at)}
    if file is not None:
        return {**plain(user, channel, "username"), "password": conversion.credentials.in_file(file, at)}
    user.left("a user name without a password", "mail is handed in without logging in")
    return {}


def _encryption(conversion: Conversion, config: Place, channel: str, smarthost: str) -> Options:
    """`tls`: implicit on port 465 or where it is forced, none where it is not required, else STARTTLS."""
    required = conversion.inherited(config, "require_tls", "smtp_require_tls")
    forced = conversion.inherited(config, "force_implicit_tls", "smtp_force_implicit_tls")
    implicit = smarthost.endswith(":465") if forced is None else forced.flag()
    to = f"channels.{channel}.tls"
    if forced is not None:
        forced.mapped(to)
    options = _authorities(conversion, config, channel)
    if implicit:
        if required is not None:
            required.mapped(to)
        return {"tls": "implicit", **options}
    if required is None or required.flag():
        if required is not None:
            required.mapped(to)
        return options
    user = conversion.inherited(config, "auth_username", "smtp_auth_username")
    if user is not None and not smarthost.startswith(_LOOPBACK):
        required.left("a password is not sent in the clear", "the connection is encrypted with STARTTLS")
        return options
    required.mapped(to)
    return {"tls": "none", **options}


def _authorities(conversion: Conversion, config: Place, channel: str) -> Options:
    place = config.get("tls_config") or (conversion.globals.get("smtp_tls_config") if conversion.globals else None)
    options: Options = {}
    for key, value in place.pairs() if place is not None else []:
        if key == "ca_file" and value.text():
            value.mapped(f"channels.{channel}.ca_file")
            options["ca_file"] = str(conversion.credentials.located(value.text()))
        elif key == "insecure_skip_verify" and not value.flag():
            value.noted("certificates are always verified")
        elif not value.is_null:
            value.left(f"there is no counterpart of {key}", _TLS)
    return options


def _headers(conversion: Conversion, config: Place, channel: str) -> Options:
    place = config.get("headers")
    headers: dict[str, Output] = {}
    options: Options = {}
    for name, value in place.pairs() if place is not None else []:
        if name.lower() == "subject":
            options |= conversion.template(value, channel, "title")
        elif _OURS.get(name.lower()):
            value.left(f"there is no counterpart of the header {name}", _OURS[name.lower()])
        elif templated(value):
            value.left("a header cannot depend on the alert here", "it is not sent")
        elif not value.text().isprintable():
            value.left("a header is one line", "it is not sent")
        else:
            text = plain_text(value, f"channels.{channel}.headers.{name}")
            headers |= {name: text} if text else {}
    return {**options, "headers": headers} if headers else options


def _words(conversion: Conversion, config: Place) -> Options:
    """What has no option: the HTML part, and threads, which mails always have."""
    conversion.leave(config, {"html": _WORDS})
    threads = config.get("threading")
    if threads is not None:
        threads.noted("mails of one incident are always one thread")
    return {}


_ADDRESSED = "`from` and `to` make it"
_MADE = "the channel makes it"
_OURS: Mapping[str, str] = {
    **dict.fromkeys(("from", "sender", "to", "cc", "bcc", "return-path"), _ADDRESSED),
    **dict.fromkeys(
        (
            "date", "message-id", "in-reply-to", "references", "mime-version", "auto-submitted", "received",
            "x-auto-response-suppress", "dkim-signature", "content-type", "content-transfer-encoding",
        ),
        _MADE,
    ),
}  # fmt: skip
