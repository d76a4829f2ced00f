"""Numbered, forward-only migrations, each in a transaction of its own."""

from __future__ import annotations

import sqlite3

from bridge.domain.errors import StorageError
from bridge.storage.statements import migrations


def migrate(connection: sqlite3.Connection) -> tuple[int, int]:
    """Bring a SQLite database to this version's schema; gives (before, after). The number is `PRAGMA user_version`.

    Raises:
        StorageError: the database was written by a newer version.
    """
    before = int(connection.execute("PRAGMA user_version").fetchone()[0])
    newest = migrations("sqlite")[-1][0]
    if before > newest:
        raise StorageError(
            f"the database has schema {before}, this version knows {newest}: it was written by a newer alertbridge. "
            "Run that version, or restore a backup made before the upgrade."
        )
    for number, script in migrations("sqlite"):
        if number > before:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    return before, newest
