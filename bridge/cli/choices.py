"""Options whose values are a closed set: another word is wrong usage, said before anything is asked or read."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from bridge.config.problems import did_you_mean


def chosen(option: str, values: Iterable[str] | None, known: Iterable[str]) -> tuple[str, ...]:
    """The values as they are.

    Raises:
        typer.BadParameter: one of them is unknown; the message has those that are known.
    """
    words, given = tuple(map(str, known)), tuple(values or ())
    for value in given:
        if value not in words:
            near = did_you_mean(value, words) if len(words) > 8 else ""
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(words)}{near}", param_hint=option)
    return given
