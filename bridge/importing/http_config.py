"""`http_config`: how an integration makes its HTTP calls.

An integration's own `http_config` replaces the global one as a whole. Proxy and certificates are settings of all
outgoing calls here; they are taken over where every integration agrees on them.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bridge.importing.conversion import Conversion, Options, Wish, given, plain_text, unused
from bridge.importing.ledger import Place
from bridge.importing.output import Output

_SHARED = ("ca_file", "cert_file", "key_file")
_NOT_SENT = "calls are made without it; the other side may refuse them, and the bridge says so"
_CHECKED = "certificates and names are always verified, with the system's or the http section's authorities"
_NO_PROXY = "calls go the way the http section says"


def http_config(conversion: Conversion, config: Place) -> Place | None:
    """The one in force."""
    return config.get("http_config") or (conversion.globals.get("http_config") if conversion.globals else None)


def transport(conversion: Conversion, config: Place, channel: str) -> None:
    """Take note of everything but credentials and headers; the wishes are granted when all are known."""
    conversion.callers.append(channel)
    found = http_config(conversion, config)
    for key, value in found.pairs() if found is not None else []:
        if key == "proxy_url" and value.text().startswith(("http://", "https://")):
            conversion.wishes.append(Wish(channel, "proxy", value.text(), value))
        elif key == "follow_redirects":
            value.noted("redirects of what is posted are never followed here")
        elif key == "enable_http2":
            value.noted("HTTP/1.1 is spoken here")
        elif key == "proxy_url" and value.text():
            value.left("a proxy is reached over http:// or https:// here", _NO_PROXY)
        elif key in {"no_proxy", "proxy_from_environment", "proxy_connect_header"}:
            value.left(f"there is no counterpart of {key}", _NO_PROXY)
        elif key == "tls_config":
            tls(conversion, value, channel)


def tls(conversion: Conversion, config: Place, channel: str) -> None:
    """The files are wishes; certificates given in the text itself have no counterpart."""
    for key, value in config.pairs():
        if key in _SHARED and value.text():
            conversion.wishes.append(Wish(channel, key, str(conversion.credentials.located(value.text())), value))
        elif key == "insecure_skip_verify" and not value.flag():
            value.noted("certificates are always verified")
        elif not value.is_null:
            value.left(f"there is no counterpart of {key}", _CHECKED)


def authentication(conversion: Conversion, config: Place, channel: str) -> Options:
    """`basic`, `bearer` and `headers` of a webhook channel."""
    found = http_config(conversion, config)
    if found is None:
        return {}
    headers = _headers(conversion, found, channel)
    options: Options = {**_basic(conversion, found, channel), **_authorization(conversion, found, channel, headers)}
    _leave(found, ("oauth2",))
    unused(found, "bearer_token", "bearer_token_file", "authorization", "basic_auth")
    if headers:
        options["headers"] = headers
    return options


def leave_authentication(conversion: Conversion, config: Place, *, but_authorization: bool = False) -> None:
    """Credentials and headers of an integration whose channel has its own ways; of one whose token is the
    authorization, the rest.
    """
    found = http_config(conversion, config)
    if found is None:
        return
    _leave(found, ("basic_auth", "oauth2", "bearer_token", "bearer_token_file", "http_headers"))
    authorization = found.get("authorization")
    if authorization is not None and but_authorization:
        if (kind := authorization.get("type")) is not None:
            kind.noted("a token is sent as Bearer")
    else:
        _leave(found, ("authorization",))


def _leave(found: Place, keys: tuple[str, ...]) -> None:
    for key in keys:
        place = found.get(key)
        if place is not None:
            place.left(f"there is no counterpart of {key} on this channel", _NOT_SENT)


def _basic(conversion: Conversion, found: Place, channel: str) -> Options:
    basic = found.get("basic_auth")
    if basic is None:
        return {}
    at = ("channels", channel, "basic", "password")
    password, password_file = given(basic, "password"), given(basic, "password_file")
    if password is None and password_file is None:
        basic.left("a user name without a password is not sent", _NOT_SENT)
        return {}
    user: Output = ""
    if (named := given(basic, "username_file")) is not None:
        user = conversion.credentials.in_file(named, ("channels", channel, "basic", "username"))
    else:
        user = plain_text(given(basic, "username"), f"channels.{channel}.basic.username") or ""
    if password is not None:
        return {"basic": {"username": user, "password": conversion.credentials.keep(password, at)}}
    assert password_file is not None, "one of both is there"  # noqa: S101 - for the type checker
    return {"basic": {"username": user, "password": conversion.credentials.in_file(password_file, at)}}


def _authorization(conversion: Conversion, found: Place, channel: str, headers: dict[str, Output]) -> Options:
    older = found.get("bearer_token"), found.get("bearer_token_file")
    place = found.get("authorization")
    kind = given(place, "type") if place is not None else None
    token, file = (given(place, "credentials"), given(place, "credentials_file")) if place is not None else older
    if kind is not None:
        kind.noted(f"credentials are sent as {kind.text()}")
    if kind is None or kind.text().lower() == "bearer":
        bearer = ("channels", channel, "bearer")
        if token is not None:
            return {"bearer": conversion.credentials.keep(token, bearer)}
        return {"bearer": conversion.credentials.in_file(file, bearer)} if file is not None else {}
    if token is not None:
        header = ("channels", channel, "headers", "Authorization")
        headers["Authorization"] = conversion.credentials.keep(token, header, before=f"{kind.text()} ")
    elif file is not None:
        file.left("a header is made of a type and the content of a file", _NOT_SENT)
    return {}


def _headers(conversion: Conversion, found: Place, channel: str) -> dict[str, Output]:
    place = found.get("http_headers")
    headers: dict[str, Output] = {}
    for name, values in place.pairs() if place is not None else []:
        at = ("channels", channel, "headers", name)
        for kind, listed in values.pairs():
            for value in listed.items():
                if name in headers:
                    value.left(f"a header has one value; {name} has another already", "this value is not sent")
                elif kind == "values":
                    text = plain_text(value, ".".join(at))
                    headers |= {name: text} if text else {}
                elif kind == "secrets":
                    headers[name] = conversion.credentials.keep(value, at)
                elif kind == "files":
                    headers[name] = conversion.credentials.in_file(value, at)
    return headers


def shared_settings(conversion: Conversion) -> dict[str, Output]:
    """The `http:` section: what all calling channels wish alike. The other wishes are listed as left out."""
    section: dict[str, Output] = {}
    for setting in ("proxy", *_SHARED):
        wishes = [wish for wish in conversion.wishes if wish.setting == setting]
        values = {wish.value for wish in wishes}
        if len(values) == 1 and {wish.channel for wish in wishes} == set(conversion.callers):
            section[setting] = _granted(conversion, wishes)
            continue
        for wish in wishes:
            wish.place.left(
                f"{setting} is one for all channels here, and others have another or none",
                f"{wish.channel} calls without it; `http: {{{setting}: …}}` sets it for all",
            )
    if ("cert_file" in section) != ("key_file" in section):
        section.pop("cert_file", None)
        section.pop("key_file", None)
    return section


def _granted(conversion: Conversion, wishes: list[Wish]) -> str:
    first, *others = wishes
    for wish in others:
        wish.place.mapped(f"http.{wish.setting}")
    if first.setting == "proxy" and urlsplit(first.value).username is not None:
        return conversion.credentials.keep(first.place, ("http", "proxy"))
    first.place.mapped(f"http.{first.setting}")
    return first.value
