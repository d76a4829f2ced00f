"""What API v2 tells of the bridge itself."""

from __future__ import annotations

from pathlib import Path

import yaml

from bridge.engine.alertmanager_config import alertmanager_yml, receivers_of
from bridge.engine.alertmanager_status import AlertmanagerStatus
from bridge.storage.replicas import Replica
from tests.bridge_bench import MINIMAL, START, engine
from tests.unit.config.written import load_text, valid

EVERYTHING = """
resolve_timeout: 90m
channels: {out: {type: console}, pager: {type: console}, unused: {type: console}}
receivers: {web: [out], nobody: []}
time_intervals:
  - name: odd
    time_intervals:
      - times: [{start_time: "22:05", end_time: "24:00"}]
        weekdays: ["monday:friday", sunday]
        days_of_month: ["1:5", "-3:-1"]
        months: ["may:august", "12"]
        years: ["2026:2028"]
        location: Europe/Berlin
      - {times: []}
inhibit_rules:
  - {name: ours, source_match: {a: b}, source_match_re: {c: "d|e"}, target_matchers: ['f!="g"'], equal: [h]}
route:
  receiver: out
  group_by: [alertname]
  group_wait: 1m30s
  hooks: [dedupe]
  routes:
    - {name: one, matchers: ['a="b, \\"c\\""'], receiver: web, group_by: ["..."], continue: true, active_time_intervals: [odd]}
    - {match_re: {x: "y.*"}, receiver: pager, group_by: [], repeat_interval: 1d}
"""


def test_a_configuration_is_told_as_an_alertmanager_yml_that_says_the_same(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, EVERYTHING))
    assert yaml.safe_load(alertmanager_yml(config)) == {
        "global": {"resolve_timeout": "1h30m"},
        "route": {
            "receiver": "out", "group_by": ["alertname"], "group_wait": "1m30s",
            "routes": [
                {
                    "receiver": "web", "group_by": ["..."], "matchers": ['a="b, \\"c\\""'], "continue": True,
                    "active_time_intervals": ["odd"],
                },
                {"receiver": "pager", "group_by": [], "matchers": ['x=~"^(?:y.*)$"'], "repeat_interval": "1d"},
            ],
        },
        "inhibit_rules": [
            {"target_matchers": ['f!="g"'], "source_match": {"a": "b"}, "source_match_re": {"c": "d|e"}, "equal": ["h"]}
        ],
        "receivers": [{"name": "web"}, {"name": "nobody"}, {"name": "out"}, {"name": "pager"}],
        "time_intervals": [
            {
                "name": "odd",
                "time_intervals": [
                    {
                        "times": [{"start_time": "22:05", "end_time": "24:00"}],
                        "weekdays": ["monday:friday", "sunday"], "days_of_month": ["1:5", "-3:-1"],
                        "months": ["5:8", "12"], "years": ["2026:2028"], "location": "Europe/Berlin",
                    },
                    {"times": []},
                ],
            }
        ],
    }  # fmt: skip


def test_what_is_told_reads_as_the_same_routes(tmp_path: Path) -> None:
    """Written back with a channel for each receiver it is a configuration of ours again, with the same intervals and rules."""
    config = valid(load_text(tmp_path, EVERYTHING))
    told = yaml.safe_load(alertmanager_yml(config))
    again = {
        "channels": {name: {"type": "console"} for name in receivers_of(config)},
        **{key: told[key] for key in ("route", "inhibit_rules", "time_intervals")},
    }
    read = valid(load_text(tmp_path, yaml.safe_dump(again)))
    assert read.time_intervals == config.time_intervals
    assert [child.matchers for child in read.route.routes] == [child.matchers for child in config.route.routes]
    assert (
        alertmanager_yml(read).partition("receivers:")[0].partition("route:")[2]
        == (alertmanager_yml(config).partition("receivers:")[0].partition("route:")[2])
    )


async def test_bridges_that_share_a_database_are_the_peers_and_one_alone_has_none(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL) as bench:
        alone = await AlertmanagerStatus(bench.transactions, START, "1.2.3").status()
        assert (alone.cluster.status, alone.cluster.peers, alone.cluster.name) == ("disabled", (), "")
        present = [Replica("b", "1.2.3", 2), Replica("a", "1.2.3", 2)]
        shared = await AlertmanagerStatus(bench.transactions, START, "1.2.3", "b", lambda: present).status()
        assert (shared.cluster.status, shared.cluster.name) == ("ready", "b")
        assert [(peer.name, peer.address) for peer in shared.cluster.peers] == [("a", ""), ("b", "")]
        assert shared.version_info.revision == "alertbridge-1.2.3"


async def test_the_configuration_that_is_told_is_the_one_in_force(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL) as bench:
        status = AlertmanagerStatus(bench.transactions, START, "1.2.3")
        first = (await status.status()).config.original
        bench.transactions.swap(bench.configure(MINIMAL.replace("receiver: people", "receiver: pager"), tmp_path))
        assert "receiver: people" in first
        assert "receiver: pager" in (await status.status()).config.original
