"""`/api/v1/backups`: whoever copied the database beside the running bridge tells it, so that it goes on record."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from bridge.domain.clock import Clock
from bridge.engine.backups import BackupFacts
from bridge.http.access import Principal, Role
from bridge.http.acting import Acting
from bridge.http.asking import as_json, asked
from bridge.http.operations import Operation
from bridge.http.problem import Problem

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX = 2**62


class Operator(Protocol):
    """What the engine offers."""

    async def backed_up(self, backup: BackupFacts, by: str, now: datetime) -> BackupFacts: ...


class BackupMade(Struct, frozen=True, forbid_unknown_fields=True):
    """A backup: the file's name, its size, its SHA-256, and the newest audit record in it. `by` as everywhere."""

    file: str
    bytes: int
    digest: str
    seq: int
    chain: str
    hash: str
    by: str = ""


class BackupsApi:
    """The handler."""

    def __init__(self, operator: Operator, acting: Acting, clock: Clock) -> None:
        self._operator = operator
        self._acting = acting
        self._clock = clock
        self._body = msgspec.json.Decoder(BackupMade)

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST", "/api/v1/backups", self._made, "Put a backup that was made on record", Role.ADMIN, BackupFacts,
                body=BackupMade, problems=(400, 409, 415, 422, 503),
            ),
        )  # fmt: skip

    async def _made(self, request: web.Request, principal: Principal) -> web.Response:
        try:
            made = await self._acting.document(request, self._body)
        except msgspec.ValidationError as error:
            fields = ", ".join(BackupMade.__struct_fields__)
            raise Problem(422, f"a field is missing, unknown, or not of its type; there are: {fields}") from error
        if not (0 < len(made.file) <= 255 and made.file.isprintable() and 0 < len(made.chain) <= 200):
            raise Problem(422, "file and chain are names")
        if not (_SHA256.fullmatch(made.digest) and _SHA256.fullmatch(made.hash)):
            raise Problem(422, "digest and hash are SHA-256 in 64 hex digits")
        if not (0 <= made.bytes < _MAX and 0 < made.seq < _MAX):
            raise Problem(422, "bytes and seq are numbers")
        by = self._acting.actor(principal, made.by)
        facts = BackupFacts(made.file, made.bytes, made.digest, made.seq, made.chain, made.hash)
        return as_json(await asked(self._operator.backed_up(facts, by, self._clock.now())))
