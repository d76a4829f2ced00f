"""Open files and sockets: how many this process may have, and who gets them.

A connection that takes the last descriptor would keep the database from its files and the channels from their services,
so the listener's cap follows the limit of the process, and what cannot be served is turned away at the door.
"""

from __future__ import annotations

import resource

import structlog
from msgspec.structs import replace

from bridge.config.model import Config

RESERVE = 128
"""For the database, logs, files that are read, programs that are run, connections kept alive."""
_log = structlog.get_logger("bridge.descriptors")


def within_limits(config: Config) -> Config:
    """The configuration with `server.max_connections` and `max_in_flight` as far as the process's limit of open files bears.

    The soft limit is raised to what is needed, as far as the hard one allows.
    """
    connections, attempts = config.server.max_connections, config.max_in_flight
    wanted = connections + attempts + RESERVE
    limit = _raised(wanted)
    if limit >= wanted:
        return config
    left = limit - min(RESERVE, limit // 2)
    attempts = min(attempts, max(1, left // 3))
    connections = min(connections, max(1, left - attempts))
    _log.warning("few_open_files", limit=limit, wanted=wanted, max_connections=connections, max_in_flight=attempts)
    server = config.server.model_copy(update={"max_connections": connections})
    return replace(config, server=server, max_in_flight=attempts)


def _raised(wanted: int) -> int:
    """The soft limit, after raising it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in {wanted, resource.RLIM_INFINITY} or soft > wanted:
        return max(soft, wanted)
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if raised > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return max(raised, soft)
