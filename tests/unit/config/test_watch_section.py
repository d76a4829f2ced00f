"""`watch:`: an address that may be a secret, how often, how long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config.open_secrets import SecretOpener
from bridge.domain.secret import Secret
from bridge.engine.build import Builder
from bridge.engine.generation import Heartbeat
from bridge.net import Egress, HttpClient
from bridge.secrets.redaction import Redactor
from tests.unit.config.written import SMALLEST, load_text, said, valid


def test_without_the_section_there_is_no_heartbeat_and_a_minute_between(tmp_path: Path) -> None:
    watch = valid(load_text(tmp_path, SMALLEST)).watch
    assert watch.heartbeat_url is None
    assert watch.every == timedelta(minutes=1)
    assert watch.timeout == timedelta(seconds=10)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("watch: {heartbeat_url: beats.example.com}", "watch.heartbeat_url: is no URL"),
        ("watch: {every: 500ms}", "watch.every: input should be greater than or equal to 1 second"),
        ("watch: {every: soon}", "watch.every:"),
        ("watch: {timeout: 0s}", "watch.timeout:"),
        ("watch: {timeout: 2m}", "watch.timeout:"),
        ("watch: {heartbeat: x}", "watch.heartbeat: unknown key"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, section: str, message: str) -> None:
    loaded = load_text(tmp_path, section + SMALLEST)
    assert len(said(loaded)) == 1
    assert message in said(loaded)[0]


@pytest.mark.parametrize("written", ["https://beats.example.com/s3cret-token", "env:BEATS", "file:/run/beats"])
def test_an_address_may_be_plain_or_a_reference(tmp_path: Path, written: str) -> None:
    loaded = load_text(tmp_path, f"watch: {{heartbeat_url: '{written}'}}" + SMALLEST, {"BEATS": "https://x.example/"})
    assert loaded.errors == ()


async def built(tmp_path: Path, environ: dict[str, str], redactor: Redactor) -> Heartbeat | None:
    loaded = load_text(tmp_path, "watch: {heartbeat_url: env:BEATS, every: 30s}" + SMALLEST, environ)
    config = valid(loaded)
    http = HttpClient(Egress())
    try:
        builder = Builder(loaded.channels, loaded.hooks, http, redactor)  # type: ignore[arg-type]
        return builder.build(config, SecretOpener.of(config, None, environ)).heartbeat
    finally:
        await http.close()


async def test_an_address_that_is_opened_is_struck_out_of_every_text(tmp_path: Path) -> None:
    redactor = Redactor()
    url = "https://beats.example.com/s3cret-token"
    heartbeat = await built(tmp_path, {"BEATS": url}, redactor)
    assert heartbeat == Heartbeat(Secret(url), timedelta(seconds=30), timedelta(seconds=10))
    assert "s3cret" not in redactor.clean(f"GET {url} failed")


async def test_an_address_that_does_not_open_stops_nothing_and_says_why(tmp_path: Path) -> None:
    heartbeat = await built(tmp_path, {}, Redactor())
    assert heartbeat is not None
    assert "BEATS" in heartbeat.problem
