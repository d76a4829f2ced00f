"""`alertbridge schema`: the configuration's JSON Schema, for editors."""

from __future__ import annotations

import json

import typer

from bridge.channels.registry import ChannelRegistry
from bridge.config.schema import json_schema
from bridge.domain.errors import ConfigError
from bridge.hooks.registry import HookRegistry


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema")(schema)


def schema() -> None:
    """Print the JSON Schema of the configuration."""
    try:
        found = json_schema(ChannelRegistry.load(), HookRegistry.load())
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
