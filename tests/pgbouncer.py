"""A PgBouncer in front of a test's cluster."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import ROLE, Cluster, account, program
from tests.running_bridge import free_port

_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
server_reset_query = DISCARD ALL
ignore_startup_parameters = extra_float_digits
"""


@contextmanager
def pgbouncer(cluster: Cluster, mode: str, size: int = 10) -> Iterator[int]:
    """The port of a running pooler; `mode` is its pool_mode."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="bridge-pgbouncer-"))
    (folder / "users").write_text(f'"{ROLE}" ""\n')
    text = _CONFIGURATION.format(server=cluster.port, port=port, folder=folder, mode=mode, size=size)
    (folder / "pgbouncer.ini").write_text(text)
    owner = account()
    identity = {}
    if owner is not None:
        identity = {"user": owner[0], "group": owner[1], "extra_groups": []}
        for path in (folder, folder / "users", folder / "pgbouncer.ini"):
            shutil.chown(path, *owner)
    command = [program("pgbouncer"), "-q", str(folder / "pgbouncer.ini")]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, **identity) as process:
        try:
            end = time.monotonic() + 20
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, "pgbouncer does not start"
                assert time.monotonic() < end, "pgbouncer does not answer"
                time.sleep(0.02)
            yield port
        finally:
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)
