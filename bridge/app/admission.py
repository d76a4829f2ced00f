"""Who may send and who may ask: the configuration's words turned into what the HTTP side checks."""

from __future__ import annotations

from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener, open_access, open_heartbeat, open_source
from bridge.config.senders import SourceAuth
from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.http.access import Access, all_roles, is_loopback, token
from bridge.http.heartbeats import Door
from bridge.http.webhooks import Source
from bridge.ingest.auth import Basic, Bearer, Hmac, Way, digest_of


def access_of(config: Config, opener: SecretOpener) -> Access:
    """The rules of access. Raises SecretError if a token cannot be opened: a door whose key is lost stays shut."""
    settings = open_access(config, opener)
    if settings is None:
        return Access(everyone=is_loopback(config.server.listen.host))
    tokens = tuple(token(entry.name, entry.roles, entry.token) for entry in settings.tokens)
    return Access(tokens=tokens, anonymous=all_roles(settings.anonymous))


def sources_of(config: Config, opener: SecretOpener) -> dict[str, Source]:
    """The senders by name. One whose proof cannot be opened is closed: its senders are told to try again."""
    return {name: _source(config, name, opener) for name in config.sources}


def heartbeats_of(config: Config, opener: SecretOpener) -> dict[str, Door]:
    """The heartbeats that come as requests, by name. One whose token cannot be opened is closed."""
    return {name: _door(config, name, opener) for name, found in config.heartbeats.items() if found.matchers is None}


def _door(config: Config, name: str, opener: SecretOpener) -> Door:
    try:
        settings = open_heartbeat(config, name, opener)
    except SecretError as error:
        return Door(closed=str(error))
    return Door(_digests(settings.token) if settings.token else ())


def _source(config: Config, name: str, opener: SecretOpener) -> Source:
    try:
        settings = open_source(config, name, opener)
    except SecretError as error:
        return Source(name, config.sources[name].type, closed=str(error))
    return Source(name, settings.type, _ways(settings.auth) if settings.auth else ())


def _ways(auth: SourceAuth) -> tuple[Way, ...]:
    ways: list[Way] = []
    if auth.bearer is not None:
        ways.append(Bearer(_digests(auth.bearer)))
    if auth.basic is not None:
        ways.append(Basic(auth.basic.username, _digests(auth.basic.password)))
    if auth.hmac_secret is not None:
        keys = tuple(secret.reveal().encode() for secret in auth.hmac_secret)
        ways.append(Hmac(keys, auth.header, auth.timestamp_header, auth.tolerance))
    return tuple(ways)


def _digests(secrets: tuple[Secret, ...]) -> tuple[bytes, ...]:
    return tuple(digest_of(secret.reveal()) for secret in secrets)
