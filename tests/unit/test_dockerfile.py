"""The image: the Dockerfile is linted, and its steps are run in scratch roots (see `tests.scratch_image`)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running_bridge import free_port
from tests.scratch_image import Build, instructions

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
ALERT = {
    "status": "firing",
    "labels": {"alertname": "Demo"},
    "annotations": {},
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "",
    "fingerprint": "0011223344556677",
}
WEBHOOK = {
    "version": "4",
    "groupKey": "{}:{}",
    "status": "firing",
    "receiver": "bridge",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "",
    "alerts": [ALERT],
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return Build(DOCKERFILE, tmp_path_factory.mktemp("image"))


def values(instruction: str) -> list[str]:
    return [value for name, value in instructions(DOCKERFILE) if name == instruction]


def test_hadolint_finds_nothing() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_base_image_can_be_chosen_and_is_the_same_in_every_stage() -> None:
    assert values("ARG")[0].startswith("PYTHON_IMAGE=")
    bases = [value.split()[0] for value in values("FROM")]
    assert len(bases) >= 2
    assert set(bases) == {"${PYTHON_IMAGE}"}


def test_the_image_runs_as_a_numbered_user_other_than_root() -> None:
    user, group = values("USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_nothing_is_fetched_but_by_pip_with_hashes() -> None:
    assert values("ADD") == []
    runs = " ".join(values("RUN"))
    assert not {"curl", "wget", "apt-get"} & set(runs.split())
    for step in runs.split("&&"):
        if "requirements/" in step:
            assert "--require-hashes" in step
        elif "pip install" in step:
            assert "--no-index" in step


def test_every_step_runs_and_leaves_only_what_is_needed(build: Build) -> None:
    assert len(build.ran) == len(values("RUN"))
    image = build.image.root
    assert (image / "opt" / "alertbridge" / "bridge" / "__main__.py").is_file()
    assert sorted(path.name for path in image.iterdir()) == ["etc", "opt", "var"]
    assert list((image / "var" / "lib" / "alertbridge").iterdir()) == []
    assert not list((image / "opt").rglob("tests/unit"))


def test_the_image_holds_the_plugins_entry_points_and_the_schema(build: Build) -> None:
    installed = build.image.outside("/opt/alertbridge")
    assert list(installed.glob("alertbridge-*.dist-info/entry_points.txt"))
    assert list(installed.glob("bridge/storage/sql/**/*.sql"))
    assert (installed / "bin" / "alertbridge").is_file()


def test_the_command_in_the_image_answers(build: Build) -> None:
    result = build.run(build.image, [*build.image.command("ENTRYPOINT"), "version"])
    assert result.returncode == 0, result.stderr
    assert "alertbridge" in result.stdout.lower()


@contextmanager
def container(build: Build) -> Iterator[int]:
    """Run ENTRYPOINT and CMD with tokens, on free ports; yields the webhook's port once HEALTHCHECK is content."""
    image = build.image
    http, observe = free_port(), free_port()
    config = image.outside("/etc/alertbridge/main.yml")
    shipped = config.read_text()
    edited = shipped.replace("0.0.0.0:9099", f"0.0.0.0:{http}").replace("0.0.0.0:9098", f"0.0.0.0:{observe}")
    config.write_text(image.moved(edited))
    image.env["ALERTBRIDGE_HEALTH_URL"] = image.env["ALERTBRIDGE_HEALTH_URL"].replace("9098", str(observe))
    tokens = {"ALERTBRIDGE_SOURCE_TOKEN": "source-token", "ALERTBRIDGE_API_TOKEN": "api-token"}
    command = [image.moved(word) for word in (*image.command("ENTRYPOINT"), *image.command("CMD"))]
    environment = {**build.environment(image), **tokens}
    log = build.image.root.parent / "serve.log"
    with log.open("w") as output:
        bridge = subprocess.Popen(command, cwd=image.outside("."), env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while build.run(image, image.command("HEALTHCHECK")).returncode:
            assert bridge.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        yield http
    finally:
        bridge.terminate()
        assert bridge.wait(timeout=30) == 0, log.read_text()
        config.write_text(shipped)


def post(port: int, token: str) -> int:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/webhook", data=json.dumps(WEBHOOK).encode(), headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def test_the_image_serves_asks_for_a_token_and_writes_only_to_its_volume(build: Build) -> None:
    volume = build.image.outside("/var/lib/alertbridge")

    def outside_the_volume() -> dict[Path, int]:
        paths = (path for path in build.image.root.rglob("*") if volume not in path.parents and path.name != "main.yml")
        return {path: path.stat().st_mtime_ns for path in paths if path != volume and path.is_file()}

    before = outside_the_volume()
    with container(build) as port:
        assert post(port, "") == 401
        assert post(port, "wrong") == 401
        assert post(port, "source-token") == 200
    assert outside_the_volume() == before
    assert (volume / "bridge.db").is_file()
