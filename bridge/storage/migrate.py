"""Numbered, forward-only migrations, each in a transaction of its own."""

from __future__ import annotations

import sqlite3

from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import StorageError
from bridge.storage.statements import migrations


def migrate(connection: sqlite3.Connection) -> tuple[int, int]:
    """Bring a SQLite database to this version's schema; gives (before, after). The number is `PRAGMA user_version`.

    Raises:
        StorageError: the database was written by a newer version, or by another program.
    """
    before = int(connection.execute("PRAGMA user_version").fetchone()[0])
    newest = migrations("sqlite")[-1][0]
    if before > newest:
        raise StorageError(
            f"the database has schema {before}, this version knows {newest}: it was written by a newer alertbridge. "
            "Run that version, or restore a backup made before the upgrade."
        )
    if before == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StorageError("the database belongs to another program: it has tables that are not alertbridge's")
    for number, script in migrations("sqlite"):
        if number > before:
            try:
                connection.executescript(f"BEGIN IMMEDIATE;\n{script}")
                crashpoint("migrate.mid")
                connection.execute(f"PRAGMA user_version = {number}")
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageError(
                    f"the migration to schema {number} failed, and nothing of it is kept: {error}"
                ) from error
    return before, newest
