"""`alertbridge send`: does a channel work? Sends one message marked TEST, without a running bridge."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.reading import require_readable
from bridge.domain.errors import ChannelError, ConfigError, NotFound
from bridge.observe.logs import escape


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("send")(send)


def send(
    channel: Annotated[str, typer.Argument(help="a name under `channels:`")],
    config: Annotated[Path, typer.Option("--config", help="a file, or a directory of YAML files")] = Path("routes"),
) -> None:
    """Send a test message, marked TEST, through one channel. Exit 1 if it is not taken."""
    from bridge.app.send import send_test

    require_readable(config)
    try:
        receipt = asyncio.run(send_test(config, channel))
    except (ChannelError, ConfigError, NotFound) as error:
        typer.echo(escape(f"{channel}: {error}"), err=True)
        raise typer.Exit(1) from None
    typer.echo(escape(f"{channel}: sent" + (f" ({receipt.detail})" if receipt.detail else "")))
