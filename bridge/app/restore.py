"""`alertbridge restore`: a copy becomes a database, in an empty place, after it was judged."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from bridge.app.backup import Progress
from bridge.audit.checkpoint import head_file, publish
from bridge.audit.findings import Report
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.domain.clock import Clock
from bridge.domain.errors import StorageError
from bridge.domain.moment import micros
from bridge.engine.restoration import FAR
from bridge.storage.backup import (
    CopyNote,
    copy_file,
    leftovers,
    make_ready,
    migrate_copy,
    new_file,
    newest_checkpoint,
    newest_schema,
    note_of,
    require_sound,
    schema_of,
)
from bridge.storage.lock import FileLock
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_backup import load_server
from bridge.storage.restoration import FACT, Restored, written


class NotSound(StorageError):  # noqa: N818 - reads as the state it reports
    """The copy's audit log does not hold; `report` says where."""

    def __init__(self, report: Report) -> None:
        super().__init__(
            "the copy's audit log does not hold, so it was not restored; --unverified restores it all the same"
        )
        self.report = report


class RestoredCopy(Struct, frozen=True):
    """What was restored (or could be). `report` is None where the audit was not judged."""

    note: CopyNote
    report: Report | None


def restore(
    copy: Path,
    where: Path | Address | None,
    *,
    trust: Trust | None,
    moved: bool,
    clock: Clock,
    progress: Progress,
    before: Callable[[], None] = lambda: None,
) -> RestoredCopy:
    """Judge a copy, and put it in the place of the database, which must be empty. `where` None only judges it.

    `trust` None leaves the audit log unjudged. `moved`: nothing happened since the copy was made. `before` is called when
    the copy is judged and before it is in place.

    Raises:
        NotSound: the audit log does not hold.
        StorageError: the copy is damaged or of a newer version, or the place is not empty or cannot be used.
    """
    number = schema_of(copy)
    if number > newest_schema():
        raise StorageError(
            f"{copy} has schema {number}, this version knows {newest_schema()}: restore it with the version that wrote it"
        )
    if isinstance(where, Path):
        with _locked(where):
            _require_empty(where)
            with new_file(where, replace=False) as file:
                done = _prepare(copy, file, trust, moved=moved, clock=clock, progress=progress)
                newest = newest_checkpoint(file)
                before()
            if newest is not None and not head_file(where).exists():
                publish(where, newest)
            return done
    with tempfile.TemporaryDirectory(prefix="alertbridge-") as folder:
        file = Path(folder, "copy.db")
        file.touch(mode=0o600)
        done = _prepare(copy, file, trust, moved=moved, clock=clock, progress=progress)
        if where is not None:
            migrate_copy(file)
            ahead = 0 if moved else FAR
            asyncio.run(load_server(file, where, ahead, partial(progress, "loading")))
        return done


def _prepare(
    copy: Path, file: Path, trust: Trust | None, *, moved: bool, clock: Clock, progress: Progress
) -> RestoredCopy:
    """A copy of the copy, judged, and ready to be started on."""
    copy_file(copy, file, partial(progress, "copying"))
    progress("checking", 0, 0)
    require_sound(file)
    note = note_of(file)
    report: Report | None = None
    if trust is not None:
        report = verify(file, trust, beside=False, progress=progress)
        if not report.holds:
            raise NotSound(report)
    fact = written(Restored(note.at, copy.name, moved))
    make_ready(file, FACT, fact, 0 if moved else micros(clock.now()))
    return RestoredCopy(note, report)


def _require_empty(where: Path) -> None:
    found = leftovers(where)
    if found:
        names = ", ".join(path.name for path in found)
        raise StorageError(
            f"{where.parent}: {names} {'is' if len(found) == 1 else 'are'} there. A backup is restored into an empty place "
            "only: move what is there away, or restore elsewhere"
        )


@contextmanager
def _locked(where: Path) -> Iterator[None]:
    """No bridge may start there meanwhile."""
    lock = FileLock(where)
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise StorageError(f"{where}: cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
