"""What operators and attackers find out about a running bridge only from outside."""

from __future__ import annotations

from pathlib import Path

from tests.running_bridge import bridge_process

CONSOLE = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:var/bridge.db"}
channels: {people: {type: console}}
route: {receiver: people}
"""


def test_a_running_bridge_leaves_no_core_file_and_hides_its_memory_from_its_own_user(tmp_path: Path) -> None:
    """A core file, or another process of the same user reading its memory, would show every opened secret."""
    text = CONSOLE.replace("sqlite:var", f"sqlite:{tmp_path}/var")
    with bridge_process(tmp_path, text) as bridge:
        limits = Path(f"/proc/{bridge.pid}/limits").read_text().splitlines()
        core = next(line for line in limits if line.startswith("Max core file size"))
        owner = Path(f"/proc/{bridge.pid}/environ").stat().st_uid

    assert core.split()[4:6] == ["0", "0"]
    assert owner == 0  # what is not dumpable belongs to root
