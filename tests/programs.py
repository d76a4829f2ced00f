"""The external programs that some suites need: where they are, and how they are got.

`python -m tests.programs` (part of `make test`) unpacks what is missing from the Debian archive into `.venv/debian`. Unpacking
rather than installing registers no service, touches nothing outside the checkout, and needs root only to refresh
apt's lists. A program that does not run from there, for want of libraries, is installed where we are root. What cannot be
had is named with the suites that will be skipped for it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

UNPACKED = Path(__file__).resolve().parent.parent / ".venv" / "debian"
_APT = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root")
_KUSTOMIZE = re.compile(r"Kustomize Version: v(\d+)\.")


def _runs(_program: str) -> bool:
    return True


def _has_kustomize_5(kubectl: str) -> bool:
    """Kubectl before 1.27 renders with an older kustomize, which does not know what `k8s/` uses."""
    answer = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, timeout=60, check=False)
    found = _KUSTOMIZE.search(answer.stdout)
    return found is not None and int(found[1]) >= 5


def _is_14_or_newer(program: str) -> bool:
    """Whether a program of PostgreSQL runs, and is new enough."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
    return found is not None and int(found[1]) >= 14


def _has_its_templates(_program: str) -> bool:
    """Debian's Alertmanager reads its default templates from where the package puts them, and from nowhere else."""
    return Path("/usr/share/prometheus/alertmanager/default.tmpl").is_file()


def _tells_its_version(program: str) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).returncode == 0


def _traces(strace: str) -> bool:
    """A container may forbid it, and an unpacked strace may lack a library."""
    ran = subprocess.run([strace, "-f", "-o", os.devnull, "true"], capture_output=True, timeout=60, check=False)
    return ran.returncode == 0


@dataclass(frozen=True)
class Need:
    """What one marked suite needs: its marker, the programs, the Debian package they are in, and what makes one fit.

    `whole`: the package works only where it is installed with what it depends on.
    """

    marker: str
    programs: tuple[str, ...]
    package: str
    version: str
    fits: Callable[[str], bool] = _runs
    whole: bool = False

    def missing(self) -> str:
        """Why the suite cannot run here; empty if it can."""
        for program in self.programs:
            found = find(program)
            if found is None:
                return f"{program} is not installed (Debian package {self.package}{self.version})"
            if not self.fits(found):
                return f"{found} is too old (needed: {self.package}{self.version}), or not all of its package is there"
        return ""


NEEDS = (
    Need(
        "alertmanager",
        ("prometheus-alertmanager", "amtool"),
        "prometheus-alertmanager",
        "",
        _has_its_templates,
        whole=True,
    ),
    Need("kubectl", ("kubectl",), "kubernetes-client", " >= 1.27", _has_kustomize_5),
    Need(
        "postgres", ("initdb", "postgres", "pg_basebackup", "psql"), "postgresql", " >= 14", _is_14_or_newer, whole=True
    ),
    Need("pgbouncer", ("pgbouncer",), "pgbouncer", "", _tells_its_version),
    Need("prometheus", ("prometheus",), "prometheus", "", _tells_its_version),
    Need("strace", ("strace",), "strace", ", allowed to trace", _traces),
)


def search_path() -> str:
    """PATH, then where `make test` unpacks, then where Debian keeps a PostgreSQL server's programs (newest first)."""
    servers = [folder for root in (Path("/"), UNPACKED) for folder in root.glob("usr/lib/postgresql/*/bin")]
    servers.sort(key=lambda folder: float(folder.parent.name), reverse=True)
    folders = [UNPACKED / "usr" / "bin", UNPACKED / "usr" / "sbin", *servers]
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, folders), "/usr/sbin"])


def find(program: str) -> str | None:
    """The full path of a program; None if it is not on this machine."""
    return shutil.which(program, path=search_path())


def _unpack(package: str) -> str:
    """Download a package from the Debian archive and unpack it; the reason if that was not possible."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "this machine has no apt"
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=UNPACKED) as folder:
        download = [*_APT, "download", package]
        result = subprocess.run(download, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode and os.geteuid() == 0:
            subprocess.run([*_APT, "update"], capture_output=True, check=False)
            result = subprocess.run(download, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            return (result.stderr.strip().splitlines() or ["apt-get failed"])[-1]
        for archive in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(archive), str(UNPACKED)], check=True)
    return ""


def _install(package: str) -> str:
    """Install a package from the Debian archive, with what it depends on; the reason if that was not possible."""
    if shutil.which("apt-get") is None:
        return "this machine has no apt"
    install = [*_APT, "install", "-y", "--no-install-recommends", package]
    result = subprocess.run(install, capture_output=True, text=True, check=False)
    return (result.stderr.strip().splitlines() or ["apt-get failed"])[-1] if result.returncode else ""


def main() -> None:
    """Get what is missing; say what stays missing. Never fails: the tests decide whether a skip is allowed."""
    for need in NEEDS:
        if not need.missing():
            continue
        problem = "" if need.whole else _unpack(need.package)
        if need.missing() and os.geteuid() == 0:
            problem = _install(need.package) or problem  # it needs libraries that are in other packages
        if missing := need.missing():
            reason = f"{missing}; {problem}" if problem else missing
            sys.stderr.write(f"the {need.marker} suite will be skipped: {reason}\n")


if __name__ == "__main__":
    main()
