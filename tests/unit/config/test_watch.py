"""Changes of files are noticed, however they are made, and told once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Self

import pytest

from bridge.config import watch
from tests.unit.config.written import SMALLEST, write

PATIENCE = 10.0


class Watched:
    """Counts what the watcher tells about a directory."""

    def __init__(
        self, path: Path, *, extra: tuple[Path, ...] = (), since: str | None = None, poll: float = 60.0
    ) -> None:
        self.stop = asyncio.Event()
        self.told: asyncio.Queue[None] = asyncio.Queue()
        since = since or watch.fingerprint(path)  # so that no edit is missed however late the watch begins
        self.task = asyncio.create_task(
            self._follow(watch.changes(path, self.stop, extra=extra, since=since, debounce=0.05, poll=poll))
        )

    async def _follow(self, changes: AsyncIterator[None]) -> None:
        async for _ in changes:
            self.told.put_nowait(None)

    async def next_change(self) -> None:
        await asyncio.wait_for(self.told.get(), PATIENCE)

    async def nothing_more(self) -> bool:
        await asyncio.sleep(0.3)
        return self.told.empty()

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0.3)  # the watcher has no sign of being ready
        return self

    async def __aexit__(self, *details: object) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, PATIENCE)


async def test_an_edit_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, {"main.yml": SMALLEST})
    async with Watched(tmp_path) as watched:
        write(tmp_path, {"main.yml": SMALLEST + "# edited"})

        await watched.next_change()
        assert await watched.nothing_more()


async def test_a_rename_over_a_file_a_new_file_and_a_deleted_one_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"main.yml": SMALLEST})
    async with Watched(tmp_path) as watched:
        write(tmp_path, {".main.swp": SMALLEST + "# renamed"})
        (tmp_path / ".main.swp").rename(tmp_path / "main.yml")
        await watched.next_change()

        write(tmp_path, {"team.yml": "channels: {}"})
        await watched.next_change()

        (tmp_path / "team.yml").unlink()
        await watched.next_change()


async def test_the_swap_of_a_configmaps_links_is_told(tmp_path: Path) -> None:
    mount(tmp_path, "..2026_01", SMALLEST)
    (tmp_path / "main.yml").symlink_to("..data/main.yml")
    async with Watched(tmp_path) as watched:
        mount(tmp_path, "..2026_02", SMALLEST + "# second")
        await watched.next_change()
        assert (tmp_path / "main.yml").read_text().endswith("# second")

        mount(tmp_path, "..2026_03", SMALLEST + "# third")
        await watched.next_change()
        assert await watched.nothing_more()


def mount(directory: Path, version: str, text: str) -> None:
    """What the kubelet does: a new directory, a link beside it, a rename over `..data`."""
    (directory / version).mkdir()
    write(directory / version, {"main.yml": text})
    (directory / "..data_tmp").symlink_to(version)
    os.rename(directory / "..data_tmp", directory / "..data")  # noqa: PTH104 - the very call


async def test_what_does_not_change_the_content_is_not_told(tmp_path: Path) -> None:
    write(tmp_path, {"main.yml": SMALLEST})
    async with Watched(tmp_path) as watched:
        write(tmp_path, {"main.yml": SMALLEST, "notes.txt": "x", ".hidden.yml": "x"})
        os.utime(tmp_path / "main.yml")

        assert await watched.nothing_more()


async def test_a_single_file_and_an_extra_one_are_watched(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    keyring = tmp_path / "var" / "keyring.json"
    write(tmp_path, {"main.yml": SMALLEST, "other.yml": ""})
    async with Watched(tmp_path / "main.yml", extra=(keyring,)) as watched:
        write(tmp_path, {"other.yml": "x"})
        assert await watched.nothing_more()

        write(tmp_path, {"main.yml": SMALLEST + "# edited"})
        await watched.next_change()

        keyring.write_text("{}")
        await watched.next_change()


async def test_an_edit_between_the_reading_and_the_watch_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"main.yml": SMALLEST})
    read = watch.fingerprint(tmp_path)
    write(tmp_path, {"main.yml": SMALLEST + "# edited while the bridge started"})
    async with Watched(tmp_path, since=read) as watched:
        await watched.next_change()
        assert await watched.nothing_more()


async def test_what_is_the_same_as_when_it_was_read_is_not_told(tmp_path: Path) -> None:
    write(tmp_path, {"main.yml": SMALLEST})
    keyring = tmp_path / "keyring.json"
    keyring.write_text("{}")
    async with Watched(tmp_path, extra=(keyring,), since=watch.fingerprint(tmp_path)) as watched:
        assert await watched.nothing_more()


async def test_what_is_written_beside_an_extra_file_costs_no_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = tmp_path / "var" / "keyring.json"
    keyring.parent.mkdir()
    write(tmp_path, {"main.yml": SMALLEST})
    comparisons = 0

    def counted(path: Path, extra: Collection[Path] = ()) -> str:
        nonlocal comparisons
        comparisons += 1
        return fingerprint(path, extra)

    fingerprint = watch.fingerprint
    monkeypatch.setattr(watch, "fingerprint", counted)
    async with Watched(tmp_path, extra=(keyring,)) as watched:
        before = comparisons
        (keyring.parent / "bridge.db-wal").write_bytes(b"a page")

        assert await watched.nothing_more()
        assert comparisons == before


async def test_without_events_the_comparison_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(*_paths: Path, **_options: object) -> AsyncIterator[None]:
        raise OSError("too many watches")
        yield

    monkeypatch.setattr(watch, "awatch", deaf)
    write(tmp_path, {"main.yml": SMALLEST})
    async with Watched(tmp_path, poll=0.05) as watched:
        write(tmp_path, {"main.yml": SMALLEST + "# edited"})

        await watched.next_change()


async def test_a_directory_that_comes_later_is_found(tmp_path: Path) -> None:
    async with Watched(tmp_path / "routes", poll=0.05) as watched:
        (tmp_path / "routes").mkdir()
        write(tmp_path / "routes", {"main.yml": SMALLEST})

        await watched.next_change()


async def test_stopping_ends_the_watcher_at_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    await asyncio.sleep(0.2)
    watched.stop.set()

    await asyncio.wait_for(watched.task, 30)
