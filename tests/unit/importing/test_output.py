"""What is written is read as what was meant, byte for byte."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.config.yaml_nodes import parse_yaml, plain
from bridge.importing.output import write

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "null",
        "~",
        "yes",
        "1.0",
        "=",
        "<<",
        "- a",
        "a: b",
        "#",
        "'",
        '"',
        "  x\ny",
        "\n x\n\n",
        "x\n\n",
        "|",
        "a\tb\n",
        "\r\n",
        "\x85",
    ]
)


@settings(deadline=None)
@given(key=TEXTS.filter(bool), value=TEXTS)
@example(key="k" * 300, value="v" * 2000 + "\n" + "w " * 300)
@example(key="k", value="{{ a }}\n{% for x in y %}\n  {{ x }}\n{% endfor %}\n")
def test_any_text_is_read_back(key: str, value: str) -> None:
    text = write({"section": {key: [value, value], "same": value} if key != "same" else {key: value}}, "a heading")
    root, problems = parse_yaml(text.encode(), "out.yml")

    assert problems == ()
    assert root is not None
    read = plain(root)
    assert isinstance(read, dict)
    section = read["section"]
    assert isinstance(section, dict)
    wanted = [value, value] if key != "same" else value
    assert section[key] == wanted


def test_what_stands_there_twice_is_written_twice() -> None:
    same = ["a", "b"]

    assert "&" not in write({"x": {"one": same, "two": same}}, "heading")
