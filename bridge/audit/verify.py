"""`audit verify`: re-hash everything, check every signature, and compare the log with the deliveries.

It reads one snapshot on a connection of its own and works beside a running bridge. Without an outside anchor nobody can
see that whoever holds the signing key wrote the whole history anew, or that the end of the log was cut off together
with the head file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bridge.audit.checkpoint import published
from bridge.audit.deliveries import compare
from bridge.audit.findings import Finding, Report
from bridge.audit.pins import Pins, Trust, read_anchor
from bridge.audit.pruning import Pruned, PrunedHeader, PruningError, parse_pruned
from bridge.audit.walk import Walk
from bridge.domain.errors import StorageError
from bridge.storage.audit_log import AuditLog, open_audit_log
from bridge.storage.postgres_address import Address

Progress = Callable[[str, int, int], None]
"""Called with the stage (`checkpoints`, `records`, `deliveries`), how much is done, and of how much (0: unknown)."""


def verify(
    database: Path | Address,
    trust: Trust,
    *,
    anchor: Path | None = None,
    beside: bool = True,
    progress: Progress = lambda _stage, _done, _total: None,
) -> Report:
    """Judge the audit log of a SQLite database file, or of a PostgreSQL database, which has no head file beside it.

    `beside` False says that the file is a copy, which has none either.

    Raises:
        StorageError: the database, its head file or the anchor cannot be read, or there are checkpoints and no key.
    """
    try:
        # Before the snapshot: a running bridge may write newer ones any moment, and they would seem to name missing records.
        outside = None if anchor is None else read_anchor(anchor)
        head = published(database) if isinstance(database, Path) and beside else None
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    with open_audit_log(database) as log:
        seq, pruned, damage = _pruned(log)
        header = pruned.header if pruned else None
        pins = _collect(log, trust, header, progress)
        pins.findings += damage
        if pruned is not None:
            pins.judge_pruned(seq, pruned)
        if isinstance(database, Path) and beside:
            pins.add_head(head, required=anchor is None)
        elif anchor is None:
            what = "a copy" if isinstance(database, Path) else "a server"
            pins.notes.append(f"beside {what} there is no head file: an --anchor tells whether the end was cut off")
        if anchor is not None and outside is not None:
            pins.add_anchor(anchor, outside)
        walk = Walk(pins.pins, header, shared=log.shared)
        total = log.last_seq() - (header.last if header else 0)
        walk.run(log.raw_rows(), lambda done: progress("records", done, total))
        findings = [walk.finding] if walk.finding else []
        findings += pins.findings
        if not findings:
            findings += _compare(log, header, progress)
    notes = (*pins.notes, *walk.notes, *_ending(walk))
    return Report(walk.records, walk.chains, pins.count, walk.seq, walk.signed_through, tuple(findings), notes)


def _pruned(log: AuditLog) -> tuple[int, Pruned | None, list[Finding]]:
    """The newest header of pruned records with its sequence number, and what is wrong with it."""
    found = log.last_of("pruned")
    if found is None:
        return 0, None, []
    seq, detail = found
    try:
        return seq, parse_pruned(detail), []
    except PruningError as error:
        return seq, None, [Finding(f"record {seq}: {error}", seq, seq)]


def _collect(log: AuditLog, trust: Trust, header: PrunedHeader | None, progress: Progress) -> Pins:
    count = log.checkpoint_count()
    if (count or header) and not (trust.keys or trust.former):
        raise StorageError(
            "there are signed checkpoints and no key to check them with: name the keyring or the public keys"
        )
    pins = Pins(trust)
    pins.add_stored(log.checkpoints(), header, advance=lambda done: progress("checkpoints", done, count))
    return pins


def _compare(log: AuditLog, header: PrunedHeader | None, progress: Progress) -> list[Finding]:
    progress("deliveries", 0, 0)
    finding = compare(log.deliveries(), log.delivery_facts(), pruned=header.deliveries if header else 0)
    return [finding] if finding else []


def _ending(walk: Walk) -> list[str]:
    notes = []
    if walk.records and not walk.finding and walk.running:
        notes.append(walk.running)
    if walk.records and not walk.finding and walk.signed_through < walk.seq:
        behind = f"{walk.signed_through + 1} to {walk.seq}"
        notes.append(f"records {behind} came after the last checkpoint, and nothing vouches for them yet")
    return notes
