"""The oldest part of the audit goes: whole segments between checkpoints, with a signed header in their place."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.audit.checkpoint import CheckpointError, digest, parse_note
from bridge.audit.pruning import ChainEnd, PrunedHeader, PruningError, parse_pruned, pruned_detail, pruned_record
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import BridgeError
from bridge.domain.moment import micros
from bridge.secrets.instance import InstanceKeys
from bridge.storage import journal, retention
from bridge.storage.retention import End, StoredCheckpoint
from bridge.storage.transaction import Tx

_ROWS = 5000
_CHECKPOINTS = 100
_CHAINS = 200
_STOPPED = "stopped"
_HEADER = "pruned"
_SHARED_HISTORY = "shared_history"


class SegmentUnsound(BridgeError):  # noqa: N818 - reads as the state it reports
    """The oldest records do not fit the checkpoint that signed them: they were tampered with, and stay as they are."""


class Segment(Struct, frozen=True):
    """The oldest records: from `first` to the one that the checkpoint of the id `stored` ends with."""

    first: int
    last: int
    since: datetime
    until: datetime
    ends: tuple[End, ...]
    deliveries: int
    stored: int
    checkpoint: int
    digest: str


class _Cut(Struct, frozen=True):
    """A place where the log may be cut: after the last record of a checkpoint."""

    stored: StoredCheckpoint
    number: int
    chain: str
    seq: int
    hash: bytes


async def oldest_segment(tx: Tx, cutoff: datetime) -> Segment | None:
    """What may be pruned now, None if there is nothing. Every record in it is older than the cutoff, and the newest
    checkpoint with what it signed stays.

    Raises:
        SegmentUnsound: the records are not those that were signed.
    """
    first = await retention.first_record(tx)
    if first is None:
        return None
    cuts = _cuts(await retention.checkpoints(tx, _CHECKPOINTS), first[0], cutoff)
    for cut in (cuts[-1:] + cuts[:1])[: len(cuts)]:
        span = await retention.span(tx, first[0], cut.seq)
        if span.records != cut.seq - first[0] + 1:
            raise SegmentUnsound(f"records are missing between {first[0]} and {cut.seq}")
        if span.newest >= cutoff:
            continue  # the clock was wrong when the checkpoint was signed
        ends = await retention.ends(tx, first[0], cut.seq)
        if (ends[-1].seq, ends[-1].chain, ends[-1].hash) != (cut.seq, cut.chain, cut.hash):
            raise SegmentUnsound(f"record {cut.seq} is not the one that checkpoint {cut.number} signed")
        return Segment(
            first[0], cut.seq, first[1], cut.stored.at, tuple(ends), span.deliveries, cut.stored.id, cut.number,
            digest(cut.stored.note),
        )  # fmt: skip
    return None


async def prune(tx: Tx, segment: Segment, now: datetime, keys: InstanceKeys, *, shared: bool) -> bool:
    """Delete a segment and record its header; False if somebody else pruned meanwhile.

    Raises:
        SegmentUnsound: what was kept of the pruning before is damaged.
    """
    first = await retention.first_record(tx)
    if first is None or first[0] != segment.first:
        return False
    known = await journal.fact(tx, _HEADER) or ""
    shared = shared or await journal.fact(tx, _SHARED_HISTORY) is not None
    detail = pruned_detail(_header(segment, known, shared=shared), keys)
    tx.record(pruned_record(now, detail))
    await journal.set_fact(tx, _HEADER, detail)
    crashpoint("prune.after_header")
    await retention.drop_records(tx, segment.last, segment.stored)
    crashpoint("prune.after_delete")
    return True


def _cuts(stored: list[StoredCheckpoint], first: int, cutoff: datetime) -> list[_Cut]:
    """Where the log may be cut, from the nearest place to the one that takes as much as one transaction should."""
    cuts: list[_Cut] = []
    for checkpoint in stored[:-1]:  # the newest, or one before it, stays
        if checkpoint.at >= cutoff:
            break
        try:
            note = parse_note(checkpoint.note)
        except CheckpointError:
            continue
        head = max(note.heads, key=lambda head: head.seq, default=None)
        if head is None or head.seq < first:
            continue
        if cuts and head.seq - first >= _ROWS:
            break
        cuts.append(_Cut(checkpoint, note.number, head.chain, head.seq, head.hash))
    return cuts


def _header(segment: Segment, known: str, *, shared: bool) -> PrunedHeader:
    before = _parsed(known)
    return PrunedHeader(
        first=segment.first,
        last=segment.last,
        since=micros(segment.since),
        until=micros(segment.until),
        heads=_heads(segment, before, shared=shared),
        checkpoint=segment.checkpoint,
        checkpoint_digest=segment.digest,
        deliveries=max(segment.deliveries, before.deliveries if before else 0),
        previous=digest(known) if known else "",
    )


def _parsed(known: str) -> PrunedHeader | None:
    try:
        return parse_pruned(known).header if known else None
    except PruningError as error:
        raise SegmentUnsound(f"what is kept of the pruning before cannot be read: {error}") from error


def _heads(segment: Segment, before: PrunedHeader | None, *, shared: bool) -> tuple[ChainEnd, ...]:
    """The ends of the chains that may go on. On a database of our own that is the last one alone: one process writes."""
    last = segment.ends[-1]
    end = ChainEnd(last.chain, last.seq, last.hash.hex())
    if not shared:
        return (end,)
    chains = {head.chain: head for head in before.heads} if before else {}
    for found in segment.ends:
        chains[found.chain] = ChainEnd(found.chain, found.seq, found.hash.hex())
        if found.kind == _STOPPED:
            del chains[found.chain]
    chains.pop(last.chain, None)
    return (*sorted(chains.values(), key=lambda head: head.seq)[-_CHAINS:], end)
