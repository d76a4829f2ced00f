"""Random alertmanager.yml files, imported: every alert goes where amtool says it goes with the original.

`ALERTBRIDGE_IMPORTS` sets how many files (default 30, ten label sets each); `ALERTBRIDGE_ROUTE_SEED` which.
"""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bridge.channels.registry import ChannelRegistry
from bridge.cli.importing import app
from bridge.config import load
from bridge.hooks.registry import HookRegistry
from tests.e2e.test_routes_against_amtool import LABEL_SETS, SEED, Trees, amtool, quoted, told

pytestmark = pytest.mark.alertmanager

FILES = int(os.environ.get("ALERTBRIDGE_IMPORTS", "30"))
NAMES = ["root", "team a/b (c)", "null", "~", "with.dots", "приёмник", "#one", "'quoted'", "yes", "12", "- dash"]
CANARY = "canary-7f3a"


def integrations(rng: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Some of those that Debian's amtool knows; half of them have no channel here."""
    known: dict[str, list[dict[str, Any]]] = {
        "webhook_configs": [{"url": f"https://hook.example/{CANARY}"}, {"url": "http://plain.example:5001/"}],
        "slack_configs": [
            {"channel": "#ops", "title": "{{ .CommonLabels.alertname }}", "send_resolved": True},
            {"api_url": f"https://hooks.slack.com/services/T/B/{CANARY}", "text": "{{ range .Alerts }}x{{ end }}"},
        ],
        "pagerduty_configs": [{"routing_key": CANARY}, {"service_key": CANARY}],
        "email_configs": [
            {"to": "ops@example.org, dev@example.org", "require_tls": False, "headers": {"Subject": "s"}}
        ],
        "opsgenie_configs": [{"api_key": CANARY}],
        "victorops_configs": [{"api_key": CANARY, "routing_key": "r"}],
        "pushover_configs": [{"user_key": CANARY, "token": CANARY}],
        "telegram_configs": [{"bot_token": CANARY, "chat_id": 12, "api_url": "https://telegram.example"}],
        "discord_configs": [{"webhook_url": f"https://discord.example/{CANARY}"}],
    }
    kinds = rng.sample(sorted(known), rng.choice([0, 1, 1, 2, 3]))
    return {kind: rng.choices(known[kind], k=rng.choice([1, 1, 2])) for kind in kinds}


class Configurations(Trees):
    """Makes an alertmanager.yml: the random tree with receivers of any name, times, inhibition and global settings."""

    def route(self, depth: int) -> dict[str, object]:
        route = super().route(depth)
        if "receiver" in route:
            route["receiver"] = self.rng.choice(NAMES)
        if self.rng.random() < 0.3:
            route[self.rng.choice(["mute_time_intervals", "active_time_intervals"])] = ["office"]
        if self.rng.random() < 0.3:
            route |= {"group_wait": "10s", "group_interval": "1m30s", "repeat_interval": "3h"}
        return route

    def whole(self) -> dict[str, Any]:
        section = self.rng.choice(["time_intervals", "mute_time_intervals"])
        times = {"times": [{"start_time": "09:00", "end_time": "24:00"}], "weekdays": ["monday:Friday", "sunday"]}
        return {
            "global": {
                "smtp_smarthost": "localhost:25",
                "smtp_from": "am@example.org",
                "slack_api_url": f"https://hooks.slack.com/services/{CANARY}",
                "http_config": self.rng.choice(
                    [{"follow_redirects": True}, {"proxy_url": "http://proxy.example:3128"}]
                ),
            },
            "route": self.root(),
            "inhibit_rules": [{"source_matchers": [self.matcher()], "target_match": {"a": "b"}, "equal": ["x"]}],
            section: [{"name": "office", "time_intervals": [times, {"days_of_month": ["-3:-1"], "months": ["1:3"]}]}],
            "receivers": [{"name": name, **integrations(self.rng)} for name in NAMES],
        }


class _Anchored(yaml.SafeDumper):
    """Writes what stands there twice as anchor and alias, as people do."""


def imported(theirs: Path, *arguments: str) -> Path:
    mine = theirs.with_name(f"ours-{theirs.name}")
    finished = CliRunner().invoke(app, ["alertmanager", str(theirs), "--output", str(mine), *arguments])
    assert finished.exit_code in {0, 1}, finished.output
    assert CANARY not in finished.output
    return mine


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[tuple[Path, Path, list[dict[str, str]]]]:
    """For each file the original, what was made of it, and the label sets to ask about."""
    folder = tmp_path_factory.mktemp("imports")
    found = []
    for number in range(FILES):
        maker = Configurations(random.Random(f"{SEED}-import-{number}"))
        theirs = folder / f"alertmanager-{number}.yml"
        theirs.write_text(yaml.dump(maker.whole(), Dumper=_Anchored, allow_unicode=True, sort_keys=False), "utf-8")
        mine = imported(
            theirs, *(["--keygen", f"--keyring={folder}/ring.json"] if number % 2 == 0 else ["--secrets=env"])
        )
        found.append((theirs, mine, [maker.labels() for _ in range(LABEL_SETS)]))
    return found


def test_every_alert_goes_where_it_went_before(files):
    def asked(theirs: Path, labels: dict[str, str]) -> str:
        return amtool("test", theirs, *(f"{name}={quoted(value)}" for name, value in labels.items())).strip()

    with ThreadPoolExecutor(2) as pool:
        answers = [(file, [pool.submit(asked, file[0], labels) for labels in file[2]]) for file in files]
        for (theirs, mine, label_sets), futures in answers:
            for labels, receivers, future in zip(label_sets, told(mine, label_sets), futures, strict=True):
                assert ",".join(receivers) == future.result(), (labels, theirs.read_text())


def test_what_is_written_is_valid_and_holds_no_secret(files):
    assert any("*id001" in theirs.read_text() for theirs, _mine, _label_sets in files)
    for theirs, mine, _label_sets in files:
        assert CANARY not in mine.read_text()
        loaded = load(mine, ChannelRegistry.load(), HookRegistry.load())
        assert [str(error) for error in loaded.errors] == []
        original = yaml.safe_load(theirs.read_text())
        assert loaded.config is not None
        for receiver in original["receivers"]:
            wanted = [key for key in receiver if key.endswith("_configs")]
            assert bool(loaded.config.receivers[receiver["name"]]) == bool(wanted), "nobody is forgotten"
