"""`alertbridge routes`, with real configuration files. That it agrees with amtool is tested in tests/e2e."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from bridge.cli.routes import app

CONFIG = """
channels:
  everybody: {type: console}
  pager: {type: console}
receivers:
  payments: [everybody, pager]
route:
  receiver: everybody
  group_by: [alertname, cluster]
  routes:
    - name: payments-critical
      matchers: ['team="payments"', 'severity=~"critical|page"']
      receiver: payments
      continue: true
      hooks: []
    - matchers: ['team="payments"']
      receiver: pager
      routes:
        - matchers: ['"über team"="x"']
          group_by: ['...']
"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "main.yml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run(*arguments: object, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def test_the_tree_is_drawn_with_ids_and_the_hooks_where_they_change(config):
    result = run("show", "--config", config)
    assert result.exit_code == 0
    assert result.stdout.replace("\N{NO-BREAK SPACE}", " ").splitlines() == [
        "Routing tree:",
        ".",
        "└── default-route  receiver: everybody  id: everybody  hooks: dedupe",
        '    ├── {severity=~"critical|page",team="payments"}  continue: true  receiver: payments  id: payments-critical  hooks: none',
        '    └── {team="payments"}  receiver: pager  id: everybody/pager',
        '        └── {"über team"="x"}  receiver: pager  id: everybody/pager/pager',
        "",
    ]


def test_the_tree_is_told_as_json(config):
    root = json.loads(run("show", "--json", "--config", config).stdout)
    assert (root["id"], root["receiver"], root["hooks"], root["group_by"]) == (
        "everybody",
        "everybody",
        ["dedupe"],
        ["alertname", "cluster"],
    )
    first, second = root["routes"]
    assert first["matchers"] == ['severity=~"critical|page"', 'team="payments"']
    assert (first["continue"], first["hooks"]) == (True, [])
    assert second["routes"][0]["group_by"] == ["..."]


def test_receivers_are_printed_with_commas_in_routing_order(config):
    assert run("test", "--config", config, "team=payments", "severity=page").stdout == "payments,pager\n"
    assert run("test", "--config", config, 'team = "payments"').stdout == "pager\n"
    assert run("test", "--config", config, "team=").stdout == "everybody\n"
    assert run("test", "--config", config).stdout == "everybody\n"
    assert run("test", "--config", config, "team=payments", '"über team"=x').stdout == "pager\n"


def test_receivers_are_told_as_json_with_their_routes(config):
    result = run("test", "--json", "--config", config, "team=payments", "severity=page")
    assert json.loads(result.stdout) == {
        "receivers": ["payments", "pager"],
        "routes": ["payments-critical", "everybody/pager"],
    }


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("team", "Failed to parse labels: bad matcher format: team"),
        ("team!=x", "labels must be specified as key=value pairs"),
        ("team=~x", "labels must be specified as key=value pairs"),
        ('team="x', "unescaped double quote"),
    ],
)
def test_what_is_no_label_is_wrong_usage(config, label, message):
    result = run("test", "--config", config, label)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_json_lines_are_answered_one_by_one(config):
    lines = [
        '{"labels": {"team": "payments", "severity": "critical"}, "at": "2026-03-01T10:00:00Z"}',
        '{"labels": {}}',
        '{"labels": {"team": ""}, "more": 1}',
    ]
    result = run("test", "--jsonl", "--config", config, stdin="\n".join(lines))
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"receivers": ["payments", "pager"]},
        {"receivers": ["everybody"]},
        {"receivers": ["everybody"]},
    ]


def test_a_bad_line_is_answered_with_an_error_and_the_others_are_still_answered(config):
    bad = [b"", b"{", b'{"labels": {"a": 1}}', b"[]", b'{"label": {}}', b'{"labels": {"a": "\xff"}}', b"[" * 100_000]
    stdin = b"\n".join([b'{"labels": {}}', *bad, b'{"labels": {"team": "payments"}}', b""])
    result = run("test", "--jsonl", "--config", config, stdin=stdin)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert answers[0] == {"receivers": ["everybody"]}
    assert answers[-1] == {"receivers": ["pager"]}
    assert [list(answer) for answer in answers[1:-1]] == [["error"]] * len(bad)


def test_json_lines_and_labels_together_are_wrong_usage(config):
    assert run("test", "--jsonl", "--config", config, "a=b").exit_code == 2


def test_every_answer_is_there_before_the_next_line_is_asked(config):
    program = "from bridge.cli.routes import app; app()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "test", "--jsonl", "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    ) as process:
        for team, receiver in (("payments", "pager"), ("other", "everybody")):
            process.stdin.write(json.dumps({"labels": {"team": team}}) + "\n")
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 60)[0], "no answer came"
            assert json.loads(process.stdout.readline()) == {"receivers": [receiver]}
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_a_broken_configuration_prints_its_problems_and_the_answer_is_no(config):
    config.write_text(CONFIG.replace("critical|page", "critical|(page").replace("receiver: pager", "receiver: nobody"))
    for command in (["show"], ["test", "team=payments"]):
        result = run(*command, "--config", config)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert "bad regular expression" in result.stderr
        assert "nobody" in result.stderr
        assert all(line.startswith(f"{config}:") for line in result.stderr.splitlines())


def test_a_configuration_that_is_not_there_could_not_be_read(tmp_path):
    result = run("show", "--config", tmp_path / "missing.yml")
    assert result.exit_code == 3
    assert "missing.yml" in result.stderr


def recorded(name: str) -> dict[str, object]:
    return json.loads(Path(f"tests/payloads/amtool-0.25/config-routes-{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def recorded_config(tmp_path) -> Path:
    """The route tree of the Alertmanager that amtool was recorded with, as a configuration of ours."""
    original = yaml.safe_load(recorded("show")["exchanges"][0]["reply"]["body"]["config"]["original"])
    ours = {
        "channels": {receiver["name"]: {"type": "console"} for receiver in original["receivers"]},
        "route": original["route"],
        "time_intervals": original["time_intervals"],
    }
    path = tmp_path / "recorded.yml"
    path.write_text(yaml.safe_dump(ours, allow_unicode=True), encoding="utf-8")
    return path


def test_a_recorded_tree_is_drawn_as_amtool_drew_it(recorded_config):
    drawn = run("show", "--config", recorded_config).stdout
    assert re.sub(r"  id: .*", "", drawn) == recorded("show")["stdout"]


def test_a_recorded_question_is_answered_as_amtool_answered_it(recorded_config):
    question = recorded("test")
    labels = [word for word in question["command"][5:] if not word.startswith("--")]
    assert labels == ["severity=critical", "team=web", "service=cart"]
    answer = question["stdout"].splitlines()[-1]  # above it stands the tree, which was asked for too
    assert run("test", "--config", recorded_config, *labels).stdout == f"{answer}\n"
