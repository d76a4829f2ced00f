"""`alertbridge check` and `alertbridge schema`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from bridge.cli import check, schema
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring

SMALLEST = "channels: {out: {type: console}}\nroute: {receiver: out}\n"


def run(*arguments: str | Path, environ: dict[str, str] | None = None) -> Result:
    app = typer.Typer()
    check.register(app)
    schema.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environ)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "main.yml"


def test_a_valid_configuration_exits_with_0(main: Path) -> None:
    main.write_text(SMALLEST)

    for arguments in ([main], ["--config", main], [main, "--config", main], [main.parent]):
        result = run("check", *arguments)
        assert (result.exit_code, result.output) == (0, "the configuration is valid\n")


def test_every_problem_is_printed_with_its_place_and_the_exit_is_1(main: Path) -> None:
    main.write_text(SMALLEST + "nonsense: 1\nfallback: absent\ncredentials: {a: {token: 'env:NOT_THERE'}}\n")
    result = run("check", main)

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{main}:3:1: unknown section 'nonsense'",
        f"{main}:4:11: there is no channel 'absent'; known: out",
        f"{main}:5:26: warning: credentials.a.token: the environment variable NOT_THERE is not set",
    ]


def test_warnings_alone_leave_the_exit_at_0(main: Path) -> None:
    main.write_text(SMALLEST + "credentials: {a: {token: 'env:NOT_THERE'}}\n")

    assert run("check", main).exit_code == 0


def test_a_bad_team_file_is_an_error_although_the_bridge_would_run(main: Path) -> None:
    main.write_text(SMALLEST)
    (main.parent / "team.yml").write_text("channels: [")

    assert run("check", main.parent).exit_code == 1


def test_a_path_that_is_not_there_exits_with_3(tmp_path: Path) -> None:
    result = run("check", tmp_path / "absent")

    assert result.exit_code == 3
    assert "cannot be read" in result.output


def test_two_different_paths_are_wrong_usage(main: Path) -> None:
    assert run("check", main, "--config", main.parent).exit_code == 2


def test_json_has_the_same_problems(main: Path) -> None:
    main.write_text(SMALLEST + "fallback: absent\n")
    result = run("check", main, "--json")

    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "valid": False,
        "digest": None,
        "problems": [
            {
                "file": str(main),
                "line": 3,
                "column": 11,
                "message": "there is no channel 'absent'; known: out",
                "severity": "error",
                "stands_in": "",
            }
        ],
    }


def sealed_channel(directory: Path, environment: str = "default") -> str:
    """A configuration with one sealed secret, and the keyring that opens it."""
    keyring = Keyring.generate()
    keyring.create(directory / "keyring.json")
    text = keyring.seal("https://example.com", Binding(environment, "channels", "out", "webhook_url"))
    return (
        f"secrets: {{keyring: {directory}/keyring.json}}\n"
        f"channels: {{out: {{type: slack, webhook_url: '{text}'}}}}\nroute: {{receiver: out}}\n"
    )


def test_a_keyring_that_is_not_here_is_a_warning_only_where_something_is_sealed(main: Path) -> None:
    main.write_text(sealed_channel(main.parent))
    assert "warning" not in run("check", main).output
    (main.parent / "keyring.json").unlink()
    result = run("check", main)
    assert result.exit_code == 0
    assert result.output.startswith(f"{main}:2:44: warning: there is no keyring {main.parent}/keyring.json")
    main.write_text(SMALLEST)
    assert "warning" not in run("check", main).output


def test_secrets_are_opened_only_where_that_is_asked_for(main: Path) -> None:
    main.write_text(sealed_channel(main.parent, environment="staging"))

    assert run("check", main).exit_code == 0
    result = run("check", main, "--secrets")
    assert result.exit_code == 1
    assert result.output.startswith(f"{main}:2:44: channels/out/webhook_url: does not open")


def test_secrets_that_open_are_valid(main: Path) -> None:
    main.write_text(sealed_channel(main.parent))
    result = run("check", main, "--secrets")

    assert (result.exit_code, result.output) == (0, "the configuration is valid\n")


def test_a_missing_keyring_matters_only_where_something_is_sealed(main: Path) -> None:
    main.write_text("secrets: {keyring: absent.json}\n" + SMALLEST)
    assert run("check", main, "--secrets").exit_code == 0

    main.write_text(sealed_channel(main.parent))
    (main.parent / "keyring.json").unlink()
    assert run("check", main).exit_code == 0
    result = run("check", main, "--secrets")
    assert result.exit_code == 1
    assert f"{main}:2:44: {main.parent}/keyring.json: cannot be read" in result.output


def test_a_missing_variable_is_a_warning_and_with_secrets_an_error(main: Path) -> None:
    main.write_text(
        "channels:\n  out: {type: slack, webhook_url: env:NOT_THERE}\n  b: {type: console, title: env:NOR_THIS}\n"
        "route: {receiver: out}\n"
    )
    assert run("check", main).exit_code == 0
    result = run("check", main, "--secrets")

    assert result.exit_code == 1
    assert [line.partition(": ")[0] for line in result.output.splitlines()] == [f"{main}:2:35", f"{main}:3:29"]
    assert "warning" not in result.output
    assert run("check", main, "--secrets", environ={"NOT_THERE": "x", "NOR_THIS": "y"}).exit_code == 0


def test_the_schema_is_printed_as_json() -> None:
    result = run("schema")

    assert result.exit_code == 0
    assert json.loads(result.output)["title"] == "Alertbridge configuration"
