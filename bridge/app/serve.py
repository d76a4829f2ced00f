"""`alertbridge serve`: a bridge under signals and file changes, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import structlog

from bridge.app.bridge import Bridge
from bridge.app.watchdog import LoopPulse, watched_loop
from bridge.config.watch import changes, fingerprint
from bridge.domain.clock import SteadyClock, SystemClock
from bridge.domain.errors import BridgeError
from bridge.observe.logs import configure, log_thread

_log = structlog.get_logger("bridge")
_SWITCH_SECONDS = 0.001


async def serve(path: Path, *, strict: bool = False) -> int:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once. Gives the exit code.

    SIGHUP and changed files reload. A database that can no longer be trusted ends the process with 1, an event loop that
    stands still with 70, so that whatever supervises it starts it anew.

    Raises:
        BridgeError: it cannot start.
    """
    with watched_loop() as pulse:
        return await _serve(path, pulse, strict=strict)


async def _serve(path: Path, pulse: LoopPulse, *, strict: bool) -> int:
    # The writer thread holds the interpreter while it decides; the event loop must not wait 5 ms for its turn.
    sys.setswitchinterval(_SWITCH_SECONDS)
    stop = asyncio.Event()
    reload = asyncio.Event()
    failed: list[BaseException] = []

    def fatal(error: BaseException) -> None:
        failed.append(error)
        stop.set()

    _on_signals(stop, reload)  # before anything else: a SIGHUP during the start must not end it
    since = await asyncio.to_thread(fingerprint, path)  # an edit made during the start is an edit too
    bridge = await Bridge.start(path, SteadyClock(SystemClock()), strict=strict, fatal=fatal, pulse=pulse)
    log = bridge.config.log
    form = log.format or ("console" if sys.stderr.isatty() else "json")
    configure(format=form, level=log.level, redact=bridge.redact, detached=True)
    _collect_seldom()
    watching = [
        asyncio.create_task(_watch(bridge, path, since, stop, reload)),
        asyncio.create_task(_reload(bridge, stop, reload)),
    ]
    await stop.wait()
    if failed:
        _log.critical("database_failed", error=str(failed[0]))
        await bridge.abandon()
        log_thread().flush()
        os._exit(1)
    reload.set()
    await bridge.stop()
    await asyncio.gather(*watching, return_exceptions=True)
    return 0


def _collect_seldom() -> None:
    """A request leaves no cycles behind, and looking for them at Python's default pace costs a fifth of the time.

    What is alive now stays alive, so it is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _on_signals(stop: asyncio.Event, reload: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        if stop.is_set():
            os._exit(1)  # the second signal: now
        _log.info("stopping")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, reload.set)


async def _watch(bridge: Bridge, path: Path, since: str, stop: asyncio.Event, reload: asyncio.Event) -> None:
    async for _change in changes(path, stop, extra=_Beside(bridge), since=since):
        reload.set()


class _Beside(Collection[Path]):
    """The files that count besides the configuration itself, as it is now: the keyring and the plugin files."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def _files(self) -> tuple[Path, ...]:
        config = self._bridge.config
        return config.secrets.keyring, *config.plugins

    def __contains__(self, file: object) -> bool:
        return file in self._files()

    def __iter__(self) -> Iterator[Path]:
        return iter(self._files())

    def __len__(self) -> int:
        return len(self._files())


async def _reload(bridge: Bridge, stop: asyncio.Event, reload: asyncio.Event) -> None:
    while not stop.is_set():
        await reload.wait()
        reload.clear()
        if stop.is_set():
            return
        try:
            problems = await bridge.reload()
        except BridgeError as error:
            _log.error("reload_failed", error=str(error))
        else:
            _log.info("reloaded", problems=len(problems))
