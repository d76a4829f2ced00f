"""How a channel of a story fails."""

from __future__ import annotations

from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable


def failure(mood: str) -> ChannelError:
    return {
        "network": Retryable(FailureReason.NETWORK, "reset"),
        "busy": Retryable(FailureReason.RATE_LIMITED, "slow down", retry_after=90.0),
        "unknown": Retryable(FailureReason.TIMEOUT, "no answer", unknown=True),
        "permanent": Permanent(FailureReason.CONTENT_REFUSED, "too odd"),
        "refused": Refused(FailureReason.UNAUTHORIZED, "who are you"),
    }[mood]
