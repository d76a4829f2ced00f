"""Beyond loopback nothing is open unless the configuration says so in so many words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.written import SMALLEST, load_text, said

OUTSIDE = "server: {listen: '0.0.0.0:9099'}\n"
ENVIRON = {"T": "t"}


@pytest.mark.parametrize(
    "text",
    [
        "server: {listen: '127.0.0.1:9099'}",
        "server: {listen: 'localhost:9099', observe: '0.0.0.0:1'}",
        OUTSIDE + "access: {anonymous: [ingest, viewer]}",
        OUTSIDE + "access: {tokens: [{name: a, roles: [ingest], token: env:T}]}",
        OUTSIDE + "access: {tokens: [{name: a, roles: [viewer], token: env:T}]}\nsources: {s: {auth: {bearer: env:T}}}",
        OUTSIDE + "access: {anonymous: [viewer]}\nsources: {s: {auth: {bearer: env:T}}}",
        OUTSIDE + "access: {anonymous: [ingest]}\nsources: {s: {}}",
    ],
)
def test_what_says_who_may_come_in_is_accepted(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text + SMALLEST, ENVIRON)

    assert said(loaded) == []
    assert loaded.config is not None


@pytest.mark.parametrize(
    ("text", "open_doors"),
    [
        (OUTSIDE, ["the API", "the source 'default'"]),
        (OUTSIDE + "sources: {s: {auth: {bearer: env:T}}, t: {}}", ["the API", "the source 't'"]),
        (OUTSIDE + "access: {anonymous: [viewer]}", ["the source 'default'"]),
        (OUTSIDE + "access: {tokens: [{name: a, roles: [viewer], token: env:T}]}", ["the source 'default'"]),
        (OUTSIDE + "access: {}\nsources: {s: {auth: {bearer: env:T}}}", ["the API"]),
        ("server: {listen: ':9099'}", ["the API", "the source 'default'"]),
        ("server: {listen: 'bridge.example.com:9099'}", ["the API", "the source 'default'"]),
    ],
)
def test_an_open_door_beyond_loopback_is_an_error(tmp_path: Path, text: str, open_doors: list[str]) -> None:
    loaded = load_text(tmp_path, text + SMALLEST, ENVIRON)

    assert loaded.config is None
    messages = [found.message for found in loaded.errors]
    assert len(messages) == len(open_doors)
    assert all(f"would leave {door} open" in message for door, message in zip(open_doors, messages, strict=True))


def test_client_certificates_close_the_sources_but_not_the_api(tmp_path: Path) -> None:
    tls = "server: {listen: ':1', tls: {cert_file: c, key_file: k, client_ca_file: ca}}"
    loaded = load_text(tmp_path, tls + SMALLEST)

    assert ["API" in found.message for found in loaded.errors] == [True]


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ("{}", "sources.s.auth: name at least one of bearer, basic, hmac_secret"),
        ("{bearer: []}", "sources.s.auth.bearer: has too few entries"),
        (
            "{bearer: env:T, timestamp_header: X}",
            "sources.s.auth: timestamp_header belongs to hmac_secret, which is not given",
        ),
    ],
)
def test_a_proof_that_proves_nothing_is_an_error(tmp_path: Path, auth: str, message: str) -> None:
    loaded = load_text(tmp_path, f"sources: {{s: {{auth: {auth}}}}}{SMALLEST}", ENVIRON)

    assert [found.message for found in loaded.errors] == [message]


def test_two_tokens_of_one_name_are_an_error(tmp_path: Path) -> None:
    tokens = "access: {tokens: [{name: a, roles: [viewer], token: env:T}, {name: a, roles: [admin], token: env:T}]}"

    assert said(load_text(tmp_path, tokens + SMALLEST, ENVIRON)) == [
        "main.yml:1:9: access: two tokens are called a; a token's name is the actor in the audit"
    ]


def test_a_repeat_to_pagerduty_is_a_warning_because_it_rings_nobody(tmp_path: Path) -> None:
    text = """
channels: {pd: {type: pagerduty, routing_key: env:T}, out: {type: console}}
receivers: {all: [out, pd], loud: [out]}
escalations:
  e:
    - {after: 1m, notify: [all], repeat: {every: 5m, times: 2}}
    - {after: 2m, notify: [loud], repeat: {every: 5m, times: 2}}
    - {after: 3m, notify: [pd]}
route: {receiver: out}
"""
    assert said(load_text(tmp_path, text, ENVIRON)) == [
        "main.yml:6:34: warning: repeat rings nobody at pd: to PagerDuty a repeated event is the same incident"
    ]


@pytest.mark.parametrize("url", ["mysql://x", "bridge.db", "sqlite:"])
def test_an_address_of_no_kind_of_database_there_is_is_an_error(tmp_path: Path, url: str) -> None:
    assert said(load_text(tmp_path, f"storage: {{url: '{url}'}}{SMALLEST}")) == [
        "main.yml:1:16: storage.url: write it like sqlite:var/bridge.db or postgresql://user@host/database"
    ]


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgres://h/d", "sqlite:x.db"])
def test_an_address_of_either_database_is_taken(tmp_path: Path, url: str) -> None:
    assert said(load_text(tmp_path, f"storage: {{url: '{url}', retention: 30d}}{SMALLEST}", ENVIRON)) == []
