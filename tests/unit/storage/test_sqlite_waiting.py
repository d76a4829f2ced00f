"""Rows that wait in a transaction of SQLite: nobody can tell, but from the number of statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from bridge.storage.migrate import migrate
from bridge.storage.sqlite_transaction import SqliteTx, drive
from bridge.storage.sqlite_waiting import Waiting, known, send_rows
from bridge.storage.statements import statements
from bridge.storage.transaction import Row, Value

_SQL = statements("sqlite")
_READS = {sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_CHANGES = _READS - {sqlite3.SQLITE_READ}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    opened.execute("BEGIN IMMEDIATE")
    yield opened
    opened.close()


class Counted:
    """A transaction whose rows wait, and the statements it has run."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.ran: list[str] = []
        self.waiting = Waiting(connection)
        self.tx = SqliteTx(connection, _SQL, self.waiting)
        self._connection = connection
        connection.set_trace_callback(self.ran.append)

    def insert(self, name: str, *values: Value) -> int:
        return drive(lambda tx: tx.insert(name, *values), self.tx)

    def run(self, name: str, *values: Value) -> int:
        return drive(lambda tx: tx.run(name, *values), self.tx)

    def one(self, name: str, *values: Value) -> Row | None:
        return drive(lambda tx: tx.one(name, *values), self.tx)

    def all(self, name: str, *values: Value) -> list[Row]:
        return drive(lambda tx: tx.all(name, *values), self.tx)

    def inserts(self) -> int:
        return sum(text.startswith("INSERT") for text in self.ran)

    def stored(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def counted(connection: sqlite3.Connection) -> Counted:
    return Counted(connection)


def alert(name: str) -> Sequence[Value]:
    return ("prometheus", "", name, 1, "firing", 1, None, 1, "", "", "{}", "{}", "{}", "{}", "", "", "", None, 0)


def incident(name: str, group: str) -> Sequence[Value]:
    return (
        name, "prometheus", "root", "people", group, "{}", "{}", "open", 1, "", 1, 1, None, None, "", None, "", "", "", "", 0, 1, 0, None, 0,
        None, "", "",
    )  # fmt: skip


def delivery(incident: str) -> Sequence[Value]:
    return (incident, "people", "people", "opened", "pending", "", 1, 1, "")


def request(body: bytes = b"{}") -> Sequence[Value]:
    return ("prometheus", 1, "digest", body, "generation", "planned", 0)


def test_a_statement_is_known_to_meet_every_table_that_sqlite_says_it_meets(connection: sqlite3.Connection) -> None:
    met: dict[int, set[str]] = {}

    def authorize(action: int, table: str | None, *_rest: object) -> int:
        met.setdefault(action, set()).add(table or "")
        return sqlite3.SQLITE_OK

    of_schema = {"sqlite_schema", "sqlite_master", ""}
    connection.set_authorizer(authorize)
    for name, text in _SQL.items():
        met.clear()
        connection.execute(f"EXPLAIN {text}", [None] * text.count("?"))
        read = set().union(*(met.get(action, set()) for action in _READS)) - of_schema
        changed = set().union(*(met.get(action, set()) for action in _CHANGES)) - of_schema
        ours = {
            table
            for table in read
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        }
        assert ours <= known().tables[name], name
        assert changed & ours <= known().writes.get(name, frozenset()), name


def test_many_rows_go_in_few_statements(counted: Counted) -> None:
    for number in range(43):
        counted.insert("request_add", *request())
        counted.insert("alert_add", *alert(f"a{number}"))
    assert counted.stored("requests") == 0
    counted.waiting.send_all()
    assert counted.inserts() == 2 * 4  # 32, 8, 2 and 1
    assert counted.stored("requests") == counted.stored("alerts") == 43


def test_numbers_go_on_after_the_last_stored_one(connection: sqlite3.Connection, counted: Counted) -> None:
    plain = SqliteTx(connection, _SQL)
    assert drive(lambda tx: tx.insert("request_add", *request()), plain) == 1
    assert [counted.insert("request_add", *request()) for _turn in range(3)] == [2, 3, 4]
    counted.waiting.send_all()
    assert [row[0] for row in connection.execute("SELECT id FROM requests ORDER BY id")] == [1, 2, 3, 4]


def test_numbers_go_on_after_rows_that_another_statement_added(
    connection: sqlite3.Connection, counted: Counted
) -> None:
    first = counted.insert("delivery_add", *delivery("i1"))
    jump = counted.one("delivery_far_ahead", 1000, 1, 1, 1)
    assert jump is not None
    assert counted.insert("delivery_add", *delivery("i2")) == jump[0] + 1 > first + 1000


def test_a_look_finds_what_waits(counted: Counted) -> None:
    number = counted.insert("alert_add", *alert("a"))
    counted.run("incident_add", *incident("i", "g"))
    found = counted.one("alert_get", "prometheus", "", "a")
    assert found is not None
    assert found[0] == number
    assert counted.one("incident_open_by_group", "prometheus", "root", "g") is not None


def test_a_look_for_something_else_lets_rows_wait(counted: Counted) -> None:
    counted.insert("alert_add", *alert("a"))
    counted.run("incident_add", *incident("i", "g"))
    assert counted.one("alert_get", "prometheus", "", "b") is None
    assert counted.one("incident_open_by_group", "prometheus", "root", "h") is None
    assert counted.inserts() == 0


def test_whoever_joins_tables_sees_the_rows_of_all(counted: Counted) -> None:
    number = counted.insert("alert_add", *alert("a"))
    counted.run("incident_add", *incident("i", "g"))
    counted.run("incident_alert_put", "i", number, 1, "firing", "{}", "{}", 1, None, "", "", "", "")
    counted.insert("delivery_add", *delivery("i"))
    assert len(counted.all("members_of_deliveries", "[1]")) == 1


def test_a_change_meets_the_rows_that_wait(counted: Counted) -> None:
    number = counted.insert("delivery_add", *delivery("i"))
    assert counted.run("delivery_stop", "cancelled", "acknowledged", 2, number) == 1


def test_large_bodies_do_not_pile_up(counted: Counted) -> None:
    for _turn in range(4):
        counted.insert("request_add", *request(b"x" * 2**19))
    assert counted.stored("requests") == 4


def test_rows_do_not_pile_up(counted: Counted) -> None:
    for number in range(300):
        counted.insert("alert_add", *alert(f"a{number}"))
    assert counted.stored("alerts") == 256


def test_an_upsert_of_one_row_twice_keeps_the_later(connection: sqlite3.Connection, counted: Counted) -> None:
    counted.run("told_put", "i", "people", 1, 1, "firing")
    counted.run("told_put", "i", "people", 1, 1, "resolved")
    counted.waiting.send_all()
    assert connection.execute("SELECT status FROM told").fetchall() == [("resolved",)]


def test_rows_that_break_a_rule_end_the_transaction(connection: sqlite3.Connection) -> None:
    """So that nothing half done can be committed: the group goes again, each unit by itself."""
    bad = [(number, *delivery("i")) for number in (1, 2)]
    bad[1] = (2, *delivery("i")[:4], "no state", *delivery("i")[5:])
    with pytest.raises(sqlite3.IntegrityError):
        send_rows(connection, known().additions["delivery_add"], bad)
    assert not connection.in_transaction


def test_whoever_overlooks_that_rows_could_not_be_added_gets_no_further(counted: Counted) -> None:
    """The transaction is over, and each further statement would be committed by itself."""
    counted.insert("delivery_add", *delivery("i")[:4], "no state", *delivery("i")[5:])
    with pytest.raises(sqlite3.IntegrityError):
        counted.run("delivery_stop", "cancelled", "acknowledged", 2, 1)
    with pytest.raises(sqlite3.IntegrityError):
        counted.run("meta_set", "a", "1")
    with pytest.raises(sqlite3.IntegrityError):
        counted.insert("request_add", *request())
    with pytest.raises(sqlite3.IntegrityError):
        counted.waiting.send_all()
    assert counted.stored("meta WHERE name = 'a'") == 0


def test_rows_that_go_together_make_sqlite_copy_no_page(tmp_path: Path) -> None:
    """It would keep a journal for the statement, in a file, unless a failure ends the whole transaction."""
    with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 16384")  # more than 64 KiB of copies go to a file
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
        connection.execute("BEGIN IMMEDIATE")
        counted = Counted(connection)
        for number in range(255):
            alert_id = counted.insert("alert_add", *alert(sha256(str(number).encode()).hexdigest() * 30))
            counted.insert("request_add", *request())
            counted.run("incident_add", *incident(f"i{number}", "g"))
            counted.run("incident_alert_put", f"i{number}", alert_id, 1, "firing", "{}", "{}", 1, None, "", "", "", "")
            counted.insert("delivery_add", *delivery("i" * 500))
            counted.run("told_put", f"i{number}", "people", alert_id, 1, "firing")
        counted.waiting.send_all()
        opened = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        assert [path for path in opened if "etilqs" in path] == []
