"""What verification found."""

from __future__ import annotations

from msgspec import Struct


class Finding(Struct, frozen=True):
    """Something that does not hold. `first` to `last` are the sequence numbers it lies between, 0 where no record is meant."""

    what: str
    first: int = 0
    last: int = 0


class Report(Struct, frozen=True):
    """The result. The log holds if there is no finding; `notes` are worth knowing and no faults.

    `signed_through` is the last record that a checkpoint vouches for; what comes after it could still be changed
    unnoticed.
    """

    records: int
    chains: int
    checkpoints: int
    last_seq: int
    signed_through: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.findings
