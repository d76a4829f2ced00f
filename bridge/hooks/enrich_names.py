"""What `enrich` may add, and what its templates may name."""

from __future__ import annotations

import re

from bridge.domain.errors import ConfigError
from bridge.templates import Templates

_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)

TEMPLATES = Templates()
NAMES = frozenset(
    [
        "annotations",
        "fingerprint",
        "generator_url",
        "group_labels",
        "incident",
        "labels",
        "now",
        "receiver",
        "route",
        "severity",
        "source",
        "starts_at",
        "status",
        "transition",
    ]
)
"""What a template of `enrich` may name."""


def label_name(name: str) -> str:
    """The name, if labels and annotations may be called so.

    Raises:
        ValueError: it is none, or begins with the `__` that is kept for the system.
    """
    if _LABEL.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name for a label: letters, digits and _, not beginning with a digit or __")
    return name


def checked_template(templates: Templates, text: str) -> str:
    """The text, if it compiles.

    Raises:
        ValueError: it does not; the message says where.
    """
    try:
        templates.compile(text, NAMES)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return text
