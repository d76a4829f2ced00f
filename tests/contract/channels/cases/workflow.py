"""A workflow whose one action keeps what it is told."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge import Action, Plugin
from bridge.channels.workflow import WorkflowChannel, WorkflowOptions
from tests.contract.channels.case import Case
from tests.simulators.server import Told

_CANARY = "workflow-canary-token"


class Keeps(Plugin):
    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self.token = token

    def execute(self, context: Mapping[str, Any]) -> str:
        number = len(list(self.folder.iterdir()))
        (self.folder / f"{number}.json").write_text(json.dumps(context))
        return self.token


class WorkflowChannelOfTests(WorkflowChannel):
    """With the workflow that a plugin file would offer; the folder stands in its name."""

    def __init__(self, name: str, options: WorkflowOptions) -> None:
        action = Action("keep", Keeps(Path(options.workflow), _CANARY))
        super().__init__(name, options, workflows={options.workflow: (action,)})


@dataclass(frozen=True)
class _Kept:
    url: str

    def told(self) -> list[Told]:
        """Oldest first; the context as text, names and values alike."""
        found = sorted(Path(self.url).glob("*.json"), key=lambda path: int(path.stem))
        return [Told(json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)) for path in found]


@asynccontextmanager
async def _folder() -> AsyncIterator[_Kept]:
    with tempfile.TemporaryDirectory() as folder:
        yield _Kept(folder)


CASE = Case(
    name="workflow",
    channel=WorkflowChannelOfTests,
    idempotency="none",
    service=_folder,
    options=lambda folder: {"workflow": folder or "/nowhere"},
    canaries=(_CANARY,),
    http=False,
)
