"""Runs a Dockerfile's steps without a container engine, each stage in a scratch directory that stands for its root.

What an engine would isolate is approximated: absolute paths that the Dockerfile itself names are moved below the
scratch root, and the base image is a fresh virtual environment. Ownership, layers and the base system are not
modelled.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pip
from dockerfile_parse import DockerfileParser

_OWN_DIRECTORIES = re.compile(r"(?<![\w./-])/(?=(?:build|opt/alertbridge|empty|var/lib/alertbridge|etc/alertbridge)\b)")


@dataclass
class Stage:
    """One stage: its files, its environment, and what it says of the container to be run."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    settings: dict[str, str] = field(default_factory=dict)

    def outside(self, path: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / PurePosixPath("/", self.workdir, path).relative_to("/")

    def moved(self, text: str) -> str:
        """The text with the image's own directories moved below the scratch root."""
        return _OWN_DIRECTORIES.sub(lambda _: f"{self.root}/", text)

    def command(self, instruction: str) -> list[str]:
        """The command of ENTRYPOINT, CMD or HEALTHCHECK, all of which are written as lists here."""
        text = self.settings[instruction]
        command: list[str] = json.loads(text[text.index("[") :])
        return command


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, value) in order, comments left out."""
    with dockerfile.open("rb") as content:
        structure = DockerfileParser(fileobj=content).structure
    return [(step["instruction"], step["value"]) for step in structure if step["instruction"] != "COMMENT"]


def _make_base(folder: Path) -> None:
    """Python and pip, as the base image has them. Our own pip is copied: unpacking Python's takes seconds."""
    venv.create(folder, symlinks=True, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    shutil.copytree(Path(pip.__file__).parent, packages / "pip")


class Build:
    """The stages of one Dockerfile, built on construction; the last one is the image."""

    def __init__(self, dockerfile: Path, scratch: Path) -> None:
        self.stages: list[tuple[str, Stage]] = []
        self.ran: list[str] = []
        self._context = dockerfile.parent
        self._scratch = scratch
        self._ignore = [
            line for line in (self._context / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}
        ]
        _make_base(scratch / "base")
        for instruction, value in instructions(dockerfile):
            self._step(instruction, value)

    @property
    def image(self) -> Stage:
        return self.stages[-1][1]

    def environment(self, stage: Stage) -> dict[str, str]:
        """The stage's variables over a bare environment that keeps only how pip reaches its index."""
        base = f"{self._scratch / 'base' / 'bin'}{os.pathsep}{os.defpath}"
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("PIP_") or name.endswith(("_proxy", "_PROXY"))
        }
        own = {name: stage.moved(value.replace("$PATH", base)) for name, value in stage.env.items()}
        own.pop("PIP_NO_CACHE_DIR", None)  # what this machine has downloaded before need not be fetched again
        return {"PATH": base, "HOME": str(Path.home()), **kept, **own}

    def run(self, stage: Stage, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as a container of that stage would."""
        return subprocess.run(
            [stage.moved(argument) for argument in command],
            cwd=stage.outside("."),
            env=self.environment(stage),
            capture_output=True,
            text=True,
            check=False,
        )

    def _step(self, instruction: str, value: str) -> None:
        if instruction == "FROM":
            name = value.partition(" AS ")[2] or "image"
            root = self._scratch / name
            root.mkdir()
            self.stages.append((name, Stage(root)))
        elif self.stages:
            stage = self.image
            match instruction:
                case "ENV":
                    stage.env.update(pair.split("=", 1) for pair in shlex.split(value))
                case "WORKDIR":
                    stage.workdir = value
                    stage.outside(".").mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(stage, shlex.split(value))
                case "RUN":
                    result = self.run(stage, ["/bin/sh", "-c", value])
                    assert result.returncode == 0, f"RUN {value}\n{result.stdout}\n{result.stderr}"
                    self.ran.append(value)
                case _:
                    stage.settings[instruction] = value

    def _copy(self, stage: Stage, words: list[str]) -> None:
        options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        origin = dict(self.stages).get(options.get("from", ""))
        for source in sources:
            found = origin.outside(source) if origin else self._context / source
            assert found.exists(), f"COPY {source}: not there"
            assert origin or self._sent(found), f"COPY {source}: kept out by .dockerignore"
            inside = stage.outside(target)
            if found.is_dir():
                shutil.copytree(found, inside, dirs_exist_ok=True, ignore=None if origin else self._left_out)
            else:
                inside = inside / found.name if target.endswith("/") else inside
                inside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, inside)

    def _left_out(self, folder: str, names: list[str]) -> set[str]:
        return {name for name in names if not self._sent(Path(folder, name))}

    def _sent(self, path: Path) -> bool:
        """Whether .dockerignore lets a file of the context through: the last pattern that matches it decides."""
        relative = path.relative_to(self._context)
        candidates = [str(part) for part in (relative, *relative.parents)]
        sent = True
        for line in self._ignore:
            pattern = line.removeprefix("!").rstrip("/")
            forms = {pattern, pattern.removeprefix("**/")}
            if any(fnmatch.fnmatchcase(candidate, form) for candidate in candidates for form in forms):
                sent = line.startswith("!")
        return sent
