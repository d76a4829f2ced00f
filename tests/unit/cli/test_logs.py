"""What a plugin logs while a command runs: one line, and never what its variables held."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.command import alertbridge

PLUGIN = """
import structlog
from bridge.channels.api import ChannelOptions, Receipt

SECRET_PARTS = ("hunter", "2")


def ask():
    opened = "".join(SECRET_PARTS)
    raise RuntimeError(f"{len(opened)} letters were refused")


try:
    ask()
except RuntimeError:
    structlog.get_logger("plugin").exception("not_ready")


class LoudChannel:
    Options = ChannelOptions
    idempotency = "none"
    follows_acknowledgement = False

    def __init__(self, name, options):
        pass

    async def send(self, message, context):
        return Receipt()
"""


@pytest.mark.parametrize("command", [("check",), ("routes", "show"), ("send", "a"), ("serve",)], ids="-".join)
async def test_no_command_logs_the_variables_of_a_plugin(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(PLUGIN)
    main = tmp_path / "main.yml"
    main.write_text(f"plugins: [{tmp_path}/loud.py]\nchannels: {{a: {{type: loud}}}}\nroute: {{receiver: gone}}\n")

    ran = await alertbridge(*command, "--config", str(main))

    assert "hunter2" not in ran.out + ran.err
    assert '"event":"not_ready"' in ran.err.replace(": ", ":")
    assert "7 letters were refused" in ran.err
