"""Who may do what on the API: tokens, anonymous roles, and everyone on a loopback listener.

Tokens are compared by their SHA-256 digests in constant time, so neither length nor a non-ASCII header matters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Struct

from bridge.domain.secret import Secret
from bridge.http.problem import Problem


class Role(StrEnum):
    INGEST = "ingest"
    VIEWER = "viewer"
    RESPONDER = "responder"
    ADMIN = "admin"


_IMPLIED = {
    Role.RESPONDER: frozenset({Role.RESPONDER, Role.VIEWER}),
    Role.ADMIN: frozenset({Role.ADMIN, Role.RESPONDER, Role.VIEWER}),
}
_EVERY_ROLE = frozenset(Role)
_BY_PROXY = frozenset({"forwarded", "x-forward"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="alertbridge", Basic realm="alertbridge"'}


def all_roles(roles: Iterable[str]) -> frozenset[Role]:
    """The roles with those they include: an admin is a responder, a responder a viewer. `ingest` stands alone."""
    return frozenset(implied for role in map(Role, roles) for implied in _IMPLIED.get(role, (role,)))


class Token(Struct, frozen=True):
    """A bearer of roles. `digest` is the SHA-256 of the token; the token itself is not kept."""

    name: str
    roles: frozenset[Role]
    digest: bytes


def token(name: str, roles: Iterable[str], secret: Secret) -> Token:
    """A token from its opened secret."""
    return Token(name=name, roles=all_roles(roles), digest=_digest(secret.reveal().encode()))


class Principal(Struct, frozen=True):
    """Who is asking: the name of a token, or empty."""

    name: str
    roles: frozenset[Role]


_EVERYONE = Principal(name="", roles=_EVERY_ROLE)


class Access(Struct, frozen=True):
    """One generation of the rules. `everyone` is the loopback rule: no `access:` section and a loopback listener."""

    tokens: tuple[Token, ...] = ()
    anonymous: frozenset[Role] = frozenset()
    everyone: bool = False

    def require(self, request: web.BaseRequest, role: Role) -> Principal:
        """Who asks, if they may.

        Raises:
            Problem: 401 who are you, 403 you may not.
        """
        principal = self.identify(request)
        if role in principal.roles:
            return principal
        if principal.name:
            raise Problem(403, f"this token does not have the role {role.value}")
        raise Problem(401, f"a token with the role {role.value} is needed", headers=CHALLENGE)

    def identify(self, request: web.BaseRequest) -> Principal:
        """Who asks. Credentials are looked at only if there are tokens.

        Raises:
            Problem: 401 for a wrong token, 403 for a request that another site's page may have sent.
        """
        if self.everyone:
            require_local(request)
            return _EVERYONE
        header = request.headers.get("Authorization")
        if header is None or not self.tokens:
            _refuse_foreign(request)
            return Principal(name="", roles=self.anonymous)
        scheme, _, credential = header.partition(" ")
        if scheme.lower() != "bearer":  # browsers send Basic credentials along with other sites' requests
            _refuse_foreign(request)
        holder = self._holder(presented(scheme, credential.strip()))
        if holder is None:
            raise Problem(401, "this token is not known", headers=CHALLENGE)
        return Principal(name=holder.name, roles=holder.roles)

    def _holder(self, presented: bytes) -> Token | None:
        digest = _digest(presented)
        found = None
        for candidate in self.tokens:  # all of them, so that the time tells nothing
            if hmac.compare_digest(candidate.digest, digest):
                found = candidate
        return found


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def presented(scheme: str, credential: str) -> bytes:
    """The token that a header presents, as bearer or as a Basic password; empty if it is neither."""
    if scheme.lower() == "bearer":
        return credential.encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credential.encode("ascii", "replace"), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def require_local(request: web.BaseRequest) -> None:
    """The loopback rule: what came from another machine, through a proxy, by another name or from another site's page is not local.

    The peer is looked at too: after a reload the rules may be those of a loopback listener while the socket still
    listens beyond it, for addresses hold until a restart.

    Raises:
        Problem: 403, naming `access:`.
    """
    headers = request.headers
    if request.remote is not None and not is_loopback(request.remote):
        raise _not_local("the request came from another machine")
    if not request.raw_path.startswith("/") or not is_loopback(_host_of(headers.get("Host", ""))):
        raise _not_local("the Host is not a loopback address")
    for name in headers:
        if name[:1] in "FfXx" and name[:9].lower() in _BY_PROXY:
            raise _not_local("the request came through a proxy")
    if "Origin" in headers or "Sec-Fetch-Site" in headers:
        _refuse_foreign(request, every_method=True)


def _not_local(why: str) -> Problem:
    return Problem(
        403,
        f"{why}; without an `access:` section only local clients are served. Configure `access:` with tokens or roles",
    )


def _refuse_foreign(request: web.BaseRequest, *, every_method: bool = False) -> None:
    """Refuse what a page of another site made a browser send, if it could change anything."""
    if not every_method and request.method in {"GET", "HEAD"}:
        return
    headers = request.headers
    site = headers.get("Sec-Fetch-Site", "none")
    origin = headers.get("Origin")
    if site not in {"none", "same-origin"} or (origin is not None and not _same_host(origin, headers.get("Host", ""))):
        raise Problem(403, "a request from another site's page; see `access:` for tokens")


def _same_host(origin: str, host: str) -> bool:
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _host_of(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    if host in {"localhost", "localhost."}:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
