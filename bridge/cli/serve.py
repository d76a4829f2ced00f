"""`alertbridge serve`: run the bridge."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bridge.domain.errors import ConfigError

_PR_SET_DUMPABLE = 4


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    config: Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")] = Path("routes"),
    *,
    strict: Annotated[bool, typer.Option("--strict", help="refuse to start with any error in any file")] = False,
) -> None:
    """Run until SIGTERM. SIGHUP, `POST /-/reload` or a changed file reloads. Exit 1 if the configuration is not valid, 3 if the bridge cannot start."""
    with _only_loading():
        _load_structlog()
        import uvloop

        from bridge.app.serve import serve as run
        from bridge.cli.reading import require_readable
        from bridge.observe.logs import configure

    require_readable(config)
    keep_memory_private()
    configure(format="console" if sys.stderr.isatty() else "json", detached=True)
    try:
        code = uvloop.run(run(config, strict=strict))
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


@contextmanager
def _only_loading() -> Iterator[None]:
    """What modules make stays: looking for garbage in it meanwhile, and ever after, takes a tenth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _load_structlog() -> None:
    """Without rich, which structlog takes along where it finds it, for tracebacks with the values of variables.

    Those we never show, and rich is fifty modules and three megabytes. It stays free to be imported by others.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment] # an import of it fails, as if it were not installed
    try:
        import structlog  # noqa: F401 - for its place in sys.modules
    finally:
        del sys.modules["rich"]


def keep_memory_private() -> None:
    """No core files, and no other process of this user may read our memory: it holds opened credentials."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
