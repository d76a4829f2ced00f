"""One conversation with a mail server, and what its replies mean.

Reply classes (RFC 5321 section 4.2.1): 4yz is for later, 5yz for good. 530, 534, 535 and 538 refuse the credential.
A recipient refused for good (550, 551, 553 …) is left out, the others get their mail.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from msgspec import Struct

from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.domain.secret import Secret

_CREDENTIAL = frozenset({530, 534, 535, 538})
_GOODBYE_SECONDS = 2.0


class Credential(Struct, frozen=True):
    username: str
    password: Secret


class Tls(Struct, frozen=True):
    """`context` is None for no TLS at all; `implicit` speaks TLS from the first byte, else after STARTTLS."""

    context: ssl.SSLContext | None
    implicit: bool = False


class Offered(Struct, frozen=True):
    """What became of the recipients: accepted, refused for now, refused for good, the latter two with the reply."""

    accepted: tuple[str, ...]
    later: Mapping[str, str]
    never: Mapping[str, str]


@asynccontextmanager
async def session(
    connection: socket.socket, host: str, *, tls: Tls, credential: Credential | None, helo: str | None
) -> AsyncIterator[SMTP]:
    """A greeted, encrypted, authenticated conversation over a connected socket, which it closes.

    TLS is never left out where it is asked for: a server without STARTTLS is an error.

    Raises:
        Retryable: the server is not there, not ready, or TLS fails.
        Refused: it refuses the credential.
    """
    client = SMTP(
        hostname=host,
        sock=connection,
        use_tls=tls.context is not None and tls.implicit,
        start_tls=False,
        tls_context=tls.context,
        local_hostname=helo,
        timeout=None,
    )
    try:
        with _failures_named():
            await client.connect()
            if tls.context is not None and not tls.implicit:
                await _upgrade(client, host, tls.context)
            if credential is not None:
                await _log_in(client, credential)
        yield client
        await _say_goodbye(client)
    finally:
        client.close()


async def offer(client: SMTP, sender: str, recipients: Iterable[str], size: int) -> Offered:
    """Names sender and recipients; the mail itself has `size` bytes.

    Raises:
        Retryable: not now.
        Permanent: the sender or the size is refused.
    """
    accepted: list[str] = []
    later: dict[str, str] = {}
    never: dict[str, str] = {}
    with _failures_named():
        await client.mail(sender, options=[f"SIZE={size}"] if client.supports_extension("size") else [])
        for recipient in recipients:
            try:
                await client.rcpt(recipient)
            except SMTPRecipientRefused as refusal:
                if refusal.code == 421 or refusal.code in _CREDENTIAL:
                    raise
                (later if refusal.code < 500 else never)[recipient] = _reply(refusal)
            else:
                accepted.append(recipient)
    return Offered(tuple(accepted), later, never)


async def transfer(client: SMTP, content: bytes) -> str:
    """Sends the mail to the recipients that were accepted; gives the server's reply.

    Raises:
        Retryable: not now; `unknown` when the connection is lost before the reply.
        Permanent: the mail is refused.
    """
    with _failures_named(unknown=True):
        code, text = await client.data(content)
    return printable(f"{code} {text}")


def printable(text: str) -> str:
    """A server's words, one short line: they may be hostile."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]


async def _upgrade(client: SMTP, host: str, context: ssl.SSLContext) -> None:
    await client.ehlo()
    if not client.supports_extension("starttls"):
        raise Retryable(FailureReason.TLS, f"{host} offers no STARTTLS; set tls: implicit or none if that is meant")
    await client.starttls(server_hostname=host, tls_context=context)


async def _log_in(client: SMTP, credential: Credential) -> None:
    await client.ehlo()
    if not client.supported_auth_methods:
        raise Refused(
            FailureReason.UNAUTHORIZED, "the mail server offers no AUTH that we speak (CRAM-MD5, PLAIN, LOGIN)"
        )
    refusal = None
    try:
        await client.login(credential.username, credential.password.reveal())
    except SMTPResponseException as error:
        refusal = _refusal(error)
    if refusal is not None:  # raised here, without the library's error: some servers repeat what they were sent
        raise refusal


async def _say_goodbye(client: SMTP) -> None:
    """QUIT, for politeness: the mail is accepted, whatever happens now."""
    with suppress(SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await client.quit()


class _failures_named:  # noqa: N801 - used as a statement
    """Turns the mail library's errors into the bridge's."""

    def __init__(self, *, unknown: bool = False) -> None:
        self._unknown = unknown

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (SMTPException, OSError, ValueError)):
            raise _outcome(error, unknown=self._unknown) from error


def _outcome(error: Exception, *, unknown: bool) -> ChannelError:
    if isinstance(error, SMTPResponseException):
        return _refusal(error)
    tls_error = next((one for one in (error, error.__cause__) if isinstance(one, ssl.SSLError)), None)
    if tls_error is not None:
        why = getattr(tls_error, "verify_message", "") or tls_error.reason or "handshake failed"
        return Retryable(FailureReason.TLS, printable(f"TLS with the mail server failed: {why}"))
    if isinstance(error, (SMTPTimeoutError, TimeoutError)):
        return Retryable(FailureReason.TIMEOUT, "the mail server did not answer in time", unknown=unknown)
    if isinstance(error, (SMTPServerDisconnected, OSError)):
        when = "after the mail was sent, before its receipt was confirmed" if unknown else "before the mail was sent"
        return Retryable(FailureReason.NETWORK, f"the mail server closed the connection {when}", unknown=unknown)
    return Retryable(
        FailureReason.BAD_RESPONSE, f"the mail server cannot be talked to ({type(error).__name__})", unknown=unknown
    )


def _refusal(error: SMTPResponseException) -> ChannelError:
    said = f"the mail server said {_reply(error)}"
    if error.code in _CREDENTIAL:
        return Refused(FailureReason.UNAUTHORIZED, f"the mail server refuses the credential ({error.code})")
    if 400 <= error.code < 500:
        return Retryable(FailureReason.TEMPORARY, said)
    if error.code == 552:
        return Permanent(FailureReason.TOO_LARGE, said)
    if 500 <= error.code < 600:
        return Permanent(FailureReason.CONTENT_REFUSED, said)
    return Retryable(FailureReason.BAD_RESPONSE, said)


def _reply(error: SMTPResponseException) -> str:
    return printable(f"{error.code} {error.message}")
