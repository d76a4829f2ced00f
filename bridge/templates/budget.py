"""What one rendering may use up: steps, time, and the size of any value.

The budget of the running rendering is found through a context variable, because Jinja calls filters without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from contextvars import ContextVar
from time import monotonic
from typing import TypeVar

from bridge.domain.errors import BridgeError

_T = TypeVar("_T")
MAX_ITEMS = 10_000
"""Items a list or range in a template may have."""
_MAX_BITS = 4096
_CHARACTERS_A_STEP = 64


class TemplateFailed(BridgeError):  # noqa: N818 - reads as the event it is
    """A rendering that went wrong or over a budget. The message names the line; it may quote alert data."""


class Budget:
    """Steps and seconds left, and how many characters any text may have."""

    __slots__ = ("_deadline", "_steps", "size")

    def __init__(self, *, steps: int, seconds: float, size: int) -> None:
        self._steps = steps
        self._deadline = monotonic() + seconds
        self.size = size

    def spend(self, steps: int) -> None:
        """Counts work that is about to be done.

        Raises:
            TemplateFailed: there are no steps or no time left.
        """
        self._steps -= steps
        if self._steps < 0:
            raise TemplateFailed("it takes too many steps")
        if monotonic() > self._deadline:
            raise TemplateFailed("it takes too long")


running: ContextVar[Budget] = ContextVar("template_budget")
"""The budget of the rendering that runs in this context."""


def weight(value: object) -> int:
    """How many steps it takes to go through the value once."""
    if isinstance(value, str):
        return 1 + len(value) // _CHARACTERS_A_STEP
    return 1 + len(value) if isinstance(value, Sized) else 1


def sized(value: _T) -> _T:
    """The value, if it is not too big.

    Raises:
        TemplateFailed: it is.
    """
    if isinstance(value, str):
        if len(value) > running.get().size:
            raise TemplateFailed("a text in it grows too long")
    elif isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise TemplateFailed("a number in it grows too large")
    elif isinstance(value, Sized) and len(value) > MAX_ITEMS:
        raise TemplateFailed("a list in it grows too long")
    return value


def is_container(value: object) -> bool:
    """Whether the value holds others, so that nesting it could multiply."""
    return isinstance(value, Mapping | list | tuple | set | frozenset | range | Iterator)
