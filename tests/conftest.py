"""What holds for every suite: programs that are missing, skips in continuous integration, leaks.

`filterwarnings = error` turns a ResourceWarning into an exception, and one raised where nobody can catch it (a
finalizer) into a failed test. asyncio only logs what a forgotten task raised: here that fails the test too.
`tests/unit/test_suite.py` proves all of it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from tests.programs import NEEDS, search_path

pytest_plugins = ["tests.postgres"]  # the cluster that suites share

LEAKS = ("was never retrieved", "was destroyed but it is pending", "Unclosed")
CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


class Leaks(logging.Handler):
    """Keeps what asyncio says of tasks, futures and connections that nobody looked after."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if any(leak in record.getMessage() for leak in LEAKS):
            self.messages.append(logging.Formatter().format(record))

    def take(self) -> list[str]:
        messages, self.messages = self.messages, []
        return messages


LEAKED = Leaks()


def pytest_configure() -> None:
    os.environ["PATH"] = search_path()
    logging.getLogger("asyncio").addHandler(LEAKED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip each suite whose programs are missing, by name and with the reason."""
    for need in NEEDS:
        marked = [item for item in items if item.get_closest_marker(need.marker)]
        if marked and (missing := need.missing()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=f"{need.marker} suite: {missing}"))


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: nothing may be skipped when CI=true ({reason})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[pytest.TestReport]:
    report: pytest.TestReport = yield
    _forbid_skip(report)
    if (leaks := LEAKED.take()) and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(leaks)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[pytest.CollectReport]:
    report: pytest.CollectReport = yield
    _forbid_skip(report)
    return report
