"""Three bridges on one PostgreSQL: killed, stopped and continued, replaced; their server restarted, killed and followed.

The runs here are short; `make faults` makes them long.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import replicas
from tests.postgres import Cluster

pytestmark = pytest.mark.postgres
SEED = 3


@pytest.fixture
def durable(tmp_path: Path) -> object:
    cluster = Cluster.made(durable=True)
    yield cluster
    cluster.remove()


@pytest.mark.parametrize("deed", [replicas.kill, replicas.replace])
def test_what_any_bridge_accepted_is_delivered_by_some_bridge(
    tmp_path: Path, durable: Cluster, deed: replicas.Deed
) -> None:
    ran = replicas.run(tmp_path, durable.dsn(durable.create()), deed, 3, SEED)
    assert ran.problems == []


def test_a_bridge_that_was_stopped_and_continued_does_no_harm(tmp_path: Path, durable: Cluster) -> None:
    ran = replicas.run(tmp_path, durable.dsn(durable.create()), replicas.suspend, 2, SEED)
    assert ran.problems == []


def test_a_server_that_restarts_again_and_again_costs_no_alert(tmp_path: Path, durable: Cluster) -> None:
    ran = replicas.run(tmp_path, durable.dsn(durable.create()), replicas.restart_of(durable), 3, SEED)
    assert ran.problems == []


def test_a_synchronous_standby_that_is_promoted_has_everything(tmp_path: Path) -> None:
    with replicas.pair(synchronous=True) as (servers, url):
        ran = replicas.run(tmp_path, url, servers.fail_over, 2, SEED)
    assert ran.problems == []


def test_the_gap_of_an_asynchronous_standby_is_reported(tmp_path: Path) -> None:
    """What nobody waited for is gone with the primary; a judge that does not see that sees nothing."""
    with replicas.pair(synchronous=False) as (servers, url):
        ran = replicas.run(tmp_path, url, servers.fail_over, 1, SEED, settle=3.0)
    assert ran.verdict.lost > 0
    assert any("accepted alerts were lost" in problem for problem in ran.problems)
