"""Go templates as trees."""

from __future__ import annotations

from msgspec import Struct


class Untranslatable(Exception):  # noqa: N818 - says what the template is
    """The template has no simple counterpart; the message says why."""


class Literal(Struct, frozen=True):
    value: str | int | float | bool | None


class Function(Struct, frozen=True):
    name: str


class Chain(Struct, frozen=True):
    """Fields of something: of the dot (`.A.B`), of a variable (`$x.A`, `$` is the whole), of a pipeline in brackets."""

    start: str | Pipe
    fields: tuple[str, ...] = ()


Operand = Literal | Function | Chain


class Pipe(Struct, frozen=True):
    """Commands, each with its operands, and the variables that get the value: declared anew or assigned."""

    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False


class Text(Struct, frozen=True):
    text: str


class Print(Struct, frozen=True):
    pipe: Pipe


class Branch(Struct, frozen=True):
    """`if`, `with` or `range`."""

    kind: str
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


class Call(Struct, frozen=True):
    """`{{ template "name" pipeline }}`."""

    name: str
    pipe: Pipe | None


Node = Text | Print | Branch | Call

DOT = "."
"""The start of a chain that is not a variable."""


class Parsed(Struct, frozen=True):
    """What prints, and the named templates defined beside it."""

    nodes: tuple[Node, ...]
    named: dict[str, tuple[Node, ...]]
