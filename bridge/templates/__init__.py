"""Jinja templates that can neither reach into the program nor hold it up.

The text of a template comes from the configuration; alert data is only ever a value in it. The language is Jinja's
without its structure (`include`, `import`, `extends`, `block`, `macro`, `call`, block assignments, recursive loops)
and with closed lists of filters, tests, methods and fields. Most of what is not listed is an error when the template
is compiled, not when an alert comes. What is missing is empty, whatever is asked of it
(`labels.cluster.split('-')[0]` of an alert without `cluster`).

Three budgets bound a rendering: steps (items looped over, work on long values), time, and size. They are checked
between operations, so each single operation is bounded too: no text grows beyond the size limit, no list beyond
`MAX_ITEMS`, lists made in a template do not nest, and filters take no lists as arguments but to choose by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import jinja2
from jinja2 import TemplateSyntaxError, meta
from msgspec import Struct

from bridge.domain.errors import ConfigError
from bridge.templates.budget import Budget, TemplateFailed, running
from bridge.templates.language import Language

__all__ = ["MESSAGE_NAMES", "Template", "TemplateFailed", "Templates"]

MAX_TEMPLATE = 32_768
"""Characters a template's own text may have."""
MESSAGE_NAMES = frozenset(
    [
        "acknowledged_by",
        "actions",
        "alerts",
        "channel",
        "common_annotations",
        "common_labels",
        "default_text",
        "default_title",
        "external_url",
        "fired_and_resolved",
        "firing",
        "group_labels",
        "incident",
        "opened_at",
        "reason",
        "receiver",
        "resolved",
        "route",
        "severity",
        "snoozed_until",
        "source",
        "standing",
        "status",
        "truncated",
    ]
)
"""What a channel's `title` and `text` may name."""
_MAX_FAILURE = 200


class Template(Struct, frozen=True):
    """A compiled template. `text` is its source."""

    text: str
    compiled: jinja2.Template


class Templates:
    """Compiles and renders templates. One instance may be shared by threads and tasks."""

    def __init__(
        self,
        *,
        encode: Callable[[str], str] | None = None,
        steps: int = 100_000,
        seconds: float = 0.5,
        max_size: int = 65_536,
    ) -> None:
        """Sets the budgets of each rendering; `max_size` is in characters.

        `encode` is applied to the result of every expression and not to the text between (a URL's quoting).
        """
        self._language = Language(encode)
        self._steps = steps
        self._seconds = seconds
        self._max_size = max_size
        self._compiled = lru_cache(maxsize=512)(self._compile)

    def compile(self, text: str, names: frozenset[str] | None = None) -> Template:
        """Compiles the text; the same text is compiled once. With `names`, no other variable may be used.

        Raises:
            ConfigError: it is no template in this language; the message names the line.
        """
        return self._compiled(text, names)

    def render(self, template: Template, /, **context: object) -> str:
        """The text of the template for these values.

        Raises:
            TemplateFailed: it went wrong or over a budget.
        """
        token = running.set(Budget(steps=self._steps, seconds=self._seconds, size=self._max_size))
        try:
            return self._joined(template.compiled.root_render_func(template.compiled.new_context(context)))
        except Exception as error:
            raise TemplateFailed(f"{_line_of(error, template.compiled)}{_said(error)}") from error
        finally:
            running.reset(token)

    def _joined(self, parts: Iterable[str]) -> str:
        budget = running.get()
        kept: list[str] = []
        left = self._max_size
        for part in parts:
            budget.spend(1)
            left -= len(part)
            if left < 0:
                raise TemplateFailed(f"the text grows beyond {self._max_size} characters")
            kept.append(part)
        return "".join(kept)

    def _compile(self, text: str, names: frozenset[str] | None) -> Template:
        if len(text) > MAX_TEMPLATE:
            raise ConfigError(f"the template is longer than {MAX_TEMPLATE} characters")
        language = self._language
        try:
            tree = language.parse(text)
            language.check(tree)
            if names is not None:
                _check_names(meta.find_undeclared_variables(tree) - language.globals.keys(), names)
            code = language.compile(language.bounded(tree))
            compiled = language.template_class.from_code(language, code, language.make_globals(None))
        except TemplateSyntaxError as error:
            raise ConfigError(f"the template does not parse: line {error.lineno}: {error.message}") from error
        except (RecursionError, SyntaxError, MemoryError, OverflowError, ValueError) as error:
            raise ConfigError("the template is nested too deeply, or a number in it is too large") from error
        return Template(text, compiled)


def _check_names(used: set[str], known: frozenset[str]) -> None:
    unknown = sorted(used - known)
    if unknown:
        raise ConfigError(
            f"the template names {', '.join(unknown)}, which does not exist; it may name {', '.join(sorted(known))}"
        )


def _line_of(error: BaseException, template: jinja2.Template) -> str:
    """`line 3: `, from the innermost frame of the template's own code."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is template.root_render_func.__code__:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _said(error: BaseException) -> str:
    text = (
        str(error) if isinstance(error, TemplateFailed | jinja2.TemplateError) else f"{type(error).__name__}: {error}"
    )
    return text if len(text) <= _MAX_FAILURE else text[: _MAX_FAILURE - 1] + "…"
