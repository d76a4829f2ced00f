"""The house around the code: make targets, lock files, file sizes, the manual's links and examples."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from bridge.channels.registry import ChannelRegistry
from bridge.config import Loaded, load
from bridge.config.sections import SHAPES
from bridge.hooks.registry import HookRegistry
from tests.workflow_samples import write_samples

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"run", "test", "check", "bench", "faults"}
LOCKS = ("build", "runtime", "dev", "docs")
NOT_OURS = {".git", ".hypothesis", ".venv", "var", "site", "build", "dist", "node_modules"}
PYTHON_HOMES = ("bridge", "tests", "bench")
MAIN = "channels: {console: {type: console}}\n"


@cache
def files() -> tuple[Path, ...]:
    """Every text file of the project, in the checkout and not only in git, so that a new one is judged at once."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in NOT_OURS and not name.endswith(("cache__", "_cache", ".egg-info"))
        ]
        found += [Path(folder, name) for name in names if name not in NOT_OURS]
    return tuple(path for path in sorted(found) if b"\0" not in path.read_bytes()[:4096])


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_has_the_targets_and_explains_them() -> None:
    described = {line.split()[0] for line in make("help").stdout.splitlines()}
    assert described >= TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_target_begins_by_installing_what_it_needs(target: str) -> None:
    plan = make("--dry-run", "--always-make", target)
    assert plan.returncode == 0, plan.stderr
    assert "-m venv .venv" in plan.stdout
    assert "--require-hashes" in plan.stdout
    assert "requirements/runtime.txt" in plan.stdout


def test_the_readme_names_its_two_commands_on_the_first_screen() -> None:
    screen = (ROOT / "README.md").read_text().splitlines()[:40]
    text = "\n".join(screen)
    assert "make run" in text
    assert "make test" in text
    assert "/webhook" in text


def test_every_make_command_of_the_texts_exists() -> None:
    known = {line.split()[0] for line in make("help").stdout.splitlines()}
    for page in pages():
        text = page.read_text()
        blocks = "\n".join(re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL))
        used = {*re.findall(r"`make ([a-z]+)`", text), *re.findall(r"^make ([a-z]+)\b", blocks, re.MULTILINE)}
        assert used <= known, relative(page)


def test_continuous_integration_runs_the_readmes_test_command_and_the_checks() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in script
    assert "make check" in script
    assert "export CI=true" in script


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_pins_with_hashes_and_names_no_host(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = re.findall(r"^[A-Za-z0-9._-]+==\S+ (.*)$", text, re.MULTILINE)
    assert pins
    assert set(pins) == {"\\"}, "a pin without a hash"
    assert not re.search(r"^\s*-(i|f|-index-url|-extra-index-url|-find-links|-trusted-host)\b", text, re.MULTILINE)
    assert not re.search(r"https?://|file:/|^\s*#.* /\w", text, re.MULTILINE)


@pytest.mark.parametrize(("lock", "extra"), [("runtime", None), ("dev", "dev"), ("docs", "docs"), ("dev", None)])
def test_every_dependency_is_in_its_lock(lock: str, extra: str | None) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    names = {_canonical(re.split(r"[<>=!~\[; ]", requirement)[0]) for requirement in wanted}
    assert names <= _pinned(lock).keys()


def test_the_development_lock_has_the_versions_that_run() -> None:
    dev = _pinned("dev")
    assert {name: dev.get(name) for name in _pinned("runtime")} == _pinned("runtime")


def _pinned(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    return {_canonical(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE)}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_source_file_is_longer_than_400_lines() -> None:
    sources = [
        path for path in files() if path.suffix in {".py", ".sql"} and relative(path).split("/")[0] in PYTHON_HOMES
    ]
    assert len(sources) > 50
    assert [relative(path) for path in sources if len(path.read_text().splitlines()) > 400] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    machine = re.compile(r"/(?:home|ro{2}t|Users|work|workspace)/\w|[A-Z]:\\\\Users")
    named = [
        relative(path)
        for path in files()
        if path.suffix != ".json" and machine.search(path.read_text(errors="replace"))
    ]
    assert named == []


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tags = [re.findall(r"newTag: (\S+)", path.read_text()) for path in (ROOT / "k8s").rglob("kustomization.yaml")]
    assert {tag for found in tags for tag in found} == {version}


def test_pre_commit_calls_the_locked_tools_and_fetches_nothing() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["entry"].startswith(".venv/bin/")


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_link_of_the_manual_leads_somewhere() -> None:
    broken = []
    for page in pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            if not found.exists() or (anchor and anchor not in _anchors(found)):
                broken.append(f"{relative(page)}: {target}")
    assert broken == []


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-") for heading in headings}


def test_every_page_is_in_the_manuals_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = set(re.findall(r"[\w/-]+\.md", text))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in there if not page.startswith("decisions/")} == listed - {
        page for page in listed if page.startswith("decisions/")
    }


def examples() -> Iterator[tuple[str, str]]:
    """Every YAML block of the manual; a block with a title is another program's file, one with `---` shows several."""
    for page in pages():
        for number, block in enumerate(re.findall(r"^```ya?ml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)):
            yield f"{relative(page)} block {number + 1}", block


def judge(folder: Path) -> Loaded:
    return load(folder, ChannelRegistry.load(), HookRegistry.load(), {}, {})


@pytest.mark.parametrize(("where", "block"), [pytest.param(*found, id=found[0]) for found in examples()])
def test_every_example_of_the_manual_is_valid(
    where: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block without `route:` is tried beside a main file that has a channel called `console`. Plugin files that a
    block names are the manual's workflows.
    """
    monkeypatch.chdir(tmp_path)
    write_samples(tmp_path / "plugins", mail_port="25", chat_url="http://127.0.0.1:1/", chat_key="x")
    parsed = yaml.safe_load(block)
    assert isinstance(parsed, dict), where
    assert parsed.keys() <= SHAPES.keys(), f"{where}: not our configuration; give the block a title"
    text = block
    if "route" not in parsed:
        text += "\nroute: {receiver: console}\n"
    if "console" not in parsed.get("channels", {}):
        (tmp_path / "channels.yml").write_text(MAIN)
    (tmp_path / "main.yml").write_text(text)
    assert [str(error) for error in judge(tmp_path).errors] == []


@pytest.mark.parametrize("form", ["base", "sidecar"])
def test_the_routes_of_the_manifests_are_valid(form: str) -> None:
    assert judge(ROOT / "k8s" / form / "main.yml").errors == ()


def test_the_default_routes_are_valid_without_a_single_remark() -> None:
    assert judge(ROOT / "routes").problems == ()


@pytest.mark.parametrize("example", sorted((ROOT / "routes" / "examples").glob("*.yml")), ids=lambda path: path.name)
def test_every_worked_example_is_valid(example: Path, tmp_path: Path) -> None:
    """A team's file is tried beside the default main file."""
    (tmp_path / example.name).write_text(example.read_text())
    if "route" not in yaml.safe_load(example.read_text()):
        (tmp_path / "main.yml").write_text((ROOT / "routes" / "main.yml").read_text())
    assert [str(error) for error in judge(tmp_path).errors] == []
