"""Whether there is a configuration to read at all: not being able to is another answer than what is wrong in it."""

from __future__ import annotations

from pathlib import Path

from bridge.config.documents import find_files
from bridge.domain.errors import BridgeError


def require_readable(config: Path) -> None:
    """Raises BridgeError (exit 3) if there is no such file or directory, or it may not be listed."""
    try:
        find_files(config)
    except OSError as error:
        raise BridgeError(f"{error.filename or config}: cannot be read: {error.strerror}") from error
