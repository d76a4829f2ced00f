"""What a label set may be, and how one is cleaned."""

from __future__ import annotations

MAX_LABELS = 256
MAX_NAME = 1024
MAX_VALUE = 16_384
"""Characters. Alertmanager has no limits; these are far above what it carries in practice."""

NUL = "\0"
NUL_IN_JSON = b"\\u0000"  # a NUL cannot stand in JSON in another way


def without_nul(labels: dict[str, str]) -> dict[str, str]:
    """A copy without NUL characters, which databases refuse in text."""
    return {name.replace(NUL, ""): value.replace(NUL, "") for name, value in labels.items()}


def without_empty(labels: dict[str, str]) -> dict[str, str]:
    """The labels that have a value: an empty one means that the label is absent."""
    if "" in labels.values():
        return {name: value for name, value in labels.items() if value}
    return labels


def find_problem(labels: dict[str, str], size: int) -> str:
    """What is wrong with a label set, empty if nothing. `size` is how many bytes of JSON it came in, at least."""
    if len(labels) > MAX_LABELS:
        return f"has {len(labels)} entries; at most {MAX_LABELS} are taken"
    if "" in labels:
        return "has an entry without a name"
    if size > MAX_NAME and any(len(name) > MAX_NAME for name in labels):
        return f"has a name of more than {MAX_NAME} characters"
    if size > MAX_VALUE and any(len(value) > MAX_VALUE for value in labels.values()):
        return f"has a value of more than {MAX_VALUE} characters"
    return ""
