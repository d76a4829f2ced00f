"""Tells when the files of a configuration changed: edited, replaced by a rename, or swapped as a ConfigMap is.

Kubernetes mounts a ConfigMap as links into `..data`, itself a link that is renamed over when the content changes. The
files' own names never see an event, so the whole directory is watched, dot names included, and what counts is the
content: each burst of events is followed by one comparison.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from watchfiles import Change, awatch

from bridge.config.documents import find_files

DEBOUNCE_SECONDS = 0.3
POLL_SECONDS = 5.0


async def changes(
    path: Path,
    stop: asyncio.Event,
    *,
    extra: Collection[Path] = (),
    since: str | None = None,
    debounce: float = DEBOUNCE_SECONDS,
    poll: float = POLL_SECONDS,
) -> AsyncIterator[None]:
    """Yields once after the content at `path` (or of an `extra` file, such as a keyring) has changed and stood still for `debounce` seconds.

    `since` is the `fingerprint` of `path` from before the configuration was read: an edit made between that reading
    and the beginning of the watch is told too. Without it only what changes from now on is.

    The file system's events only hasten what a comparison every `poll` seconds finds anyway, so nothing is missed
    where there are no events (network file systems, too few watches). Ends when `stop` is set.
    """
    hint = asyncio.Event()
    watcher = asyncio.create_task(_watch(path, extra, hint, stop))
    try:
        known = await asyncio.to_thread(fingerprint, path, extra)
        if since is not None and await asyncio.to_thread(fingerprint, path) != since:
            known = ""
            hint.set()
        while not stop.is_set():
            await _wait(hint, stop, poll)
            hint.clear()
            seen = await asyncio.to_thread(fingerprint, path, extra)
            if seen == known or not await _stands_still(path, extra, seen, stop, debounce):
                continue
            known = seen
            yield
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def fingerprint(path: Path, extra: Collection[Path] = ()) -> str:
    """A digest over names and contents of the configuration's files and the extra ones; what is not there counts too."""
    digest = hashlib.sha256()
    try:
        files = [*find_files(path), *sorted(extra)]
    except OSError:
        files = [path, *sorted(extra)]
    for file in files:
        try:
            content = b"+" + file.read_bytes()
        except OSError:
            content = b"-"
        for part in (str(file).encode(errors="surrogateescape"), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


async def _stands_still(path: Path, extra: Collection[Path], seen: str, stop: asyncio.Event, debounce: float) -> bool:
    """Whether nothing more changed for a while: an editor or `git pull` is not caught in the middle."""
    await _wait(stop, stop, debounce)
    return await asyncio.to_thread(fingerprint, path, extra) == seen


async def _wait(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    waiting = {asyncio.create_task(event.wait()) for event in {first, second}}
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _watch(path: Path, extra: Collection[Path], hint: asyncio.Event, stop: asyncio.Event) -> None:
    """Turns events of the directories into hints. Ends in silence where the system offers none: polling is the truth.

    Beside an extra file others may be written all the time, a database beside the keyring: those are no hints.
    """
    whole = _directory(path)
    present = [directory for directory in {whole, *(file.parent for file in extra)} if directory.is_dir()]
    if not present:
        return
    names = {file.name for file in extra}
    watched = _ways_to_write(whole)

    def concerns_us(change: Change, changed: str) -> bool:
        del change
        file = Path(changed)
        return file.name in names or file.parent in watched

    try:
        async for _ in awatch(
            *present, watch_filter=concerns_us, stop_event=stop, recursive=False, debounce=50, step=20
        ):
            hint.set()
    except (OSError, RuntimeError):
        return


def _directory(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _ways_to_write(directory: Path) -> frozenset[Path]:
    """How an event may name it: as given, absolute, or with its links resolved."""
    return frozenset({directory, directory.absolute(), directory.resolve()})
