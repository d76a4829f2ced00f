"""The language of templates: Jinja's immutable sandbox with closed lists instead of open ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import BuiltinMethodType
from typing import Any, cast

from jinja2 import ChainableUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.visitor import NodeTransformer
from msgspec import Struct

from bridge.templates.budget import running, sized, weight
from bridge.templates.operations import (
    ALL_FILTERS,
    CONCAT,
    COUNTED,
    FLAT,
    OPERATORS,
    bounded_range,
    replace,
    text_of,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TESTS = _words(
    "!= < <= == > >= boolean defined divisibleby eq even false float ge gt in integer le lower lt mapping ne none "
    "number odd sequence string true undefined upper"
)
_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign, nodes.With, nodes.Name,
    nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter,
    nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand,
    nodes.BinExpr, nodes.UnaryExpr,
)  # fmt: skip
_READABLE: tuple[tuple[type, frozenset[str]], ...] = (
    (Mapping, _words("get items keys values")),
    (
        str,
        _words(
            "capitalize casefold count endswith find isalnum isalpha isdigit islower isupper lower lstrip partition "
            "removeprefix removesuffix replace rpartition rsplit rstrip split splitlines startswith strip swapcase "
            "title upper"
        ),
    ),
    (datetime, _words("day hour isoformat minute month second strftime timestamp weekday year")),
    (timedelta, _words("days seconds total_seconds")),
    (
        LoopContext,
        _words("changed cycle first index index0 last length nextitem previtem revindex revindex0"),
    ),
    (tuple, frozenset(("grouper", "list"))),  # what groupby gives
)


class Language(ImmutableSandboxedEnvironment):
    """What templates are compiled in and what their values are reached through."""

    intercepted_binops = frozenset(OPERATORS)

    def __init__(self, encode: Callable[[str], str] | None) -> None:
        """`encode` is applied to the text of every expression."""
        super().__init__(undefined=_Missing, autoescape=False, optimized=False, keep_trailing_newline=True)
        self.globals = {"range": bounded_range}
        self.filters = dict(ALL_FILTERS)
        self.tests = {name: TESTS[name] for name in _TESTS}

        @pass_context  # so that Jinja does not compute constants while compiling, where there is no budget
        def finalize(_context: Context, value: object) -> str:
            text = text_of(value)
            return text if encode is None else encode(text)

        self.finalize = finalize

    def check(self, tree: nodes.Template) -> None:
        """Refuses what is not in the language.

        Raises:
            TemplateSyntaxError: with the line of the first such place.
        """
        for node in tree.find_all(nodes.Node):
            fault = self._fault(node)
            if fault:
                # Scopes have no line of their own; what stands in them has.
                lines = [child.lineno for child in node.find_all(nodes.Node) if child.lineno]
                raise TemplateSyntaxError(fault, node.lineno or (lines[0] if lines else tree.lineno))

    def _fault(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Filter) and node.name not in self.filters:
            return f"there is no filter {node.name!r}"
        if isinstance(node, nodes.Test) and node.name not in self.tests:
            return f"there is no test {node.name!r}"
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            return f"{node.attr!r} cannot be read"
        if not isinstance(node, _NODES) or (isinstance(node, nodes.For) and node.recursive):
            return f"a {type(node).__name__.lower()} of this form is not part of the language"
        return ""

    def bounded(self, tree: nodes.Template) -> nodes.Template:
        """The tree with the bounds put in where Jinja has no hook for them."""
        bounded: nodes.Template = _Bounding().visit(tree)
        return bounded

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if _readable(obj, attribute):
            return getattr(obj, attribute)
        if obj is None or isinstance(obj, Mapping | Undefined):
            return self.undefined(obj=obj, name=attribute)
        raise SecurityError(f"{attribute!r} of a {type(obj).__name__} cannot be read")

    def getitem(self, obj: Any, argument: Any) -> Any:
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.getattr(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj, name=argument)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(obj, "__self__", None)
        running.get().spend(weight(owner))
        if isinstance(obj, BuiltinMethodType) and isinstance(owner, str) and obj.__name__ == "replace":
            return replace(owner, *args)
        return sized(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        del context
        return sized(OPERATORS[operator](left, right))


class _Missing(ChainableUndefined):
    """Whatever is asked of a missing value is missing too; printed, it is empty."""

    __slots__ = ()

    def __call__(self, *_args: object, **_kwargs: object) -> Any:
        return self


class _Bounding(NodeTransformer):
    """Wraps what loops go over, `~`, and literals of lists in the filters that bound them."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - found by this name
        self.generic_visit(node)
        node.iter = _filtered(node.iter, COUNTED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), CONCAT)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(node, FLAT)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(node, FLAT)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(node, FLAT) if node.ctx == "load" else node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, [], [], None, None, lineno=node.lineno)


def _readable(value: object, name: str) -> bool:
    if isinstance(value, Struct):
        return not name.startswith("_") and hasattr(value, name) and not callable(getattr(value, name))
    return any(name in names for kind, names in _READABLE if isinstance(value, kind)) and hasattr(value, name)
