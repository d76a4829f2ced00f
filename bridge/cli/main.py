"""`alertbridge`: the command. Each group of commands is imported when it is asked for, so that the rest start fast."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from bridge.domain import crashpoint
from bridge.domain.errors import BridgeError

if TYPE_CHECKING:
    from typer._click import Command, Context

_MODULES = {
    "serve": "bridge.cli.serve",
    "check": "bridge.cli.check",
    "schema": "bridge.cli.schema",
    "routes": "bridge.cli.routes",
    "explain": "bridge.cli.explain",
    "schedule": "bridge.cli.schedules",
    "fire": "bridge.cli.fire",
    "send": "bridge.cli.send",
    "incidents": "bridge.cli.incidents",
    "deliveries": "bridge.cli.deliveries",
    "heartbeats": "bridge.cli.heartbeats",
    "drills": "bridge.cli.drills",
    "report": "bridge.cli.report",
    "secrets": "bridge.cli.secrets",
    "audit": "bridge.cli.audit",
    "backup": "bridge.cli.backup",
    "restore": "bridge.cli.restore",
    "migrate": "bridge.cli.migrate",
    "import": "bridge.cli.importing",
    "version": "bridge.cli.version",
}
"""Command or group → the module that has it: as `app`, or added by `register(app)`."""

_RUNS_PLUGINS = frozenset({"check", "schema", "routes", "explain", "schedule", "send", "import"})
"""Commands that run plugins, which may log; `serve` sets up its logs itself."""

COULD_NOT = 3


class LazyGroup(TyperGroup):
    """The top level; knows the names and imports what is called."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(_MODULES)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        del ctx
        if cmd_name not in _MODULES:
            return None
        module = import_module(_MODULES[cmd_name])
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            module.register(app)
        command = get_command(app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback()
def _describe() -> None:
    """Takes alerts from Alertmanager, Prometheus and Grafana to the people who must hear of them.

    Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 could not do it.
    """


def main() -> None:
    """Run the command. Errors are one line on standard error; a traceback only with ALERTBRIDGE_DEBUG set."""
    if _RUNS_PLUGINS.intersection(sys.argv[1:2]):
        _keep_logs_safe()
    try:
        crashpoint.arm(os.environ)
        app(prog_name="alertbridge")
    except BridgeError as error:
        _fail(str(error), getattr(error, "exit_code", COULD_NOT))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has gone
        sys.exit(COULD_NOT)
    except OSError as error:
        _fail(str(error))
    except Exception as error:
        if os.environ.get("ALERTBRIDGE_DEBUG"):
            raise
        _fail(f"internal error ({type(error).__name__}); set ALERTBRIDGE_DEBUG=1 to see where")


def _keep_logs_safe() -> None:
    """What structlog does of itself shows the locals of a traceback, credentials among them."""
    from bridge.observe.logs import configure

    configure(format="console" if sys.stderr.isatty() else "json", level="warning")


def _fail(message: str, code: int = COULD_NOT) -> NoReturn:
    typer.echo(f"alertbridge: {message}", err=True)
    sys.exit(code)
