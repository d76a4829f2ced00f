from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.auth import SIGNATURE_HEADER, Basic, Bearer, Hmac, authenticate, digest_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b'{"a":1}'
SIGNED = "d42927434049e0b8c73ce887062238cc1c6bb6644bfe66e66d8dd0f30b85679e"
SIGNED_AT_1700000000 = "c27bf53028b5a09eacad0cd5b2a1248a12e2d83c69373645dbfc5578fb7d3ae1"
THEN = datetime.fromtimestamp(1_700_000_000, UTC)
TIMESTAMP = "X-Sent-At"

BEARER = Bearer((digest_of("old-token"), digest_of("new-token")))
BASIC = Basic("user", (digest_of("p@ss:wörd"), digest_of("next")))
HMAC = Hmac((b"older", b"s3cr3t"))
TIMED = Hmac((b"s3cr3t",), timestamp_header=TIMESTAMP)


def passes(way, *headers: tuple[str, str], body: bytes = BODY, now: datetime = NOW) -> bool:
    try:
        authenticate(way if isinstance(way, list) else [way], headers, body, now)
    except IngestError as error:
        refused = error
    else:
        return True
    assert refused.reason is IngestReason.UNAUTHENTICATED
    assert str(refused) == "the request does not prove who sent it"
    return False


def authorization(value: str) -> tuple[str, str]:
    return ("Authorization", value)


def basic(user_and_password: str | bytes, scheme: str = "Basic") -> tuple[str, str]:
    raw = user_and_password if isinstance(user_and_password, bytes) else user_and_password.encode()
    return authorization(f"{scheme} {base64.b64encode(raw).decode()}")


def timed(seconds: object, *, signed: str = SIGNED_AT_1700000000) -> list[tuple[str, str]]:
    return [(SIGNATURE_HEADER, signed), (TIMESTAMP, str(seconds))]


def test_a_source_without_ways_lets_everybody_pass():
    assert passes([])


@pytest.mark.parametrize("value", ["Bearer old-token", "Bearer new-token", "bearer new-token", "BEARER  new-token "])
def test_each_of_the_tokens_is_accepted(value):
    assert passes(BEARER, authorization(value))
    assert passes(BEARER, ("authorization", value))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer newtoken",
        "Bearer new-token,old-token",
        "Bearer New-Token",
        "new-token",
        "Token new-token",
    ],
)
def test_no_other_token_is_accepted(value):
    assert not passes(BEARER, authorization(value))


def test_no_header_is_no_proof():
    for way in (BEARER, BASIC, HMAC, TIMED):
        assert not passes(way)


@pytest.mark.parametrize(
    "value", ["Bearer tökén", "Bearer \udcff\udcfe", "Bearer \ud800", "Bearer \x00", "Bearer " + "x" * 9000]
)
def test_odd_bytes_in_a_header_are_no_proof_and_no_crash(value):
    assert not passes(BEARER, authorization(value))
    assert not passes(BASIC, authorization(value.replace("Bearer", "Basic")))
    assert not passes(HMAC, (SIGNATURE_HEADER, value))
    assert not passes(TIMED, (SIGNATURE_HEADER, SIGNED), (TIMESTAMP, value))


def test_a_token_that_is_no_ascii_is_accepted_as_its_utf8():
    way = Bearer((digest_of("tökén"),))
    assert passes(way, authorization("Bearer tökén"))
    assert passes(way, authorization("Bearer " + "tökén".encode().decode("ascii", "surrogateescape")))


def test_two_authorization_headers_prove_nothing():
    assert not passes(BEARER, authorization("Bearer new-token"), authorization("Bearer new-token"))
    assert not passes(BEARER, authorization("Bearer wrong"), ("authorization", "Bearer new-token"))
    assert not passes(HMAC, (SIGNATURE_HEADER, SIGNED), (SIGNATURE_HEADER.lower(), SIGNED))


@pytest.mark.parametrize("password", ["p@ss:wörd", "next"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_each_of_the_passwords_is_accepted(password, scheme):
    assert passes(BASIC, basic(f"user:{password}", scheme))


@pytest.mark.parametrize(
    "header",
    [
        basic("user:wrong"),
        basic("user:"),
        basic("user"),
        basic(":next"),
        basic("User:next"),
        basic("user:next:"),
        basic(b"user:p@ss:w\xf6rd"),
        basic(b"\xff\xfe"),
        basic("user:next", "Bearer"),
        authorization("Basic user:next"),
        authorization("Basic dXNlcjpuZX h0"),
        authorization("Basic ===="),
        authorization("Basic"),
    ],
)
def test_no_other_login_is_accepted(header):
    assert not passes(BASIC, header)


def test_the_published_signature_over_the_body_verifies():
    assert passes(HMAC, (SIGNATURE_HEADER, SIGNED))
    assert passes(HMAC, ("x-grafana-alerting-signature", SIGNED))


def test_the_published_signature_over_time_and_body_verifies():
    assert passes(TIMED, *timed(1_700_000_000), now=THEN)


@pytest.mark.parametrize("body", [b'{"a": 1}', b'{"a":1}\n', b'{"a":2}', b""])
def test_the_raw_bytes_are_what_is_signed(body):
    assert not passes(HMAC, (SIGNATURE_HEADER, SIGNED), body=body)


@pytest.mark.parametrize(
    "sent", [SIGNED[:-1], SIGNED[:2], "", "sha256=" + SIGNED, SIGNED + " ", SIGNED.upper(), SIGNED + SIGNED, "0" * 64]
)
def test_a_signature_has_one_form_only(sent):
    assert not passes(HMAC, (SIGNATURE_HEADER, sent))


def test_a_signature_by_another_secret_is_refused():
    assert not passes(Hmac((b"other",)), (SIGNATURE_HEADER, SIGNED))


def test_the_headers_names_are_the_sources():
    way = Hmac((b"s3cr3t",), header="X-Mine")
    assert passes(way, ("X-Mine", SIGNED))
    assert not passes(way, (SIGNATURE_HEADER, SIGNED))


@pytest.mark.parametrize(
    ("seconds_off", "accepted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (10**9, False)]
)
def test_a_timestamp_may_be_off_by_the_tolerance_either_way(seconds_off, accepted):
    assert passes(TIMED, *timed(1_700_000_000), now=THEN + timedelta(seconds=seconds_off)) is accepted


def test_the_tolerance_is_the_sources():
    way = Hmac((b"s3cr3t",), timestamp_header=TIMESTAMP, tolerance=timedelta(seconds=5))
    assert passes(way, *timed(1_700_000_000), now=THEN + timedelta(seconds=5))
    assert not passes(way, *timed(1_700_000_000), now=THEN + timedelta(seconds=6))


@pytest.mark.parametrize(
    "seconds", ["", "1700000000.0", "-1700000000", "+1700000000", " 1700000000", "1_700_000_000", "１７", "1" * 4000]
)
def test_a_timestamp_is_plain_digits_even_if_signed(seconds):
    signed = hmac.new(b"s3cr3t", seconds.encode() + b":" + BODY, hashlib.sha256).hexdigest()
    assert not passes(TIMED, *timed(seconds, signed=signed), now=THEN)


def test_where_a_timestamp_is_asked_for_a_signature_over_the_body_alone_is_refused():
    assert not passes(TIMED, (SIGNATURE_HEADER, SIGNED), now=THEN)
    assert not passes(TIMED, *timed(1_700_000_000, signed=SIGNED), now=THEN)


def test_where_no_timestamp_is_asked_for_a_signature_over_time_and_body_is_refused():
    assert not passes(HMAC, *timed(1_700_000_000), now=THEN)


def test_any_of_several_ways_will_do():
    ways = [BEARER, BASIC, HMAC]
    assert passes(ways, authorization("Bearer new-token"))
    assert passes(ways, basic("user:next"))
    assert passes(ways, (SIGNATURE_HEADER, SIGNED), authorization("Bearer wrong"))
    assert not passes(ways, authorization("Bearer wrong"))


def test_what_would_let_everybody_in_cannot_be_configured():
    with pytest.raises(ValueError, match="cannot be empty"):
        digest_of("")
    for secrets in ((), (b"",), (b"x", b"")):
        with pytest.raises(ValueError, match="at least one secret"):
            Hmac(secrets)
    for digests in ((), (b"",), (b"a token, not its digest",)):
        with pytest.raises(ValueError, match="SHA-256 digest"):
            Bearer(digests)
        with pytest.raises(ValueError, match="SHA-256 digest"):
            Basic("user", digests)


def test_no_secret_shows_when_printed():
    assert "s3cr3t" not in repr(HMAC)
    assert "next" not in repr(BASIC)


@given(st.text(), st.text(), st.binary())
def test_no_header_whatever_makes_it_crash(name, value, body):
    headers = [(name, value), authorization(value), (SIGNATURE_HEADER, value), (TIMESTAMP, value)]
    assert not passes([BEARER, BASIC, HMAC, TIMED], *headers, body=body)
