"""`alertbridge version`."""

from __future__ import annotations

import json
import platform
from typing import Annotated

import typer

from bridge import __version__


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("version")(version)


def version(*, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Print the version."""
    if as_json:
        typer.echo(json.dumps({"version": __version__, "python": platform.python_version()}))
    else:
        typer.echo(f"alertbridge {__version__}")
