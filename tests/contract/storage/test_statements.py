"""Every statement that the code calls by name is written down, and every one that is written down is called."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

import bridge
from bridge.storage.migrate import migrate
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_address import parse_address
from bridge.storage.postgres_link import Link
from bridge.storage.statements import migrations, named, statements

CALLS = {"one", "all", "run", "insert", "many"}


def named_in(dialect: str, name: str) -> set[str]:
    return set(named(files("bridge.storage").joinpath("sql", dialect, name).read_text()))


def postgres_file(name: str) -> set[str]:
    return named_in("postgres", name)


INSIDE = {
    "sqlite": {"audit_append"} | named_in("sqlite", "copies.sql"),
    "postgres": set().union(*map(postgres_file, ("inside.sql", "tuning.sql", "audit_log.sql", "copies.sql"))),
}
"""What the storage itself runs, not through a transaction's methods."""

SHARED = postgres_file("shared.sql")
"""What only a database needs that several bridges share."""


def called() -> Iterator[tuple[str, str, str]]:
    """(method, name, where) of each statement that is called through a transaction."""
    for file in sorted(Path(bridge.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS):
                continue
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in {"tx", "_tx"} and node.args and isinstance(node.args[0], ast.Constant):
                yield node.func.attr, str(node.args[0].value), f"{file.name}:{node.lineno}"


def test_every_statement_that_is_called_exists(dialect: str) -> None:
    known = set(statements(dialect)) | SHARED
    uses = list(called())
    assert len(uses) > 40
    assert [f"{name} at {where}" for _method, name, where in uses if name not in known] == []


def test_every_statement_that_exists_is_called(dialect: str) -> None:
    """Or named, where one call runs several."""
    named_in_storage = {
        node.value
        for file in (Path(bridge.__file__).parent / "storage").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    used = {name for _method, name, _where in called()} | named_in_storage
    assert set(statements(dialect)) - used - INSIDE[dialect] == set()


def test_both_dialects_have_the_same_statements() -> None:
    assert set(statements("sqlite")) - INSIDE["sqlite"] == set(statements("postgres")) - INSIDE["postgres"] - SHARED


def test_both_dialects_take_the_same_values() -> None:
    """PostgreSQL is given the new row's id as well, which SQLite makes itself."""
    inserted = {name for method, name, _where in called() if method == "insert"}
    differ = []
    for name, text in statements("sqlite").items():
        other = statements("postgres").get(name)
        if other is None or name in INSIDE["sqlite"]:
            continue
        numbers = {int(number) for number in re.findall(r"\$(\d+)", other)}
        wanted = text.count("?") + (name in inserted)
        if numbers != set(range(1, wanted + 1)):
            differ.append(name)
    assert differ == []


def test_migrations_are_numbered_without_a_gap(dialect: str) -> None:
    assert [number for number, _script in migrations(dialect)] == list(range(1, len(migrations(dialect)) + 1))


def test_both_dialects_have_the_same_tables_and_columns() -> None:
    def tables(dialect: str) -> dict[str, list[str]]:
        script = "\n".join(text for _number, text in migrations(dialect))
        bodies = re.findall(r"CREATE TABLE (\w+) \((.*?)^\)", script, re.MULTILINE | re.DOTALL)
        return {name: re.findall(r"^    ([a-z_]+) ", body, re.MULTILINE) for name, body in bodies}

    ours, theirs = tables("sqlite"), tables("postgres")
    assert set(theirs) - set(ours) == {"turn", "bridge_schema", "replicas", "leader", "partitions"}
    assert {name: theirs[name] for name in ours} == ours


def test_sqlite_understands_every_statement() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        for name, text in statements("sqlite").items():
            try:
                connection.execute(f"EXPLAIN {text}", [None] * text.count("?"))
            except sqlite3.Error as error:
                pytest.fail(f"{name}: {error}")


async def test_postgresql_understands_every_statement(postgres_url: str) -> None:
    await (await PostgresDatabase.open(postgres_url)).close()
    link = await Link.open(parse_address(postgres_url))
    try:
        for name, text in statements("postgres").items():
            if not name.startswith("tune_"):
                try:
                    await link.prepare(text)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the statement's
                    pytest.fail(f"{name}: {error}")
    finally:
        await link.close()
