"""Random route trees and label sets, judged by the real amtool and by us.

`ALERTBRIDGE_ROUTE_TREES` sets how many trees (default 40, ten label sets each); `ALERTBRIDGE_ROUTE_SEED` which.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bridge.cli.routes import app

pytestmark = pytest.mark.alertmanager

TREES = int(os.environ.get("ALERTBRIDGE_ROUTE_TREES", "40"))
SEED = int(os.environ.get("ALERTBRIDGE_ROUTE_SEED", "1"))
LABEL_SETS = 10
NAMES = ["team", "severity", "cluster", "A1", "_x"]
VALUES = [
    "",
    "a",
    "b",
    "ab",
    "a b",
    'q"q',
    "back\\slash",
    "tail\\",
    "new\nline",
    "grün",
    "x,y",
    "{z}",
    "=~",
    "a'b",
    "🔥",
]
PATTERNS = [
    "", "a", "a|b", "a.*", ".*", ".+", "(?i)A", "^a$", "[ab]+", r"\w+", r"\pL+", "a)|(b", "(?s).*\n.*", ".*e", r"q\"q",
    "x,y", r"\{z\}", "(ab?){1,2}", "gr[üu]n", r"\x61", r"back\\slash", "[^a]*", "🔥|🔔",
]  # fmt: skip
RECEIVERS = ["root", "one", "two", "three", "with.dots", "приёмник"]


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class Trees:
    """Makes configurations that are valid for both programs."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def matcher(self) -> str:
        operator = self.rng.choice(["=", "!=", "=~", "!~"])
        value = self.rng.choice(PATTERNS if "~" in operator else VALUES)
        space = self.rng.choice(["", " "])
        bare = self.rng.random() < 0.4 and re.fullmatch(r"[\w.*+|()^$?\[\] -]*", value)
        return f"{self.rng.choice(NAMES)}{space}{operator}{space}{value if bare else quoted(value)}"

    def matchers(self) -> list[str]:
        entries = [self.matcher() for _ in range(self.rng.choice([0, 1, 1, 1, 2]))]
        if len(entries) == 2 and self.rng.random() < 0.3:
            joined = ", ".join(entries)
            return [self.rng.choice([joined, f"{{{joined}}}"])]
        return entries

    def route(self, depth: int) -> dict[str, object]:
        route: dict[str, object] = {}
        if self.rng.random() < 0.8:
            route["receiver"] = self.rng.choice(RECEIVERS[1:])
        form = self.rng.random()
        if form < 0.7:
            route["matchers"] = self.matchers()
        if form > 0.55:
            route["match"] = {self.rng.choice(NAMES): self.rng.choice(VALUES)}
        if form > 0.85:
            route["match_re"] = {self.rng.choice(NAMES): self.rng.choice(PATTERNS)}
        if self.rng.random() < 0.6:
            route["continue"] = True
        if self.rng.random() < 0.2:
            route["group_by"] = self.rng.choice([["..."], ["team", "cluster"]])
        route["routes"] = self.children(depth + 1)
        return route

    def children(self, depth: int) -> list[dict[str, object]]:
        most = (6, 3, 2, 0)[depth]
        return [self.route(depth) for _ in range(self.rng.randint(most // 3, most))]

    def root(self) -> dict[str, object]:
        return {"receiver": "root", "group_by": ["alertname"], "routes": self.children(0)}

    def labels(self) -> dict[str, str]:
        return {name: self.rng.choice(VALUES) for name in NAMES if self.rng.random() < 0.7}


def write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def amtool(command: str, config: Path, *labels: str) -> str:
    finished = subprocess.run(
        ["amtool", "config", "routes", command, f"--config.file={config}", *labels],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def ours(*arguments: str, stdin: str = "") -> str:
    finished = CliRunner().invoke(app, [*arguments], input=stdin)
    assert finished.exit_code == 0, finished.output
    return finished.stdout


@pytest.fixture
def trees(tmp_path) -> list[tuple[Path, Path, list[dict[str, str]]]]:
    """For each tree amtool's file, our file, and the label sets to ask about."""
    found = []
    for number in range(TREES):
        maker = Trees(random.Random(f"{SEED}-{number}"))
        route = maker.root()
        theirs = {"route": route, "receivers": [{"name": name} for name in RECEIVERS]}
        # Half of the receivers are lists of channels, half are channels themselves: what a route names is the same.
        mine = {
            "channels": {name: {"type": "console"} for name in [*RECEIVERS[:3], "out"]},
            "receivers": {name: ["out"] for name in RECEIVERS[3:]},
            "route": route,
        }
        paths = write(tmp_path / f"alertmanager-{number}.yml", theirs), write(tmp_path / f"ours-{number}.yml", mine)
        found.append((*paths, [maker.labels() for _ in range(LABEL_SETS)]))
    return found


def told(mine: Path, label_sets: list[dict[str, str]]) -> list[list[str]]:
    lines = "".join(json.dumps({"labels": labels}) + "\n" for labels in label_sets)
    return [
        json.loads(line)["receivers"]
        for line in ours("test", "--jsonl", "--config", str(mine), stdin=lines).splitlines()
    ]


def test_every_alert_goes_where_amtool_says(trees):
    def asked(theirs: Path, labels: dict[str, str]) -> str:
        return amtool("test", theirs, *(f"{name}={quoted(value)}" for name, value in labels.items())).strip()

    with ThreadPoolExecutor(2) as pool:
        answers = [(tree, [pool.submit(asked, tree[0], labels) for labels in tree[2]]) for tree in trees]
        for (theirs, mine, label_sets), futures in answers:
            for labels, receivers, future in zip(label_sets, told(mine, label_sets), futures, strict=True):
                assert ",".join(receivers) == future.result(), (labels, theirs.read_text())


def test_the_random_trees_are_worth_asking(trees):
    answers = [receivers for _theirs, mine, label_sets in trees for receivers in told(mine, label_sets)]
    assert len(answers) == TREES * LABEL_SETS
    assert sum(len(receivers) > 1 for receivers in answers) > len(answers) / 10
    assert sum(receivers == ["root"] for receivers in answers) < len(answers) / 2
    assert any(len(set(receivers)) < len(receivers) for receivers in answers)


def test_labels_on_the_command_line_are_read_as_amtool_reads_them(trees):
    for theirs, mine, label_sets in trees[:8]:
        for labels in label_sets[:2]:
            arguments = [f"{name}={quoted(value)}" for name, value in labels.items()]
            assert ours("test", "--config", str(mine), *arguments) == amtool("test", theirs, *arguments)


def test_the_tree_is_drawn_as_amtool_draws_it_with_ids_and_hooks_added(trees):
    for theirs, mine, _label_sets in trees:
        drawn = ours("show", "--config", str(mine))
        assert "  id: root  hooks: dedupe\n" in drawn
        assert re.sub(r"  id: .*", "", drawn) == amtool("show", theirs)
