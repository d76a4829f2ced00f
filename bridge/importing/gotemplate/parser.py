"""Reads the pieces of a Go template into a tree."""

from __future__ import annotations

import ast

from bridge.importing.gotemplate.lexer import Token, pieces
from bridge.importing.gotemplate.tree import (
    DOT,
    Branch,
    Call,
    Chain,
    Function,
    Literal,
    Node,
    Operand,
    Parsed,
    Pipe,
    Print,
    Text,
    Untranslatable,
)

MAX_DEPTH = 50
_BRANCHES = frozenset({"if", "with", "range"})
_UNKNOWN = frozenset({"break", "continue"})
_CONSTANTS = {"true": True, "false": False, "nil": None}


def parse(source: str) -> Parsed:
    """The tree of a template.

    Raises:
        Untranslatable: it does not parse, or has what is not known here.
    """
    parser = _Parser(source)
    nodes, end = parser.nodes(0)
    if end:
        raise Untranslatable(f"{{{{ {end} }}}} stands alone")
    return Parsed(nodes, parser.named)


class _Parser:
    def __init__(self, source: str) -> None:
        self._pieces = pieces(source)
        self._rest = _Reader(())
        self.named: dict[str, tuple[Node, ...]] = {}

    def nodes(self, depth: int) -> tuple[tuple[Node, ...], str]:
        """What stands up to `end` or `else`, and which of them it was; empty at the end of the text."""
        if depth > MAX_DEPTH:
            raise Untranslatable("it is nested too deeply")
        found: list[Node] = []
        for piece in self._pieces:
            if isinstance(piece, str):
                found.append(Text(piece))
                continue
            reader = _Reader(piece.tokens)
            word = reader.word()
            if word == "end":
                return tuple(found), "end"
            if word == "else":
                self._rest = reader
                return tuple(found), "else"
            found += self._node(word, reader, depth)
        return tuple(found), ""

    def _node(self, word: str, reader: _Reader, depth: int) -> list[Node]:
        if word in _UNKNOWN:
            raise Untranslatable(f"{word} has no counterpart")
        if word in _BRANCHES:
            reader.skip()
            return [self._branch(word, reader, depth)]
        if word == "define":
            reader.skip()
            name = reader.name()
            self.named[name] = self._closed(depth)
            return []
        if word in {"template", "block"}:
            reader.skip()
            name = reader.name()
            pipe = None if reader.done else reader.pipe()
            if word == "block":
                body = self._closed(depth)
                self.named.setdefault(name, body)
            return [Call(name, pipe)]
        return [Print(reader.pipe())]

    def _closed(self, depth: int) -> tuple[Node, ...]:
        body, end = self.nodes(depth + 1)
        if end != "end":
            raise Untranslatable("a block has no end")
        return body

    def _branch(self, kind: str, reader: _Reader, depth: int) -> Branch:
        pipe = reader.pipe()
        body, end = self.nodes(depth + 1)
        otherwise: tuple[Node, ...] = ()
        if end == "else":
            rest = self._rest
            rest.skip()
            if rest.word() == "if" and kind == "if":
                rest.skip()
                return Branch(kind, pipe, body, (self._branch("if", rest, depth + 1),))
            if not rest.done:
                raise Untranslatable("an else of this form has no counterpart")
            otherwise, end = self.nodes(depth + 1)
        if end != "end":
            raise Untranslatable(f"a {kind} has no end")
        return Branch(kind, pipe, body, otherwise)


class _Reader:
    """Reads the tokens of one action."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    def word(self) -> str:
        token = self._peek()
        return token.text if token is not None and token.kind == "word" else ""

    def skip(self) -> None:
        self._at += 1

    def name(self) -> str:
        token = self._take()
        if token.kind not in {"string", "raw"}:
            raise Untranslatable("the name of a template is a text")
        return _string(token)

    def pipe(self) -> Pipe:
        """The rest of the action."""
        found = self._pipe()
        if self._peek() is not None:
            raise Untranslatable(f"{self._take().text!r} is not understood")
        return found

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _take(self) -> Token:
        token = self._peek()
        if token is None:
            raise Untranslatable("an action ends too early")
        self._at += 1
        return token

    def _pipe(self) -> Pipe:
        variables, assigns = self._variables()
        commands = [self._command()]
        while (token := self._peek()) is not None and token.text == "|" and token.kind == "mark":
            self._at += 1
            commands.append(self._command())
        return Pipe(tuple(commands), variables, assigns)

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        """`$x :=`, `$x =`, `$i, $x :=`; nothing read if none of them stands there."""
        names: list[str] = []
        ahead = 0
        while (token := self._peek(ahead)) is not None and token.kind == "variable":
            names.append(token.text)
            following = self._peek(ahead + 1)
            if following is None:
                break
            if following.kind in {"declare", "assign"}:
                self._at += ahead + 2
                return tuple(names), following.kind == "assign"
            if following.text != ",":
                break
            ahead += 2
        return (), False

    def _command(self) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while (token := self._peek()) is not None and not (token.kind == "mark" and token.text in {"|", ")"}):
            operands.append(self._operand())
        if not operands:
            raise Untranslatable("a command is empty")
        return tuple(operands)

    def _operand(self) -> Operand:
        token = self._take()
        if token.text == "(":
            return self._bracket()
        operand = _simple(token)
        if operand is None:
            raise Untranslatable(f"{token.text!r} is not understood")
        if isinstance(operand, Chain) and token.kind != "dot":
            return Chain(operand.start, (*operand.fields, *self._fields()))
        return operand

    def _bracket(self) -> Operand:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Untranslatable("it is nested too deeply")
        inner = self._pipe()
        if self._take().text != ")":
            raise Untranslatable("a bracket is not closed")
        self._depth -= 1
        return Chain(inner, self._fields())

    def _fields(self) -> tuple[str, ...]:
        names = []
        while (token := self._peek()) is not None and token.kind == "field" and not token.spaced:
            names.append(self._take().text[1:])
        return tuple(names)


def _simple(token: Token) -> Operand | None:
    """What one token is; of a chain the beginning."""
    found: Operand | None = None
    match token.kind:
        case "string" | "raw":
            found = Literal(_string(token))
        case "number":
            found = Literal(float(token.text) if "." in token.text else int(token.text))
        case "word":
            found = Literal(_CONSTANTS[token.text]) if token.text in _CONSTANTS else Function(token.text)
        case "dot":
            found = Chain(DOT)
        case "field":
            found = Chain(DOT, (token.text[1:],))
        case "variable":
            found = Chain(token.text)
    return found


def _string(token: Token) -> str:
    if token.kind == "raw":
        return token.text[1:-1].replace("\r", "")
    try:
        text = ast.literal_eval(token.text)  # the escapes of Go's strings are among Python's
    except (ValueError, SyntaxError) as error:
        raise Untranslatable(f"{token.text} is no text") from error
    return str(text)
