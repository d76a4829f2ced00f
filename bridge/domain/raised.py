"""What an error of somebody else's code says, in one text."""

from __future__ import annotations


def why(error: BaseException) -> str:
    """Type, text, and the line that raised it; an error whose own text cannot be had is told by its type."""
    name = type(error).__name__
    try:
        said = str(error)
    except BaseException as second:  # noqa: BLE001 - it is foreign code, and its text is only a courtesy
        said = f"its text raised {type(second).__name__}"
    text = f"{name}: {said}" if said else name
    if isinstance(error, SyntaxError) or error.__traceback__ is None:
        return text
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    return f"{text} (line {last.tb_lineno} of {last.tb_frame.f_code.co_filename})"
