"""`alertbridge migrate`: bring the database to this version's schema, before or beside the bridges."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.cli.located import required
from bridge.cli.reading import require_readable
from bridge.config.documents import find_files
from bridge.secrets.settings import light_settings
from bridge.storage.postgres_address import Address


class Migrated(msgspec.Struct, frozen=True):
    """What the command did. `waiting`: what older bridges that still run must end for."""

    database: str
    before: int
    after: int
    waiting: tuple[int, ...] = ()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("migrate")(migrate)


def migrate(
    config: Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")] = Path("routes"),
    database: Annotated[Path | None, typer.Option("--database", help="instead of the configured database file")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Bring the database to this version's schema. A bridge does so itself when it starts. On PostgreSQL it may be done beside running bridges."""
    if database is None:
        require_readable(config)
    files = find_files(config) if database is None else ()
    found = required(light_settings(files, os.environ), database)
    done = asyncio.run(_migrate(found))
    if as_json:
        typer.echo(msgspec.json.encode(done))
        return
    typer.echo(f"{done.database}: {_what(done)}")
    for number in done.waiting:
        typer.echo(f"what schema {number} takes away waits until no bridge of an older version runs")


def _what(done: Migrated) -> str:
    if done.before > done.after:
        return f"schema {done.before}, newer than this version's {done.after}; nothing was changed"
    return f"schema {done.after}" if done.before == done.after else f"from schema {done.before} to {done.after}"


async def _migrate(found: Path | Address) -> Migrated:
    if isinstance(found, Address):
        from bridge.storage.postgres import PostgresDatabase

        server = await PostgresDatabase.open(found.dsn.reveal())
        await server.close()
        return Migrated(server.name, *server.migrated, server.waiting)
    from bridge.storage.sqlite import SqliteDatabase

    file = await SqliteDatabase.open(found)
    await file.close()
    return Migrated(str(found), *file.migrated)
