"""Go's time layouts (`2006-01-02 15:04:05`) as strftime's."""

from __future__ import annotations

import re

from bridge.importing.gotemplate.tree import Untranslatable

_PARTS = {
    "January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "2006": "%Y", "-0700": "%z", "MST": "%Z", "PM": "%p",
    "01": "%m", "02": "%d", "03": "%I", "04": "%M", "05": "%S", "06": "%y", "15": "%H",
}  # fmt: skip
_KNOWN = re.compile("|".join(map(re.escape, _PARTS)) + r"|[^0-9A-Za-z]|[A-Za-z]")
_NOT_KNOWN = re.compile(r"Z07|[-+]?07|\.0+|\.9+|pm|_2|002|(?<![0-9])[1-5](?![0-9])")


def strftime_of(layout: str) -> str:
    """The layout for strftime.

    Raises:
        Untranslatable: it has parts without a counterpart (fractions, `_2`, `Z07:00`, digits of other meaning).
    """
    rest = layout.replace("-0700", "")
    if _NOT_KNOWN.search(rest) or re.search(r"[0-9]", _KNOWN.sub("", layout)):
        raise Untranslatable(f"the time layout {layout!r} has no counterpart")
    return _KNOWN.sub(lambda part: _PARTS.get(part[0], part[0].replace("%", "%%")), layout)
