"""Every receiver at once: a real mail server, the vendors' simulators and a script, and a configuration that seals their secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running_bridge import BridgeProcess, free_port
from tests.simulators.pagerduty import PagerDuty
from tests.simulators.sendgrid import SendGrid
from tests.simulators.slack import SlackApi, SlackWebhook
from tests.simulators.smtp import MailServer
from tests.simulators.telegram import TOKEN, Telegram
from tests.simulators.twilio import Twilio
from tests.simulators.webhook import WebhookReceiver

SECRETS = {
    "sources/alertmanager/auth.bearer": "test-key-of-the-source",
    "channels/hook/signing_secret": "test-key-of-the-receiver",
    "channels/chat/webhook_url": "",
    "channels/bot/token": "test-key-of-the-bot",
    "channels/pager/routing_key": "testkeyoftherouting0123456789abc",
    "channels/mail/password": "test-key-of-the-mailbox",
    "channels/grid/api_key": "test-key-of-the-grid",
    "channels/gram/token": TOKEN,
    "channels/sms/auth_token": "test-key-of-the-phone",
}
"""Where each secret stands → the secret; made for these tests alone."""

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:var/bridge.db"}
secrets: {keyring: var/keyring.json}
exec: {directories: [scripts]}
sources:
  alertmanager: {type: alertmanager, auth: {bearer: "SEALED<sources/alertmanager/auth.bearer>"}}
channels:
  hook: {type: webhook, url: "HOOK/", signing_secret: "SEALED<channels/hook/signing_secret>"}
  chat: {type: slack, webhook_url: "SEALED<channels/chat/webhook_url>"}
  bot: {type: slack, token: "SEALED<channels/bot/token>", channel: general, url: "BOT/api"}
  pager: {type: pagerduty, routing_key: "SEALED<channels/pager/routing_key>", url: "PAGER"}
  mail:
    type: email
    smarthost: "MAIL"
    from: alerts@example.com
    to: [ops@example.com]
    username: bridge
    password: "SEALED<channels/mail/password>"
    ca_file: "CAFILE"
  grid: {type: sendgrid, api_key: "SEALED<channels/grid/api_key>", from: alerts@example.com, to: [ops@example.com], url: "GRID"}
  sms: {type: twilio_sms, account_sid: AC1, auth_token: "SEALED<channels/sms/auth_token>", from: "+15550100", to: ["+15550101"], url: "SMS"}
  gram: {type: telegram, token: "SEALED<channels/gram/token>", chat_id: -1001234, url: "GRAM"}
  script: {type: exec, command: [scripts/told.sh]}
receivers:
  everybody: [hook, chat, bot, pager, mail, grid, sms, gram, script]
route:
  receiver: everybody
  hooks:
    - dedupe
    - enrich: {annotations: {runbook: "https://runbooks.example/{{ labels.alertname }}"}}
"""

SCRIPT = """#!/bin/sh
cat > /dev/null
echo "$ALERTBRIDGE_STATUS $ALERTBRIDGE_REASON" >> "$ALERTBRIDGE_TOLD"
"""


@dataclass
class Town:
    """Who can be told, and what they heard."""

    folder: Path
    bridge: BridgeProcess
    hook: WebhookReceiver
    chat: SlackWebhook
    bot: SlackApi
    pager: PagerDuty
    mail: MailServer
    grid: SendGrid
    sms: Twilio
    gram: Telegram

    def script_heard(self) -> list[str]:
        path = self.folder / "told.txt"
        return path.read_text().splitlines() if path.exists() else []

    def counts(self) -> dict[str, int]:
        """How many messages each receiver has."""
        return {
            "hook": len(self.hook.told()),
            "chat": len(self.chat.posted),
            "bot": len(self.bot.messages),
            "pager": len(self.pager.told()),
            "mail": len(self.mail.mails),
            "grid": len(self.grid.mails),
            "sms": len(self.sms.texts),
            "gram": len(self.gram.messages),
            "script": len(self.script_heard()),
        }


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """All receivers are up, the secrets are sealed by the command a user runs; the bridge is not started."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        key = SECRETS["channels/hook/signing_secret"].encode()
        hook = await enter(WebhookReceiver(key))
        chat = await enter(SlackWebhook())
        bot = await enter(SlackApi(SECRETS["channels/bot/token"]))
        pager = await enter(PagerDuty(SECRETS["channels/pager/routing_key"]))
        mail = await enter(MailServer(tls="starttls", user="bridge", password=SECRETS["channels/mail/password"]))
        grid = await enter(SendGrid(SECRETS["channels/grid/api_key"]))
        sms = await enter(Twilio("AC1", SECRETS["channels/sms/auth_token"]))
        gram = await enter(Telegram(SECRETS["channels/gram/token"]))
        port = free_port()
        (folder / "routes").mkdir(parents=True)
        (folder / "scripts").mkdir()
        script = folder / "scripts" / "told.sh"
        script.write_text(SCRIPT.replace('"$ALERTBRIDGE_TOLD"', f"'{folder}/told.txt'"))
        script.chmod(0o755)
        places = {
            "HOOK": hook.url, "BOT": bot.url, "PAGER": pager.url, "MAIL": mail.smarthost, "CAFILE": str(mail.ca_file),
            "GRID": grid.url, "SMS": sms.url, "GRAM": gram.url, "PORT": str(port),
        }  # fmt: skip
        text = CONFIG
        for name, value in places.items():
            text = text.replace(f'"{name}', f'"{value}').replace(f":{name}", f":{value}")
        bridge = BridgeProcess(folder, port, {"PYTHONPATH": str(Path.cwd())})
        main = folder / "routes" / "main.yml"
        main.write_text(text)
        assert bridge.command("secrets", "keygen").returncode == 0
        for place, secret in SECRETS.items():
            value = secret or f"{chat.url}{chat.path}slack-canary-webhook"
            sealed = bridge.command("secrets", "seal", "--for", place, stdin=value)
            assert sealed.returncode == 0, sealed.stderr
            text = text.replace(f"SEALED<{place}>", sealed.stdout.strip().splitlines()[-1])
        main.write_text(text)
        try:
            yield Town(folder, bridge, hook, chat, bot, pager, mail, grid, sms, gram)
        finally:
            bridge.stop()


def alertmanager_config(bridge: BridgeProcess) -> str:
    """What a user points at the bridge."""
    return f"""
route: {{receiver: bridge, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: bridge
    webhook_configs:
      - url: {bridge.url}/webhook/alertmanager
        send_resolved: true
        http_config: {{authorization: {{credentials: {SECRETS["sources/alertmanager/auth.bearer"]}}}}}
"""
