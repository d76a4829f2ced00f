"""A hook as somebody publishes it: a distribution that announces it as an entry point.

It asks a catalogue over the bridge's own HTTP client, and adds the owner as a label.
"""

from __future__ import annotations

import json
from typing import ClassVar
from urllib.parse import quote

from bridge.domain.errors import BridgeError
from bridge.hooks.api import Forward, HookContext, HookOptions, Notification, Verdict
from bridge.net import outcome_of


class OwnershipOptions(HookOptions):
    catalogue: str


class CatalogueError(BridgeError):
    pass


class OwnershipHook:
    name: ClassVar[str] = "ownership"
    Options: ClassVar[type[HookOptions]] = OwnershipOptions
    does_io = True

    def __init__(self, options: OwnershipOptions, context: HookContext) -> None:
        self._catalogue = options.catalogue
        self._http = context.http

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        for alert in notification.alerts:
            owner = await self._owner(alert.labels.get("instance", ""))
            if owner:
                notification = notification.with_labels(alert.fingerprint, {"owner": owner})
        return await forward(notification)

    async def _owner(self, instance: str) -> str:
        if not instance:
            return ""
        answer = await self._http.request("GET", f"{self._catalogue}/owners/{quote(instance, safe='')}", timeout=2)
        if answer.status == 404:
            return ""
        outcome_of(answer)
        try:
            owner = json.loads(answer.body)["owner"]
        except (ValueError, KeyError, TypeError) as error:
            raise CatalogueError("the catalogue's answer has no owner") from error
        return str(owner)
