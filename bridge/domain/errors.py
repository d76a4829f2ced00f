"""Every error the bridge raises on purpose, in one tree.

BridgeError
├── ConfigError            a configuration that does not validate
├── SecretError            a credential that cannot be sealed, opened or found
├── IngestError            a request that is refused; carries the HTTP answer's class
├── StorageError           the database cannot do it
│   ├── StorageBusy        not now (locked, full, shutting down): the sender should try again
│   └── StorageFatal       the database can no longer be trusted: the process must end
├── NotFound               no such incident, delivery, channel, …
├── Conflict               somebody else came first
├── TemplateFailed         a template gave no text within its budget (bridge/templates/budget.py)
├── EnrichFailed           a hook could not add all it should (bridge/hooks/enrich.py)
└── ChannelError           an attempt to deliver that failed
    ├── Retryable          try again later
    ├── Permanent          the content is refused: one plain-text try, then dead
    └── Refused            the credential or the destination is refused: the breaker opens
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class BridgeError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(BridgeError):
    """A configuration that does not validate; the message names what, where and what to do."""


class SecretError(BridgeError):
    """A credential that cannot be sealed, opened or found. The message never holds the credential."""


class IngestReason(StrEnum):
    """Why a request was refused; labels `webhooks_received_total{outcome}`, but for the last: `forged` is of callbacks
    and links, the others label `requests_refused_total{reason}`.
    """

    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN_SOURCE = "unknown_source"
    MALFORMED = "malformed"
    WRONG_FORMAT = "wrong_format"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    TOO_SLOW = "too_slow"
    UNAVAILABLE = "unavailable"
    FORGED = "forged"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - a reason, not a password
    NO_TOKEN = "no_token"  # noqa: S105 - as above
    FORBIDDEN = "forbidden"


class IngestError(BridgeError):
    """A request that is refused. `reason` decides the HTTP status; the message never echoes input values."""

    def __init__(self, reason: IngestReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StorageError(BridgeError):
    """The database cannot do what was asked."""


class StorageBusy(StorageError):  # noqa: N818 - reads as the state it reports
    """Not now: locked, full or shutting down. Nothing was stored; the sender should try again."""


class StorageFatal(StorageError):  # noqa: N818 - as above
    """The database can no longer be trusted (I/O error, corruption). The process must end."""


class NotFound(BridgeError):  # noqa: N818 - as above
    """No such incident, delivery or channel."""


class Conflict(BridgeError):  # noqa: N818 - as above
    """Somebody else came first; `by` is who."""

    def __init__(self, message: str, by: str = "") -> None:
        super().__init__(message)
        self.by = by


class FailureReason(StrEnum):
    """Why an attempt failed: the closed set that labels `delivery_attempts_total{reason}`."""

    TIMEOUT = "timeout"
    NETWORK = "network"
    DNS = "dns"
    TLS = "tls"
    EGRESS_DENIED = "egress_denied"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TEMPORARY = "temporary"
    BAD_RESPONSE = "bad_response"
    REDIRECT = "redirect"
    CONTENT_REFUSED = "content_refused"
    TOO_LARGE = "too_large"
    UNAUTHORIZED = "unauthorized"
    DESTINATION_GONE = "destination_gone"
    RECIPIENT_REFUSED = "recipient_refused"
    PLUGIN_ERROR = "plugin_error"
    BUSY = "busy"
    CHANNEL_MISSING = "channel_missing"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a reason, not a password
    GAVE_UP = "gave_up"
    LEASE_LOST = "lease_lost"


class ChannelError(BridgeError):
    """An attempt to deliver that failed. `detail` is for people and never holds a credential or a secret URL."""

    def __init__(self, reason: FailureReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    def redact(self, clean: Callable[[str], str]) -> None:
        """Strike credentials out of the text: a plugin may have quoted its service."""
        self.detail = clean(self.detail)
        self.args = (f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value,)


class Retryable(ChannelError):  # noqa: N818 - the outcome is the name
    """Try again later. `retry_after` is in seconds, from the service. `unknown` when bytes left and no answer came."""

    def __init__(
        self, reason: FailureReason, detail: str = "", *, retry_after: float | None = None, unknown: bool = False
    ) -> None:
        super().__init__(reason, detail)
        self.retry_after = retry_after
        self.unknown = unknown


class Permanent(ChannelError):  # noqa: N818 - as above
    """The content is refused (400, 413, 422): one plain-text try, then dead."""


class Refused(ChannelError):  # noqa: N818 - as above
    """The credential or destination is refused (401, 403, 404, 410): the delivery stays pending, the breaker opens."""
