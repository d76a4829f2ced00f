"""One Go template into one Jinja template.

Variables are replaced by what they stand for: alert data never changes while a message is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bridge.domain.errors import ConfigError
from bridge.importing.gotemplate.functions import call
from bridge.importing.gotemplate.parser import parse
from bridge.importing.gotemplate.tree import (
    DOT,
    Branch,
    Call,
    Chain,
    Function,
    Literal,
    Node,
    Operand,
    Pipe,
    Print,
    Text,
    Untranslatable,
)
from bridge.importing.gotemplate.values import NIL, ROOT, Value, field, iterated, printed, string, truth
from bridge.secrets.references import Form, form_of
from bridge.templates import MESSAGE_NAMES, Templates

__all__ = ["Translator", "Untranslatable"]

MAX_DEEP = 12
MAX_CALLS = 1000
MAX_SIZE = 32_000
_TITLES = frozenset(
    (
        "__subject", "slack.default.title", "slack.default.fallback", "pagerduty.default.description",
        "email.default.subject", "opsgenie.default.message", "pushover.default.title",
        "victorops.default.entity_display_name", "sns.default.subject", "discord.default.title",
        "msteams.default.summary", "msteams.default.title", "msteamsv2.default.title", "jira.default.summary",
        "rocketchat.default.title", "mattermost.default.fallback", "incidentio.default.title",
    )
)  # fmt: skip
_TEXTS = frozenset(
    (
        "__text_alert_list", "__text_alert_list_markdown", "email.default.html", "pagerduty.default.instances",
        "opsgenie.default.description", "wechat.default.message", "pushover.default.message",
        "victorops.default.state_message", "sns.default.message", "telegram.default.message",
        "discord.default.message", "webex.default.message", "msteams.default.text", "msteamsv2.default.text",
        "jira.default.description", "rocketchat.default.text", "mattermost.default.text",
    )
)  # fmt: skip
_EMPTY = frozenset(
    (
        "__description", "slack.default.text", "slack.default.pretext", "slack.default.iconemoji",
        "slack.default.iconurl", "slack.default.footer", "slack.default.callbackid",
    )
)  # fmt: skip
_OPENING = re.compile(r"\{(?=[{%#]|\Z)")
_ALONE = re.compile(r'\s*\{\{-?\s*template\s+"[\w.]+\.default\.\w+"\s+\.\s*-?\}\}\s*')
_Scope = dict[str, Value]


class Translator:
    """Knows the named templates of the original's template files."""

    def __init__(self, named: Mapping[str, tuple[Node, ...]]) -> None:
        self._named = named
        self._templates = Templates()

    @classmethod
    def reading(cls, files: Iterable[str]) -> Translator:
        """With the named templates of these texts.

        Raises:
            Untranslatable: one of them is no template.
        """
        named: dict[str, tuple[Node, ...]] = {}
        for text in files:
            named |= parse(text).named
        return cls(named)

    def is_default(self, text: str) -> bool:
        """Whether the template is empty, or nothing but one of Alertmanager's defaults."""
        return not text or _ALONE.fullmatch(text) is not None

    def translate(self, text: str) -> str:
        """The Jinja template, for which the bridge's own words are `default_title` and `default_text`.

        Raises:
            Untranslatable: it has no simple counterpart.
        """
        parsed = parse(text)
        emitter = _Emitter({**self._named, **parsed.named})
        jinja = emitter.nodes(parsed.nodes, ROOT, {"$": ROOT}, 0)
        if form_of(jinja) is not Form.PLAIN:
            jinja = '{{ "" }}' + jinja
        try:
            self._templates.compile(jinja, MESSAGE_NAMES)
        except ConfigError as error:
            raise Untranslatable(str(error)) from error
        return jinja


class _Emitter:
    def __init__(self, named: Mapping[str, tuple[Node, ...]]) -> None:
        self._named = named
        self._loops = 0
        self._calls = 0

    def nodes(self, nodes: tuple[Node, ...], dot: Value, scope: _Scope, calls: int) -> str:
        """The Jinja text. `scope` is this block's own: what is declared in it ends with it."""
        outer = frozenset(scope)
        text = ""
        for node in nodes:
            match node:
                case Text():
                    text += _OPENING.sub('{{ "{" }}', node.text)
                case Print():
                    text += self._print(node.pipe, dot, scope, outer)
                case Branch(kind="range"):
                    text += self._range(node, dot, scope, calls)
                case Branch():
                    text += self._if(node, dot, scope, calls)
                case Call():
                    text += self._call(node, dot, scope, calls)
            if len(text) > MAX_SIZE:
                raise Untranslatable("written out it is too long")
        return text

    def _print(self, pipe: Pipe, dot: Value, scope: _Scope, outer: frozenset[str]) -> str:
        value = self._value(pipe, dot, scope)
        if not pipe.variables:
            return f"{{{{ {printed(value)} }}}}"
        (name,) = pipe.variables if len(pipe.variables) == 1 else ("",)
        if not name or (pipe.assigns and (name not in scope or name in outer)):
            raise Untranslatable("a variable that changes has no counterpart")
        if len(value.code) > MAX_SIZE:
            raise Untranslatable("written out it is too long")
        scope[name] = value
        return ""

    def _if(self, node: Branch, dot: Value, scope: _Scope, calls: int) -> str:
        value = self._value(node.pipe, dot, scope)
        inner = dict(scope)
        if len(node.pipe.variables) > 1 or node.pipe.assigns:
            raise Untranslatable("a variable that changes has no counterpart")
        inner |= dict.fromkeys(node.pipe.variables, value)
        body = self.nodes(node.body, value if node.kind == "with" else dot, inner, calls)
        otherwise = self.nodes(node.otherwise, dot, dict(scope), calls)
        middle = f"{{% else %}}{otherwise}" if otherwise else ""
        return f"{{% if {truth(value)} %}}{body}{middle}{{% endif %}}"

    def _range(self, node: Branch, dot: Value, scope: _Scope, calls: int) -> str:
        value = self._value(node.pipe, dot, scope)
        items = iterated(value)
        self._loops += 1
        number = self._loops
        key = Value("number", f"i{number}")
        names, before = f"e{number}", f"{{% set i{number} = loop.index0 %}}"
        match value.kind:
            case "alerts":
                element = Value("alert", names)
            case "pairs":
                element = Value("pair", names)
            case "strings":
                element = Value("string", names)
            case _:
                key, element, before = Value("string", f"k{number}"), Value("string", f"e{number}"), ""
                names = f"k{number}, e{number}"
        variables = node.pipe.variables
        if node.pipe.assigns or len(variables) > 2:
            raise Untranslatable("a variable that changes has no counterpart")
        inner = {**scope, **dict(zip(variables[-1:], [element], strict=False))}
        if len(variables) == 2:
            inner[variables[0]] = key
        else:
            before = ""
        body = self.nodes(node.body, element, inner, calls)
        otherwise = self.nodes(node.otherwise, dot, dict(scope), calls)
        middle = f"{{% else %}}{otherwise}" if otherwise else ""
        return f"{{% for {names} in {items} %}}{before}{body}{middle}{{% endfor %}}"

    def _call(self, node: Call, dot: Value, scope: _Scope, calls: int) -> str:
        given = NIL if node.pipe is None else self._value(node.pipe, dot, scope)
        if node.name in self._named:
            self._calls += 1
            if calls >= MAX_DEEP or self._calls > MAX_CALLS:
                raise Untranslatable("templates that call each other so often have no counterpart")
            return self.nodes(self._named[node.name], given, {"$": given}, calls + 1)
        if node.name in _TITLES:
            return "{{ default_title }}"
        if node.name in _TEXTS:
            return "{{ default_text }}"
        if node.name in _EMPTY:
            return ""
        if node.name == "__alertmanagerURL" or node.name.endswith((".titlelink", ".default.clientURL")):
            return "{{ external_url }}"
        raise Untranslatable(f"there is no template {node.name!r}")

    def _value(self, pipe: Pipe, dot: Value, scope: _Scope) -> Value:
        value: Value | None = None
        for command in pipe.commands:
            value = self._command(command, dot, scope, () if value is None else (value,))
        assert value is not None, "a pipeline has a command"  # noqa: S101 - for the type checker
        return value

    def _command(self, command: tuple[Operand, ...], dot: Value, scope: _Scope, piped: tuple[Value, ...]) -> Value:
        head, *rest = command
        arguments = (*(self._operand(operand, dot, scope, ()) for operand in rest), *piped)
        if isinstance(head, Function):
            return call(head.name, arguments)
        if isinstance(head, Literal) and arguments:
            raise Untranslatable("a value takes no arguments")
        return self._operand(head, dot, scope, arguments)

    def _operand(self, operand: Operand, dot: Value, scope: _Scope, arguments: tuple[Value, ...]) -> Value:
        match operand:
            case Function():
                return call(operand.name, ())
            case Literal(str() as text):
                return string(text)
            case Literal(bool() as flag):
                return Value("bool", "true" if flag else "false")
            case Literal(None):
                return NIL
            case Literal():
                return Value("number", str(operand.value))
            case Chain():
                return self._chain(operand, dot, scope, arguments)

    def _chain(self, chain: Chain, dot: Value, scope: _Scope, arguments: tuple[Value, ...]) -> Value:
        if isinstance(chain.start, Pipe):
            value = self._value(chain.start, dot, scope)
        elif chain.start == DOT:
            value = dot
        elif chain.start in scope:
            value = scope[chain.start]
        else:
            raise Untranslatable(f"there is no variable {chain.start}")
        if not chain.fields and arguments:
            raise Untranslatable("a value takes no arguments")
        for index, name in enumerate(chain.fields):
            value = field(value, name, arguments if index == len(chain.fields) - 1 else ())
        return value
