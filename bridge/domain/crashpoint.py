"""Places where the process can be made to die, so that tests prove what a crash there costs.

`ALERTBRIDGE_CRASHPOINT=name:nth` arms one for the life of the process: its nth passing is a SIGKILL. Nothing is tidied
up and no buffer is written, exactly as if the machine had killed it. Unarmed, a point is one comparison.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from bridge.domain.errors import ConfigError

VARIABLE = "ALERTBRIDGE_CRASHPOINT"

POINTS = frozenset(
    {
        "ingest.after_read",
        "ingest.before_commit",
        "ingest.after_commit",
        "ingest.after_2xx",
        "reduce.mid_batch",
        "outbox.after_claim",
        "send.before_connect",
        "send.after_bytes",
        "send.after_response",
        "result.before_commit",
        "result.after_commit",
        "retry.reschedule",
        "dead.before_meta_alert",
        "esc.before_claim",
        "esc.after_claim",
        "ack.before_commit",
        "ack.after_commit",
        "audit.before_checkpoint",
        "audit.after_sign",
        "anchor.after_publish",
        "prune.after_header",
        "prune.after_delete",
        "wal.checkpoint",
        "migrate.mid",
        "reload.after_swap",
        "rekey.after_write",
        "lease.renew",
        "shutdown.after_stop_accept",
    }
)
"""Every point there is; each is passed somewhere in the bridge and died at by a test."""


class _Armed:
    """The point that kills, and how often it is still passed unharmed."""

    name = ""
    passes = 0


def arm(environment: Mapping[str, str]) -> None:
    """Arm the point that the environment names, if it names one.

    Raises:
        ConfigError: there is no such point, or the count is no number from 1 on.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return
    name, _colon, nth = text.partition(":")
    if name not in POINTS:
        raise ConfigError(f"{VARIABLE}: there is no crash point {name!r}; there are {', '.join(sorted(POINTS))}")
    if not nth.isascii() or not nth.isdecimal() or int(nth) < 1:
        raise ConfigError(f"{VARIABLE}: write {name}:1 to die at the first passing, {name}:2 at the second")
    _Armed.name, _Armed.passes = name, int(nth)


def armed(name: str) -> bool:
    """Whether this is the point that is armed; for what must be arranged before it can be passed."""
    return name == _Armed.name


def crashpoint(name: str) -> None:
    """Die here if this point is armed and its turn has come."""
    if name == _Armed.name:
        _Armed.passes -= 1
        if _Armed.passes == 0:
            os.kill(os.getpid(), signal.SIGKILL)
