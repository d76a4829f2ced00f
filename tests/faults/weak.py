"""The bridge with a planted fault: it syncs at checkpoints alone (`synchronous = NORMAL`). `python -m tests.faults.weak serve …`."""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

from bridge.__main__ import main
from bridge.storage.sqlite import SqliteDatabase

_connect = SqliteDatabase._connect


def _weakly(self: SqliteDatabase, **how: Any) -> sqlite3.Connection:
    connection = _connect(self, **how)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


if __name__ == "__main__":
    SqliteDatabase._connect = _weakly  # type: ignore[method-assign]
    sys.exit(main())
