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
    debounce: float = DEBOUNCE_SECONDS,
    poll: float = POLL_SECONDS,
) -> AsyncIterator[None]:
    """Yields once after the content at `path` (or of an `extra` file, such as a keyring) has changed and stood still for `debounce` seconds.

    The file system's events only hasten what a comparison every `poll` seconds finds anyway, so nothing is missed
    where there are no events (network file systems, too few watches). Ends when `stop` is set.
    """
    hint = asyncio.Event()
    watcher = asyncio.create_task(_watch({path, *extra}, hint, stop))
    try:
        known = await asyncio.to_thread(fingerprint, path, extra)
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


async def _watch(paths: Collection[Path], hint: asyncio.Event, stop: asyncio.Event) -> None:
    """Turns events of the directories into hints. Ends in silence where the system offers none: polling is the truth."""
    directories = {path if path.is_dir() else path.parent for path in paths}
    present = [directory for directory in directories if directory.is_dir()]
    if not present:
        return
    try:
        async for _ in awatch(
            *present, watch_filter=_any_change, stop_event=stop, recursive=False, debounce=50, step=20
        ):
            hint.set()
    except (OSError, RuntimeError):
        return


def _any_change(change: Change, path: str) -> bool:
    del change, path
    return True
