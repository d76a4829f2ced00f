"""YAML becomes texts with places, and what hides or blows up is refused."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config import yaml_nodes
from bridge.config.yaml_nodes import MAX_BYTES, Mapping, parse_yaml, plain
from tests.unit.config.test_load import FULL


def read(text: str) -> object:
    root, problems = parse_yaml(text.encode(), "a.yml")
    assert root is not None, problems
    assert not problems
    return plain(root)


def refusal(content: str | bytes) -> str:
    root, problems = parse_yaml(content.encode() if isinstance(content, str) else content, "a.yml")
    assert root is None
    assert len(problems) == 1
    return str(problems[0])


@pytest.mark.parametrize("text", ["on", "yes", "12:30:00", "0o17", "1e3", "2026-01-01", "NaN", "0123", "True"])
def test_scalars_stay_the_text_they_were_written_as(text: str) -> None:
    assert read(f"a: {text}") == {"a": text}


def test_keys_stay_text_too() -> None:
    assert read("on: x\n1: y\nnull: z") == {"on": "x", "1": "y", "null": "z"}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_plain_null_is_nothing(text: str) -> None:
    assert read(f"a: {text}") == {"a": None}


@pytest.mark.parametrize("text", ["'null'", '""', '"~"'])
def test_quoted_null_is_text(text: str) -> None:
    assert read(f"a: {text}") == {"a": text[1:-1]}


def test_a_null_value_counts_as_absent() -> None:
    root, _ = parse_yaml(b"a: null\nb: x", "a.yml")
    assert isinstance(root, Mapping)
    assert root.get("a") is None
    assert root.get("c") is None


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert read("") == {}
    assert read("# only a comment\n") == {}
    assert read("---\n...\n") == {}


def test_marks_count_from_one_and_in_characters() -> None:
    root, _ = parse_yaml("a: x\nü: {b: [c, d]}\n".encode(), "a.yml")
    assert isinstance(root, Mapping)
    below = root.get("ü")
    assert isinstance(below, Mapping)
    assert str(root.key_mark("ü")) == "a.yml:2:1"
    assert str(below.key_mark("b")) == "a.yml:2:5"


def test_a_byte_order_mark_is_passed_over() -> None:
    root, problems = parse_yaml(b"\xef\xbb\xbfa: x", "a.yml")
    assert not problems
    assert root is not None
    assert str(root.key_mark("a")) == "a.yml:1:1"


def test_a_key_given_twice_names_both_lines() -> None:
    root, problems = parse_yaml(b"a: 1\nb: 2\na: 3\n", "a.yml")
    assert [str(found) for found in problems] == ["a.yml:3:1: 'a' is given twice; first on line 1"]
    assert root is not None
    assert plain(root) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: 2", "a.yml:1:4: anchors (&name) are refused; write the value out"),
        ("b: *x", "a.yml:1:4: aliases (*name) are refused; write the value out"),
        ("a: !!python/object:os.system x", "a.yml:1:4: tags (!name) are refused; write the plain value"),
        ("a: ! x", "a.yml:1:4: tags (!name) are refused; write the plain value"),
        ("a: !!map {}", "a.yml:1:4: tags (!name) are refused; write the plain value"),
        ("? [a]\n: b", "a.yml:1:3: a key must be text, and not empty"),
        ("a: {'': b}", "a.yml:1:5: a key must be text, and not empty"),
        ("a: 1\n---\nb: 2", "a.yml:2:1: a file holds one YAML document; write the second one to a file of its own"),
        ("- a", "a.yml:1:1: a configuration is a mapping of sections such as `route:`"),
        ("text", "a.yml:1:1: a configuration is a mapping of sections such as `route:`"),
    ],
)
def test_what_hides_a_second_meaning_is_refused(text: str, expected: str) -> None:
    assert refusal(text) == expected


def test_depth_is_bounded() -> None:
    assert read("a: " + "[" * 31 + "]" * 31)
    assert refusal("a: " + "[" * 32 + "]" * 32) == "a.yml:1:35: nested deeper than 32 levels"


def test_absurd_depth_is_refused_at_once() -> None:
    before = time.perf_counter()
    assert "nested deeper than 32 levels" in refusal("a: " + "[" * 500_000)
    assert "nested deeper than 32 levels" in refusal("a:\n" + "".join(" " * level + "- \n" for level in range(1000)))
    assert time.perf_counter() - before < 5


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n"
    assert "anchors" in refusal(bomb)


def test_size_is_bounded() -> None:
    assert read("a: " + "x" * (MAX_BYTES - 3))
    assert refusal("a: " + "x" * MAX_BYTES).endswith(
        f"the file has {MAX_BYTES + 3} bytes; at most {MAX_BYTES} are read"
    )


def test_text_that_is_not_utf8_names_the_place() -> None:
    assert refusal(b"a: 1\nb: x\xff") == "a.yml:2:5: this is not UTF-8 text"


def test_a_character_that_yaml_does_not_allow_names_the_place() -> None:
    assert refusal("a: 1\nb: \x07") == "a.yml:2:4: not valid YAML: a character that YAML does not allow"


def test_a_syntax_error_names_the_place_and_the_cause() -> None:
    assert refusal("a: [1, 2\nb: 3").startswith("a.yml:2:2: not valid YAML: ")


def test_the_parser_in_python_gives_the_same_tree_and_places(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = parse_yaml(FULL.encode(), "a.yml")
    monkeypatch.setattr(yaml_nodes, "_Loader", yaml.SafeLoader)

    slow, problems = parse_yaml(FULL.encode(), "a.yml")

    assert slow == fast
    assert not problems
    assert [refusal(text) for text in ("a: *x", "a: [", "b: \x07")] == [
        "a.yml:1:4: aliases (*name) are refused; write the value out",
        "a.yml:1:5: not valid YAML: expected the node content, but found '<stream end>', while parsing a flow node",
        "a.yml:1:4: not valid YAML: a character that YAML does not allow",
    ]


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_bytes_give_a_tree_or_a_problem_with_a_place(content: bytes) -> None:
    check(content)


@given(st.text(alphabet="ab:-[]{}&*!|>#'\" \n\t,?%@`~\u2028\ufeff", max_size=60))
@settings(max_examples=500)
def test_near_yaml_gives_a_tree_or_a_problem_with_a_place(text: str) -> None:
    check(text.encode())


def check(content: bytes) -> None:
    root, problems = parse_yaml(content, "a.yml")
    assert root is not None or problems
    assert all(found.file == "a.yml" and found.line >= 1 and found.column >= 1 for found in problems)
