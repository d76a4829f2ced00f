"""Our configuration as YAML: no anchors, long texts as they are, every text quoted that needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

Output = str | bool | int | list["Output"] | dict[str, "Output"]
"""A value of a configuration as it is written."""

_ODD = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML takes for the end of a line, or does not show: such texts are written with escapes."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if _ODD.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write(sections: Mapping[str, Output], heading: str) -> str:
    """The text of the file, with the heading as remarks before it."""
    remarks = "".join(f"# {line}\n" for line in heading.splitlines())
    blocks = [
        yaml.dump({name: section}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
        for name, section in sections.items()
    ]
    return "\n".join([remarks, *blocks]) if blocks else remarks
