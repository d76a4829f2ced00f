"""The same amtool commands against a real Alertmanager and against a real bridge: what they print is the same.

Of the output ids and moments become names; the tables are compared without the width of their columns.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.programs import find
from tests.running_alertmanager import alertmanager
from tests.running_bridge import bridge_process

pytestmark = pytest.mark.alertmanager

ROUTE = {
    "receiver": "default",
    "group_by": ["alertname", "cluster"],
    "group_wait": "1s",
    "group_interval": "1s",
    "routes": [
        {"receiver": "pager", "matchers": ['severity="critical"', 'team=~"web|storage"'], "continue": True},
        {"receiver": "team-web", "match_re": {"service": "^(checkout|cart)$"}, "mute_time_intervals": ["nights"]},
        {"receiver": "приёмник", "matchers": ['team="i18n"'], "group_by": ["..."]},
    ],
}
INHIBITION = [
    {
        "source_matchers": ['severity="critical"'],
        "target_matchers": ['severity=~"warning|info"'],
        "equal": ["alertname", "cluster"],
    }
]
NIGHTS = [{"name": "nights", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "00:01"}]}]}]
RECEIVERS = ("default", "pager", "team-web", "приёмник")
COMMON = {"route": ROUTE, "inhibit_rules": INHIBITION, "time_intervals": NIGHTS}
THEIRS = {**COMMON, "receivers": [{"name": name} for name in RECEIVERS]}
OURS = {
    **COMMON,
    "server": {"listen": "127.0.0.1:PORT"},
    "storage": {"url": "sqlite:bridge.db"},
    "channels": {"out": {"type": "console"}},
    "receivers": {name: ["out"] for name in RECEIVERS},
}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)")
VERSIONS = "Warning: amtool version"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Amtool:
    """Runs each command on both; remembers ids, so that a command may name a silence that each of them made."""

    def __init__(self, theirs: str, ours: str) -> None:
        self.urls = (theirs, ours)
        self._ids: tuple[list[str], list[str]] = ([], [])

    def run(self, *words: str, stdin: str = "", then: float = 0.0) -> tuple[str, int]:
        """Output and exit code of theirs, which must be ours, too. `{0}` in a word is the first silence that was made."""
        theirs, ours = (self.one(place, words, stdin) for place in (0, 1))
        assert ours == theirs, words
        if then:
            time.sleep(then)
        return theirs[0], theirs[2]

    def one(self, place: int, words: tuple[str, ...], stdin: str) -> tuple[str, str, int]:
        program = find("amtool")
        assert program is not None
        ids = self._ids[place]
        command = [program, f"--alertmanager.url={self.urls[place]}", *(_filled(word, ids) for word in words)]
        done = subprocess.run(
            command, input=_filled(stdin, ids), capture_output=True, text=True, timeout=30, check=False
        )
        for found in UUID.findall(done.stdout):
            if found not in ids:
                ids.append(found)
        errors = "\n".join(line for line in done.stderr.splitlines() if line and not line.startswith(VERSIONS))
        return self._plain(done.stdout, ids), self._plain(errors, ids), done.returncode

    def _plain(self, text: str, ids: list[str]) -> str:
        for number, found in enumerate(ids):
            text = text.replace(found, f"<silence {number}>")
        lines = [re.sub(" +", " ", MOMENT.sub("<moment>", line)).strip() for line in text.splitlines()]
        return "\n".join(lines)


def _filled(word: str, ids: list[str]) -> str:
    return re.sub(r"\{(\d)\}", lambda found: ids[int(found[1])], word)


@pytest.fixture(scope="module")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amtool]:
    folder = tmp_path_factory.mktemp("amtool")
    theirs, ours = (yaml.safe_dump(found, allow_unicode=True, sort_keys=False) for found in (THEIRS, OURS))
    with alertmanager(folder / "theirs", theirs) as real, bridge_process(folder / "ours", ours) as bridge:
        yield Amtool(real.url, bridge.url)


def names(output: str) -> list[str]:
    return sorted(line.split()[0] for line in output.splitlines()[1:])


def test_alerts_are_added_resolved_and_queried(amtool: Amtool) -> None:
    run = amtool.run
    assert names(run("alert", "query")[0]) == []
    run("alert", "add", "alertname=HighLatency", "severity=critical", "team=web", "cluster=eu", "service=checkout",
        "--annotation=summary=p99 is 2.5s", "--generator-url=http://p.example/graph?g0.expr=up")  # fmt: skip
    run("alert", "add", "HighLatency", "severity=warning", "team=web", "cluster=eu", "service=cart",
        f"--start={ago(minutes=10)}", f"--end={ago(hours=-1)}")  # fmt: skip
    run("alert", "add", "alertname=Größe", "team=i18n", "city=東京 🗼", 'quoted="say \\"hi\\", ok"',
        "--annotation=summary=Температура: 40 °C <b>&")  # fmt: skip
    run("alert", "add", "NodeDown", "severity=warning")
    run(
        "alert", "add", "NodeDown", "severity=warning", f"--start={ago(minutes=9)}", f"--end={ago(seconds=1)}", then=1.5
    )
    assert run("alert", "add", "x", f"--start={ago(minutes=1)}", f"--end={ago(minutes=2)}")[1] == 1
    assert run("alert", "add", "alertname=x", "a!=1")[1] == 1
    assert names(run("alert", "query")[0]) == ["Größe", "HighLatency"]
    assert names(run("alert", "query", "-a", "-s", "-i", "-u")[0]) == ["Größe", "HighLatency", "HighLatency"]
    for words in (
        ("--inhibited",), ("--silenced",), ("HighLatency", "team=web"), ("severity=~crit.*", "service!=cart", 'city=""'),
        ("team!~^$",), ("alertname=Größe", "city=~.*🗼"), ("--receiver=team-.*", "-a", "-i"), ("--receiver=nobody",),
        ("nothing",), ("alertname=~(",),
    ):  # fmt: skip
        run("alert", "query", *words)
        run("-o", "extended", "alert", "query", *words)


def test_alerts_as_json_are_the_same_but_for_times_and_what_is_newer(amtool: Amtool) -> None:
    amtool.run("alert", "add", "Json", "team=web", "--annotation=a=b")
    answers = [
        json.loads(
            subprocess.check_output(["amtool", f"--alertmanager.url={url}", "-o", "json", "alert", "query", "Json"])
        )
        for url in amtool.urls
    ]
    for (found,) in answers:
        for key in ("startsAt", "endsAt", "updatedAt"):
            assert MOMENT.fullmatch(found.pop(key))
    assert answers[0] == answers[1]


def test_silences_are_made_edited_ended_and_queried(amtool: Amtool) -> None:
    run = amtool.run
    run(
        "silence",
        "add",
        "alertname=HighLatency",
        "service=~checkout|cart",
        "--author=alice",
        "--comment=deploy",
        "-d",
        "2h",
    )
    run("silence", "add", "severity!=info", "team!~web|storage", "alertname=~.+", "--author=bob@example.org",
        "--comment=maintenance, äöü 🔧", "-d", "30m")  # fmt: skip
    run("silence", "add", "NodeDown", "--author=alice", "--comment=known", "-d", "1w2d")
    run(
        "silence",
        "add",
        "Planned",
        "--author=alice",
        "--comment=planned",
        f"--start={ago(hours=-1)}",
        f"--end={ago(hours=-5)}",
    )
    shown = run("silence", "query")[0]
    assert len(shown.splitlines()) == 5
    assert run("alert", "query")[0].count("HighLatency") == 0
    run("alert", "query", "--silenced")
    for words in (("-q",), ("HighLatency",), ("alertname=HighLatency",), ("--created-by=alice",), ("--within=90m",)):
        run("silence", "query", *words)
    run("-o", "extended", "silence", "query", "--expired")
    assert run("silence", "update", "{0}", "-d", "3h", "--comment=longer")[0].count("<silence 0>") == 1
    run("silence", "update", "{3}", f"--end={ago(hours=-6)}")
    run("silence", "query")
    for word in ("{1}", "{1}", "{2}"):
        assert run("silence", "expire", word) == ("", 0)
    run("silence", "query")
    run("silence", "query", "--expired")
    assert run("alert", "query")[0].count("HighLatency") == 0
    run("silence", "expire", "{0}", "{3}")
    run("alert", "query")


def test_what_makes_no_sense_is_refused(amtool: Amtool) -> None:
    for words in (
        ("update", UNKNOWN, "-d", "1h"), ("update",), ("expire", "nonsense"), ("add", "--author=a", "--comment=c"),
        ("add", "x", "--author=a"), ("query", "a=~("),
        ("add", "x", "--author=a", "--comment=c", f"--start={ago(hours=2)}", f"--end={ago(hours=1)}"),
    ):  # fmt: skip
        amtool.run("silence", *words)
    assert amtool.run("alert", "query", "--receiver=x")[1] == 0


def test_refusals_that_alertmanager_words_otherwise_since_are_refusals_still(amtool: Amtool) -> None:
    """Debian's Alertmanager is older than the one whose words we use; the exit codes are the same."""
    for words in (
        ("silence", "expire", UNKNOWN),
        ("silence", "add", "alertname=~.*", "--author=a", "--comment=c"),
        ("alert", "query", "--receiver=("),
    ):
        theirs, ours = (amtool.one(place, words, "") for place in (0, 1))
        assert (theirs[0], theirs[2]) == (ours[0], ours[2]) == ("", 1)
        assert ours[1].startswith("amtool: error: ")


def test_silences_are_imported_over_an_id_and_without_one(amtool: Amtool) -> None:
    run = amtool.run
    run("silence", "add", "Imported", "--author=carol", "--comment=first")
    (mine,) = re.findall(r"<silence (\d)>", run("silence", "query", "-q", "alertname=Imported")[0])

    def silence(name: str, hours: int, **more: str) -> dict[str, object]:
        matchers = [{"name": "alertname", "value": name, "isRegex": False}]
        times = {"startsAt": ago(minutes=1), "endsAt": ago(hours=-hours)}
        return {"matchers": matchers, **times, "createdBy": "carol", "comment": "imported", **more}

    document = json.dumps(
        [silence("New", 1), silence("Imported", 2, id="{" + mine + "}"), silence("Gone", 3, id=UNKNOWN)]
    )
    output, code = run("silence", "import", "--worker=1", stdin=document)
    assert code == 0
    assert len(output.splitlines()) == 3
    assert len(run("silence", "query", "--created-by=carol")[0].splitlines()) == 4
    run("silence", "import", "--force", "--worker=1", stdin=document)
    run("silence", "import", stdin="[{}]")


def test_the_configuration_can_be_shown_and_asked(amtool: Amtool) -> None:
    run = amtool.run
    run("config", "routes", "show")
    run("cluster", "show")
    for labels in (
        ("severity=critical", "team=web", "service=cart"), ("service=cart",), ("team=i18n",), ("x=y",),
    ):  # fmt: skip
        run("config", "routes", "test", *labels)
        run("config", "routes", "test", "--tree", *labels)


def test_the_configuration_that_is_shown_is_one_that_alertmanager_takes(amtool: Amtool, tmp_path: Path) -> None:
    shown = subprocess.check_output(["amtool", f"--alertmanager.url={amtool.urls[1]}", "config", "show"], text=True)
    (tmp_path / "alertmanager.yml").write_text(shown)
    done = subprocess.run(
        ["amtool", "check-config", "alertmanager.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(shown)
    assert [receiver["name"] for receiver in found["receivers"]] == list(RECEIVERS)
    assert found["inhibit_rules"] == INHIBITION
    assert found["time_intervals"] == NIGHTS
