"""One Go template into one Jinja template."""

from __future__ import annotations

from collections.abc import Mapping


class Untranslatable(Exception):  # noqa: N818 - says what the template is
    """The template has no simple counterpart; the message says why."""


class Translator:
    """Knows the named templates of the original's template files."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = named

    def translate(self, text: str) -> str | None:
        """The Jinja template; None if it is nothing but one of Alertmanager's defaults.

        Raises:
            Untranslatable: it has no simple counterpart.
        """
        if "{{" in text:
            raise Untranslatable("templates are not translated yet")
        return text
