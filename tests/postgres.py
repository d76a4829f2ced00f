"""PostgreSQL clusters of our own: made with initdb in a temporary folder, on a free port, gone at the end.

`initdb` refuses root, so under root a cluster runs as `postgres` (Debian's package makes that account) or `nobody`, else as
oneself. Every call blocks; a test on an event loop that must go on meanwhile uses `asyncio.to_thread`.
"""

from __future__ import annotations

import getpass
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.programs import find
from tests.running_bridge import free_port

ROLE = "bridge"
"""The superuser of every cluster; it needs no password."""

_STARTS_WITHIN = 60.0
_QUICK = {"fsync": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a killed server leaves what it has in /dev/shm for good
    "max_connections": "200",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "hot_standby": "on",
    "autovacuum_naptime": "5s",
    "log_min_messages": "warning",
}
_names = itertools.count(1)


class Cluster:
    """One PostgreSQL server. `durable` keeps fsync on, for tests about what a crash leaves."""

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self._account = account()
        self.folder = Path(tempfile.mkdtemp(prefix="bridge-postgres-"))
        if self._account:
            shutil.chown(self.folder, *self._account)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self._settings = {**_SETTINGS, **({} if durable else _QUICK), **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped: list[int] = []

    @classmethod
    def made(cls, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> Cluster:
        """A new and running cluster."""
        cluster = cls(durable=durable, settings=settings)
        cluster._run(
            "initdb", "--pgdata", cluster.data, "--username", ROLE, "--auth", "trust", "--encoding", "UTF8",
            "--locale", "C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        cluster.configure()
        cluster.start()
        return cluster

    def standby_of(self, *, synchronous: bool, durable: bool = False) -> Cluster:
        """A new and running hot standby of this one; `synchronous`: from now on a commit here waits for it."""
        standby = Cluster(durable=durable)
        source = f"host=127.0.0.1 port={self.port} user={ROLE} application_name=standby"
        standby._run("pg_basebackup", "--pgdata", standby.data, "--dbname", source, "--checkpoint", "fast", "--no-sync")
        standby.configure(primary_conninfo=source, synchronous_standby_names="")
        standby._write(standby.data / "standby.signal", "")
        standby.start()
        if synchronous:
            self.configure(synchronous_standby_names="standby")
            self.reload()
            self.until("SELECT sync_state FROM pg_stat_replication", "sync")
        else:
            self.until("SELECT state FROM pg_stat_replication", "streaming")
        return standby

    def dsn(self, database: str = "postgres", port: int = 0) -> str:
        """The URL of a database, through another port (a proxy's) if one is given."""
        return f"postgresql://{ROLE}@127.0.0.1:{port or self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """Make a database, and give its name. It sorts as people do, where the server can: not by bytes.

        Another database as the template is copied; nobody may be connected to it.
        """
        name = f"bridge_{os.getpid()}_{next(_names)}"
        sorts = "LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'" if version() >= 15 and template == "template0" else ""
        self.query(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {sorts}')
        return name

    def drop(self, name: str) -> None:
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def query(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run a statement through psql; the rows as texts."""
        answer = self._run(
            "psql", "--no-psqlrc", "--no-align", "--tuples-only", "--field-separator", "\t", "--quiet", "--set",
            "ON_ERROR_STOP=1", "--command", statement, self.dsn(database),
        )  # fmt: skip
        return [line.split("\t") for line in answer.splitlines()]

    def configure(self, **settings: str) -> None:
        """Change settings, for the next start or `reload`."""
        self._settings.update(settings)
        settled = {**self._settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        lines = [f"{name} = '{value}'" for name, value in settled.items()]
        self._write(self.data / "postgresql.auto.conf", "\n".join(lines) + "\n")

    def reload(self) -> None:
        """Let the server read its files again, and wait until it has."""
        loaded = "SELECT pg_conf_load_time()"
        before = self.query(loaded)
        self._running.send_signal(signal.SIGHUP)
        self._wait(lambda: self.query(loaded) != before, "the configuration is not read")

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", str(self.data)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, **self._identity(),
            )  # fmt: skip
        end = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < end and self._running.poll() is None:
            lines: list[str] = []
            with suppress(FileNotFoundError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()
            if len(lines) >= 8 and lines[0] == str(self._running.pid) and lines[7].strip() in {"ready", "standby"}:
                return
            time.sleep(0.01)
        raise AssertionError(f"the cluster does not start:\n{self.log.read_text()[-3000:]}")

    def stop(self, mode: str = "fast") -> None:
        """`smart`, `fast` (connections are cut, what is open is rolled back) or `immediate` (as after a crash)."""
        if self._process is None or self._process.poll() is not None:
            return
        self.resume()
        how = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        self._process.send_signal(how)
        self._process.wait(_STARTS_WITHIN)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """SIGKILL to all of it: no connection is told."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._stopped = []
        self._running.wait(_STARTS_WITHIN)

    def pause(self) -> None:
        """SIGSTOP to all of it: it is there, and silent."""
        for _twice in range(2):  # the first round may have missed a process that was just being made
            for process in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
                    self._stopped.append(process)

    def resume(self) -> None:
        for process in self._stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self._stopped = []

    def promote(self) -> None:
        """Make a standby the primary, and wait until it takes writes."""
        self._settings.pop("primary_conninfo", None)
        self.query("SELECT pg_promote(true, 60)")
        self.until("SELECT pg_is_in_recovery()", "f")

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the cluster was not started"
        return self._process

    def processes(self) -> list[int]:
        """The server's process id, then its children's: they are in process groups of their own."""
        server = self._running.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]

    def until(self, statement: str, answer: str, database: str = "postgres") -> None:
        """Ask again until the only answer is this one."""
        self._wait(lambda: self.query(statement, database) == [[answer]], f"{statement} is never {answer}")

    def _wait(self, happened: Callable[[], bool], complaint: str) -> None:
        end = time.monotonic() + _STARTS_WITHIN
        while not happened():
            assert time.monotonic() < end, complaint
            time.sleep(0.02)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        if self._account:
            shutil.chown(path, *self._account)

    def _run(self, name: str, *arguments: str | Path) -> str:
        command = [program(name), *map(str, arguments)]
        ran = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
            check=False, **self._identity(),
        )  # fmt: skip
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        return ran.stdout

    def _identity(self) -> dict[str, Any]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"LC_ALL": "C", "HOME": str(self.folder)}
        if not self._account:
            return {"env": environment}
        user, group = self._account
        return {"env": environment, "user": user, "group": group, "extra_groups": []}


def program(name: str) -> str:
    """The full path of one of PostgreSQL's programs: that of the server's version, if there are several."""
    server = find("initdb")
    beside = Path(server).with_name(name) if server else None
    found = str(beside) if beside is not None and beside.exists() else find(name)
    assert found is not None, f"{name} is not installed"
    return found


@cache
def version() -> int:
    """The server's major version."""
    said = subprocess.run([program("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.partition(") ")[2].split(".")[0].split()[0])


def account() -> tuple[str, int] | None:
    """Whose processes clusters are: (user, group), None for our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return name, pwd.getpwnam(name).pw_gid
    raise AssertionError(f"no account for a cluster beside {getpass.getuser()}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the cluster needs PostgreSQL."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One running cluster for all suites, without fsync. Whoever stops or configures a cluster makes his own."""
    cluster = Cluster.made()
    yield cluster
    cluster.remove()


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    name = postgres.create()
    yield postgres.dsn(name)
    postgres.drop(name)
