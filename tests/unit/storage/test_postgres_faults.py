"""Each error of PostgreSQL has one meaning for whoever waits."""

from __future__ import annotations

import asyncpg
import pytest

from bridge.domain.errors import StorageBusy, StorageError, StorageFatal
from bridge.storage.postgres_faults import Contended, Lost, fault_of


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("XX001", StorageFatal),
        ("XX002", StorageFatal),
        ("40001", Contended),
        ("40P01", Contended),
        ("40003", Lost),
        ("08006", Lost),
        ("57P01", Lost),
        ("57P02", Lost),
        ("57P03", Lost),
        ("25006", Lost),
        ("25P03", Lost),
        ("53100", StorageBusy),
        ("53300", StorageBusy),
        ("55P03", StorageBusy),
        ("57014", StorageBusy),
        ("58030", StorageBusy),
        ("XX000", StorageBusy),
        ("42501", StorageBusy),
        ("42P01", StorageBusy),
        ("22021", None),
        ("54000", None),
        ("23505", None),
        ("42601", None),
    ],
)
def test_each_state_of_the_server_has_one_meaning(state: str, fault: type[StorageError] | None) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "as PostgreSQL says it\nwith a second line", "S": "ERROR"})
    found = fault_of(error)
    assert (type(found) if found else None) is fault
    if found is not None:
        assert found.__cause__ is error
        assert "as PostgreSQL says it" in str(found)
        assert "second line" not in str(found)


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "reset"), TimeoutError(), asyncpg.InterfaceError("closed"), EOFError()]
)
def test_an_error_of_the_connection_means_that_it_is_gone(error: Exception) -> None:
    assert type(fault_of(error)) is Lost


def test_a_value_that_fits_no_column_is_the_units_own_fault() -> None:
    class WrongValueError(asyncpg.InterfaceError, ValueError):
        """As the driver's own."""

    assert fault_of(WrongValueError("invalid input")) is None
    assert fault_of(KeyError("a unit's own")) is None
