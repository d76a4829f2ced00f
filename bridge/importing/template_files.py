"""The files that `templates:` lists: their named templates are written out where they are used."""

from __future__ import annotations

from glob import glob
from pathlib import Path

from bridge.importing.gotemplate.parser import parse
from bridge.importing.gotemplate.translate import Translator
from bridge.importing.gotemplate.tree import Node, Untranslatable
from bridge.importing.ledger import Place

MAX_BYTES = 4 << 20


def read_templates(place: Place | None, home: Path) -> Translator:
    """A translator that knows the named templates; patterns that are no absolute paths begin at `home`."""
    named: dict[str, tuple[Node, ...]] = {}
    for pattern in place.items() if place is not None else []:
        files = sorted(glob(str(home / pattern.text())))  # noqa: PTH207 - the pattern may be an absolute path
        faults = [fault for file in files if (fault := _read(Path(file), named))]
        if faults:
            pattern.left("; ".join(faults), "what uses a template of it is listed where it is used")
        elif files:
            pattern.noted(f"read: {', '.join(files)}; templates are written out where they are used")
        else:
            pattern.noted("no such file is there; what uses a template of it is listed where it is used")
    return Translator(named)


def _read(file: Path, named: dict[str, tuple[Node, ...]]) -> str:
    """What is wrong with the file; its templates are added to `named` if nothing is."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES).decode()
        named |= parse(text).named
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return f"{file} is not UTF-8 text"
    except Untranslatable as error:
        return f"{file} is not understood: {error}"
    return ""
