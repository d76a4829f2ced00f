"""What is read from an address, and that nothing secret in it is ever shown."""

from __future__ import annotations

import pytest

from bridge.domain.errors import StorageError
from bridge.storage.postgres_address import parse_address


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://bridge@db.example/alerts", "db.example/alerts"),
        ("postgres://bridge:s3cr%40t@db.example:5433/alerts", "db.example:5433/alerts"),
        ("postgresql://bridge@a.example:1,b.example:2/alerts?sslmode=require", "a.example:1,b.example:2/alerts"),
        ("postgresql:///alerts?host=/run/postgresql&user=bridge", "/run/postgresql/alerts"),
        ("postgresql://bridge@[::1]:5432/alerts", "[::1]:5432/alerts"),
        ("postgresql://", "postgresql"),
    ],
)
def test_a_database_is_named_without_who_and_with_what_word(url: str, name: str) -> None:
    assert parse_address(url).name == name


def test_several_hosts_are_told_apart_from_one() -> None:
    assert parse_address("postgresql://a.example,b.example/alerts").several
    assert not parse_address("postgresql://a.example/alerts").several


def test_what_libpq_knows_and_the_bridge_decides_itself_is_left_out() -> None:
    address = parse_address("postgresql://h.example/d?connect_timeout=5&keepalives_idle=3&sslmode=verify-full")
    assert address.dsn.reveal() == "postgresql://h.example/d?sslmode=verify-full"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://bridge@db.example/alerts", "does not begin with postgresql://"),
        ("postgresql://u:s3cret@db.example/alerts?statement_timout=3", "not known: statement_timout"),
        ("postgresql://u:s3cret#more@db.example/alerts", "%23"),
        ("postgresql://u:s3/cret@db.example/alerts", "port that is no number"),
        ("postgresql://u:s3cret@db.example:s3cret/alerts", "port that is no number"),
        ("postgresql://u:s3cret@[db.example/alerts", "cannot be read"),
    ],
)
def test_a_wrong_address_is_refused_without_repeating_it(url: str, said: str) -> None:
    with pytest.raises(StorageError, match=said) as refused:
        parse_address(url)
    assert "s3" not in str(refused.value)


def test_no_text_of_an_address_holds_its_password() -> None:
    assert "s3cret" not in repr(parse_address("postgresql://u:s3cret@db.example/alerts"))
