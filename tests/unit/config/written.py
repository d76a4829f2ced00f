"""Writes configurations and loads them with the channels and hooks that are installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.channels.registry import ChannelRegistry
from bridge.config import Loaded, load
from bridge.config.model import Config
from bridge.hooks.registry import HookRegistry

SMALLEST = """
channels:
  out: {type: console}
route: {receiver: out}
"""


def write(directory: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def load_files(
    directory: Path,
    files: Mapping[str, str],
    last_good: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Writes the files into the directory and loads it."""
    return load_path(write(directory, files), last_good, environ)


def load_path(
    path: Path, last_good: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded:
    return load(path, ChannelRegistry.load(), HookRegistry.load(), last_good, environ or {})


def load_text(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    """Loads one file, `main.yml`."""
    (directory / "main.yml").write_text(text, encoding="utf-8")
    return load_path(directory / "main.yml", environ=environ)


def said(loaded: Loaded) -> list[str]:
    """The problems without directory: `main.yml:1:2: message`."""
    return [str(found).replace(str(Path(found.file).parent) + "/", "") for found in loaded.problems]


def valid(loaded: Loaded) -> Config:
    """The configuration of a load that should have none but warnings."""
    assert loaded.config is not None, said(loaded)
    assert not loaded.errors, said(loaded)
    return loaded.config
