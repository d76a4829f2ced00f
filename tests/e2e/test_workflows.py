"""The workflows of the manual, in a running bridge, against a mail server and a chat that listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running_bridge import BridgeProcess, bridge_process, eventually
from tests.simulators.server import Simulator
from tests.simulators.smtp import MailServer
from tests.workflow_samples import write_samples

KEY = "chat-key-that-nobody-sees"
PATH = "/services/T0/B0/path-that-nobody-sees"
CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
plugins: [plugins/on_call.py, plugins/chat.py]
reopen_within: 0s
route:
  receiver: MyWorkflow
  routes:
    - matchers: ['severity="critical"']
      receiver: both
receivers: {both: [MyWorkflow, MyAlarm]}
"""


@dataclass(frozen=True)
class Scene:
    bridge: BridgeProcess
    mail: MailServer
    chat: Simulator

    async def fire(self, *, status: str = "firing", **labels: str) -> None:
        named = {"alertname": "DiskFull", "severity": "warning", **labels}
        alert = {"status": status, "labels": named, "annotations": {}, "startsAt": "2026-03-01T10:00:00Z"}
        body = {"version": "4", "groupKey": "g", "status": status, "receiver": "r", "groupLabels": named,
                "commonLabels": named, "commonAnnotations": {}, "externalURL": "", "alerts": [alert]}  # fmt: skip
        code, _ = await asyncio.to_thread(self.bridge.post, "/webhook/default", body)
        assert code == 200

    async def metrics(self) -> str:
        return await asyncio.to_thread(self.bridge.text, "/metrics")


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with MailServer() as mail, Simulator() as chat:
        port = mail.smarthost.rpartition(":")[2]
        write_samples(folder / "plugins", mail_port=port, chat_url=f"{chat.url}{PATH}", chat_key=KEY)
        context = bridge_process(folder, CONFIG)
        bridge = await asyncio.to_thread(context.__enter__)
        try:
            yield Scene(bridge, mail, chat)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)


async def test_an_alert_and_its_end_come_out_of_a_workflow_as_mails(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.fire()
        await eventually(lambda: len(here.mail.mails) == 1)
        await here.fire(status="resolved")
        await eventually(lambda: len(here.mail.mails) == 2)
    first, second = here.mail.mails
    assert first.recipients == ("oncall@example.com",)
    assert first.parsed["Subject"].startswith("Workflow Notification: [FIRING:1] DiskFull")
    assert second.parsed["Subject"].startswith("Workflow Notification: [RESOLVED")
    assert "DiskFull" in first.part("plain")
    assert here.chat.requests == []


async def test_what_the_chat_refuses_is_tried_again_and_no_credential_is_shown(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        here.chat.next(503, f"no, not for {KEY}")
        await here.fire(severity="critical")
        await eventually(lambda: len(here.chat.requests) == 2)
        await eventually(lambda: len(here.mail.mails) == 1)
        first, second = here.chat.requests
        shown = json.dumps(await asyncio.to_thread(here.bridge.get, "/api/v1/incidents")) + await here.metrics()
        audit = await asyncio.to_thread(here.bridge.command, "audit", "export")
    assert first.path == PATH
    assert first.headers["Authorization"] == f"Bearer {KEY}"
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] != ""
    assert json.loads(second.body) == {"text": "[FIRING:1] DiskFull (critical) (1 alerts)"}
    assert "the chat answered 503: no, not for" in audit.stdout
    for text in (shown, audit.stdout, here.bridge.log.read_text()):
        assert KEY not in text
        assert "path-that-nobody-sees" not in text


async def test_a_test_message_runs_the_workflow_and_says_how_it_went_without_credentials(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        sent = await asyncio.to_thread(here.bridge.command, "send", "MyWorkflow")
        here.chat.next(500, f"{KEY} {PATH}")
        failed = await asyncio.to_thread(here.bridge.command, "send", "MyAlarm")
    assert (sent.returncode, sent.stdout) == (0, "MyWorkflow: sent (1 actions done)\n")
    assert "[TEST]" in here.mail.mails[0].parsed["Subject"]
    assert failed.returncode != 0
    said = failed.stdout + failed.stderr
    assert "the action 'trigger_alarm': Exception: the chat answered 500: <secret>" in said
    assert KEY not in said
    assert PATH not in said


async def test_a_changed_file_is_picked_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "plugins/on_call.py"
    async with scene(tmp_path) as here:
        good = file.read_text().replace("Workflow Notification", "Changed")
        file.write_text(good)
        await eventually(lambda: '"event":"reloaded"' in here.bridge.log.read_text().replace(" ", ""))
        await here.fire()
        await eventually(lambda: len(here.mail.mails) == 1)
        file.write_text(good + "raise SystemExit(1)\n")
        await eventually(lambda: "SystemExit" in here.bridge.log.read_text())
        assert "alertbridge_config_last_reload_successful 0.0" in await here.metrics()
        await here.fire(status="resolved")
        await eventually(lambda: len(here.mail.mails) == 2)
    assert [mail.parsed["Subject"].partition(":")[0] for mail in here.mail.mails] == ["Changed", "Changed"]


HOSTILE = """
import asyncio, os, sys, time, urllib.request
from bridge import Action, Hook, Plugin, Workflow

SECRET = "secret-of-the-hostile"

class Exits(Hook):
    def execute(self, context):
        sys.exit(3)

class Loops(Hook):
    def execute(self, context):
        while True:
            pass

class Sleeps(Hook):
    def execute(self, context):
        time.sleep(3600)

class Holds(Hook):
    async def execute(self, context):
        time.sleep(3600)

class Odd(BaseException): ...

class Raises(Hook):
    async def execute(self, context):
        raise Odd

class Returns(Hook):
    def execute(self, context):
        return object()

class Tells(Plugin):
    def __init__(self):
        self.api_key = SECRET
    def execute(self, context):
        sys.stdout.close()
        raise ValueError(f"the key is {self.api_key}")

class Posts(Plugin):
    def execute(self, context):
        urllib.request.urlopen("CHAT", data=b"x", timeout=10).close()

def workflow(plugin):
    class Made(Workflow):
        def define(self):
            self.add_action(Action("do", plugin))
    Made.__name__ = plugin.__class__.__name__ + "Flow"
    return Made

ExitsFlow, LoopsFlow, SleepsFlow, HoldsFlow, RaisesFlow, ReturnsFlow, TellsFlow, PostsFlow = map(
    workflow, (Exits(), Loops(), Sleeps(), Holds(), Raises(), Returns(), Tells(), Posts())
)
"""
EVERYONE = ("Exits", "Loops", "Sleeps", "Holds", "Raises", "Returns", "Tells", "Posts")


async def test_workflows_that_do_their_worst_harm_neither_the_bridge_nor_each_other(tmp_path: Path) -> None:
    flows = [f"{name}Flow" for name in EVERYONE]
    channels = ", ".join(
        f"{name}: {{type: workflow, timeout: 1s, max_in_flight: 2}}" for name in flows if name != "PostsFlow"
    )
    config = (
        'server: {listen: "127.0.0.1:PORT"}\nstorage: {url: "sqlite:bridge.db"}\nplugins: [hostile.py]\n'
        f"channels: {{{channels}}}\nroute: {{receiver: all}}\nreceivers: {{all: [{', '.join(flows)}]}}\n"
    )
    async with Simulator() as chat:
        (tmp_path / "hostile.py").write_text(HOSTILE.replace("CHAT", chat.url))
        context = bridge_process(tmp_path, config)
        bridge = await asyncio.to_thread(context.__enter__)
        here = Scene(bridge, MailServer(), chat)
        try:
            for number in range(6):
                await here.fire(alertname=f"Alert{number}")
            await eventually(lambda: len(chat.requests) == 6, within=60)
            await eventually_left(here, "LoopsFlow", "SleepsFlow", "HoldsFlow")
            await here.fire(alertname="Later")
            await eventually(lambda: len(chat.requests) == 7, within=60)
            audit = await asyncio.to_thread(bridge.command, "audit", "export")
            assert await asyncio.to_thread(bridge.stop) == 0
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)
    for word in ("SystemExit: 3", "Odd", "ValueError: the key is <secret>", "its thread is left behind"):
        assert word in audit.stdout
    for text in (audit.stdout, bridge.log.read_text()):
        assert "secret-of-the-hostile" not in text


async def eventually_left(here: Scene, *flows: str) -> None:
    """Until each of them has left as many threads behind as it may, and no more."""
    for _ in range(600):
        shown = await here.metrics()
        if all(f'alertbridge_workflow_threads_left{{workflow="{flow}"}} 2.0' in shown for flow in flows):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(shown)
