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
