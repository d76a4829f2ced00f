"""The two third-party hooks in a configuration, as a user would have them. The contract suite runs them too."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bridge.channels.registry import ChannelRegistry
from bridge.config import load
from bridge.domain.errors import ConfigError
from bridge.hooks.api import Drop, Hold, HookContext, Pass, Transition
from bridge.hooks.chain import Chain
from bridge.hooks.registry import HookRegistry
from bridge.net import Egress, HttpClient
from tests.contract.hooks.notifications import NOW, notification
from tests.simulators.server import Simulator
from tests.third_party.hooks.installing import OFFICE_HOURS, OWNERSHIP, install

CONFIGURATION = """
plugins: [{file}]
channels: {{console: {{type: console}}}}
route:
  receiver: console
  hooks:
    - dedupe
    - office_hours: {{opens: 9, urgent: [page]}}
    - ownership: {{catalogue: "https://catalogue.example.com"}}
"""


@pytest.fixture
def installed(tmp_path, monkeypatch) -> None:
    (tmp_path / "site").mkdir()
    install(OWNERSHIP, tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")


def test_a_configuration_may_use_both(installed, tmp_path) -> None:
    file = tmp_path / "main.yml"
    file.write_text(CONFIGURATION.format(file=OFFICE_HOURS))
    loaded = load(file, ChannelRegistry.load(), HookRegistry.load(), {}, {})
    assert [str(error) for error in loaded.errors] == []
    assert [call.name for call in loaded.config.route.hooks] == ["dedupe", "office_hours", "ownership"]


def test_without_them_the_configuration_is_refused_by_name(tmp_path) -> None:
    file = tmp_path / "main.yml"
    file.write_text(CONFIGURATION.format(file=OFFICE_HOURS))
    loaded = load(file, ChannelRegistry.load(), HookRegistry.load(), {}, {})
    assert ["ownership" in str(error) for error in loaded.errors] == [True]


@pytest.mark.parametrize(
    ("hour", "fields", "verdict"),
    [
        (3, {}, Hold(NOW.replace(hour=8, minute=0, second=0), "office_closed")),
        (20, {}, Hold(NOW.replace(hour=8, minute=0, second=0) + timedelta(days=1), "office_closed")),
        (3, {"transition": Transition.RESOLVED}, Drop("office_closed")),
        (8, {}, Pass),
        (3, {"severity": "critical"}, Pass),
    ],
)
def test_office_hours_hold_what_is_not_urgent(hour, fields, verdict) -> None:
    registry = HookRegistry.load([OFFICE_HOURS])
    link = registry.create("office_hours", registry.parse("office_hours", "{}"), HookContext(HttpClient(Egress())))
    transition = fields.get("transition", Transition.OPENED)
    subject = notification(transition, now=NOW.replace(hour=hour), severity=fields.get("severity", "warning"))
    judged = Chain([link]).judge(subject).verdict
    assert judged == (Pass(subject) if verdict is Pass else verdict)


async def test_ownership_adds_the_owner_and_does_without_when_the_catalogue_fails(installed) -> None:
    registry, http = HookRegistry.load(), HttpClient(Egress())
    async with Simulator() as catalogue:
        catalogue.next(200, b'{"owner": "web"}')
        catalogue.next(500)
        options = registry.parse("ownership", json.dumps({"catalogue": catalogue.url}))
        chain = Chain([registry.create("ownership", options, HookContext(http))])
        first, second = await chain.run(notification()), await chain.run(notification())
    await http.close()
    assert catalogue.requests[0].path == "/owners/web-1"
    assert first.verdict.notification.labels == {"a1": {"owner": "web"}}
    assert second.verdict == Pass(notification())
    assert second.trace[0].detail == "raised Retryable: server_error: HTTP 500"


def test_without_its_file_the_hook_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="there is no hook 'office_hours'"):
        HookRegistry.load().options_model("office_hours")
