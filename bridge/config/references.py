"""References in options that are no secrets: `env:NAME` and `file:/path` stand for a text that is read at load.

Narrower than for secret fields on purpose: a template such as `file: {{ labels.path }}` stays a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.secrets.references import resolve

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:(?!\s)[^\n\r{]+")


def is_reference(text: str) -> bool:
    """Whether the text is `env:NAME` or `file:/path` and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def look_up(text: str, where: str, environ: Mapping[str, str]) -> str:
    """What the reference stands for. `where` names the option in messages.

    Raises:
        SecretError: the variable is not set, the file cannot be read, or either is empty.
    """
    return resolve(text, where, environ)
