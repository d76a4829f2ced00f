"""Every statement that the code calls by name is written down, and every one that is written down is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bridge
from bridge.storage.statements import migrations, statements

CALLS = {"one", "all", "run", "insert", "many"}
INSIDE = {"audit_append"}
"""What the storage itself runs, not through a transaction's methods."""


def called() -> Iterator[tuple[str, str]]:
    """(name, where) of each statement that is called through a transaction."""
    for file in sorted(Path(bridge.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS):
                continue
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in {"tx", "_tx"} and node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), f"{file.name}:{node.lineno}"


def test_every_statement_that_is_called_exists(dialect: str) -> None:
    known = statements(dialect)
    uses = list(called())
    assert len(uses) > 40
    assert [f"{name} at {where}" for name, where in uses if name not in known] == []


def test_every_statement_that_exists_is_called(dialect: str) -> None:
    assert set(statements(dialect)) - {name for name, _where in called()} == INSIDE


def test_migrations_are_numbered_without_a_gap(dialect: str) -> None:
    assert [number for number, _script in migrations(dialect)] == list(range(1, len(migrations(dialect)) + 1))
