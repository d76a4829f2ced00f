"""Mail to a server with STARTTLS and AUTH."""

from __future__ import annotations

from bridge.channels.api import Reason
from bridge.channels.email import EmailChannel
from tests.contract.channels.case import Case
from tests.simulators.smtp import MailServer, certificates

_CANARY = "mail-canary-password"

CASE = Case(
    name="email",
    channel=EmailChannel,
    idempotency="none",
    service=lambda: MailServer(tls="starttls", user="bridge", password=_CANARY),
    options=lambda smarthost: {
        "smarthost": smarthost or "127.0.0.1:1",
        "from": "Alertbridge <alerts@example.com>",
        "to": ["ops@example.com", "lead@example.com"],
        "username": "bridge",
        "password": _CANARY,
        "ca_file": str(certificates().ca_file),
    },
    follows=(Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED),
    canaries=(_CANARY,),
    http=False,
)
