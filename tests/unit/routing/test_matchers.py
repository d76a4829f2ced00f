from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.routing.matchers import (
    Matcher,
    format_matchers,
    from_match,
    in_order,
    match_all,
    parse_matcher,
    parse_matchers,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@pytest.mark.parametrize(
    ("text", "name", "op", "value"),
    [
        ("foo=bar", "foo", "=", "bar"),
        ('foo = "a b"', "foo", "=", "a b"),
        ("  foo  !=  bar  ", "foo", "!=", "bar"),
        ("foo=~ba(r|z)", "foo", "=~", "ba(r|z)"),
        ("foo!~bar", "foo", "!~", "bar"),
        ("foo=", "foo", "=", ""),
        ('foo=""', "foo", "=", ""),
        ("foo:bar_9=x", "foo:bar_9", "=", "x"),
        (r'foo="a\"b\\c\nd"', "foo", "=", 'a"b\\c\nd'),
        (r"foo=a\"b", "foo", "=", 'a"b'),
        ("foo=a\\", "foo", "=", "a\\"),
        ("foo=a,b", "foo", "=", "a,b"),
        ("foo=a=b", "foo", "=", "a=b"),
        ("foo=a b", "foo", "=", "a b"),
        ('foo="{x}"', "foo", "=", "{x}"),
        ("foo=день", "foo", "=", "день"),
        ("foo=a\nb", "foo", "=", "a\nb"),
        ('foo="a\nb"', "foo", "=", "a\nb"),
    ],
)
def test_the_classic_syntax_is_read(text, name, op, value):
    assert parse_matcher(text) == Matcher(name, op, value)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('"über"="x"', "über", "x"),
        ("über=x", "über", "x"),
        ("☃=x", "☃", "x"),
        ('"a b"="c d"', "a b", "c d"),
        (r'"\u00e9"="x"', "é", "x"),
        (r'"\U0001f525"="\xc3\xa9\101"', "🔥", "éA"),
        ('a-b="c"', "a-b", "c"),
        ('"a"="b",', "a", "b"),
    ],
)
def test_what_only_the_newer_syntax_reads_is_read_by_it(text, name, value):
    assert parse_matcher(text) == Matcher(name, "=", value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'foo="a\d"', r"a\d"),  # no Go literal
        (r'foo="a\tb"', r"a\tb"),  # both read it; the classic reading keeps the backslash
        (r'foo="\u00e9"', r"\u00e9"),
        ("foo=bar,", "bar,"),
    ],
)
def test_where_both_syntaxes_differ_the_classic_reading_holds(text, value):
    assert parse_matcher(text) == Matcher("foo", "=", value)


def test_the_newer_reading_holds_where_only_its_regular_expression_compiles():
    assert parse_matcher(r'foo=~"caf\u00e9"') == Matcher("foo", "=~", "café")


@pytest.mark.parametrize("text", ["foo", "", "=bar", "a~b", "a-b", '"a b" c', "foo bar=x", "1foo"])
def test_no_matcher_is_refused_in_alertmanagers_words(text):
    with pytest.raises(ValueError, match=r"^bad matcher format: ") as caught:
        parse_matcher(text)
    assert str(caught.value) == f"bad matcher format: {text}"


@pytest.mark.parametrize("text", ['a="b', 'a=b"c', 'a="b"c"', r'a="b\"', 'a="'])
def test_an_open_quote_is_refused(text):
    with pytest.raises(ValueError, match="unescaped double quote"):
        parse_matcher(text)


@pytest.mark.parametrize("text", ["{foo=bar}", "{foo=bar", "foo=bar}", '{"a b"="c"}'])
def test_a_single_matcher_has_no_braces(text):
    with pytest.raises(ValueError, match="unexpected open or close brace"):
        parse_matcher(text)


@pytest.mark.parametrize(
    "text", [r'"\xff"="x"', r'"\ud800"="x"', r'"\400"="x"', r'"\q"="x"', '""="x"', '"a"=', '"a"="b" "c"="d"', "'a'=b"]
)
def test_a_broken_quoted_name_is_refused(text):
    with pytest.raises(ValueError, match="bad matcher format"):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", "{}"),
        ("{}", "{}"),
        ("  ", "{}"),
        ("a=b", '{a="b"}'),
        ('{a="b",c!=d}', '{a="b",c!="d"}'),
        ("{a=b", '{a="b"}'),
        ("a=b}", '{a="b"}'),
        ('a="x,y",b=~"p|q",', '{a="x,y",b=~"p|q"}'),
        (r'a="x\",y",b=c', r'{a="x\",y",b="c"}'),
        ('{"a b"="c", d="e",}', '{"a b"="c",d="e"}'),
        (' { "a b" = "c" } ', '{"a b"="c"}'),
    ],
)
def test_lists_are_read_with_or_without_braces(text, printed):
    assert format_matchers(parse_matchers(text)) == printed


@pytest.mark.parametrize(
    "text", ["a=b,,c=d", "a=b,c", ",a=b", '{"a b"="c"', '{"a b"="c",', '"a b"="c"}', '{"a b"="c"} x', "{,}"]
)
def test_a_broken_list_is_refused(text):
    with pytest.raises(ValueError, match="bad matcher format"):
        parse_matchers(text)


@pytest.mark.parametrize("pattern", ["(", "[a", "a**", "(?=a)", r"\1", "a{1001}", r"\Z"])
def test_a_regular_expression_that_is_no_re2_is_refused_with_the_reason(pattern):
    with pytest.raises(ValueError, match=r"bad regular expression .*RE2"):
        parse_matcher(f'foo=~"{pattern}"')


def test_a_pattern_without_utf8_form_is_refused():
    with pytest.raises(ValueError, match="bad regular expression"):
        Matcher("foo", "=~", "\ud800")


@pytest.mark.parametrize(
    ("matcher", "labels", "expected"),
    [
        ("a=b", {"a": "b"}, True),
        ("a=b", {"a": "bb"}, False),
        ("a=b", {}, False),
        ("a=", {}, True),
        ("a!=", {}, False),
        ("a!=", {"a": "x"}, True),
        ("a!=b", {}, True),
        ("a=~b|c", {"a": "c"}, True),
        ("a=~b|c", {"a": "xc"}, False),
        ("a=~b|c", {"a": "cx"}, False),
        ("a=~.*", {}, True),
        ("a=~.+", {}, False),
        ("a!~.+", {}, True),
        ("a!~b.*", {"a": "bcd"}, False),
        ("a=~.*", {"a": "x\ny"}, False),
        ("a=~(?s).*", {"a": "x\ny"}, True),
        ("a=~b", {"a": "b\n"}, False),
        ("a=~(?i)é+", {"a": "ÉéÉ"}, True),
        (r"a=~\pL+", {"a": "день"}, True),
        ("a=~b)|(c", {"a": "bx"}, True),  # ^(?:b)|(c)$: anchored as Alertmanager anchors, by writing
    ],
)
def test_matching(matcher, labels, expected):
    assert parse_matcher(matcher).matches(labels) is expected


def test_long_values_match_like_short_ones():
    matcher = parse_matcher("a=~x+")
    assert matcher.matches({"a": "x" * 5000})
    assert not matcher.matches({"a": "x" * 5000 + "y"})


def test_a_regular_expression_that_ruins_backtracking_engines_is_quick():
    assert not Matcher("a", "=~", "(x+x+)+y").matches({"a": "x" * 20_000})


def test_the_older_form_is_printed_with_its_anchors():
    assert format_matchers(in_order(from_match({"b": "c"}, {"a": "x|y"}))) == '{a=~"^(?:x|y)$",b="c"}'


def test_matchers_are_ordered_by_name_then_value_then_operator():
    found = parse_matchers("b=1,a!~z,a=z,a!=z,a=~z,a=y")
    assert format_matchers(in_order(found)) == '{a="y",a="z",a!="z",a=~"z",a!~"z",b="1"}'


def test_all_matchers_must_match():
    found = parse_matchers("a=1,b=2")
    assert match_all(found, {"a": "1", "b": "2"})
    assert not match_all(found, {"a": "1"})
    assert match_all((), {})


@pytest.mark.parametrize(
    ("matcher", "printed"),
    [
        (Matcher("a", "=", 'x"y\\z\n\t'), 'a="x\\"y\\\\z\\n\t"'),
        (Matcher("a b", "=", "x\t\x1b\x7fé\xa0\U000e0001"), r'"a b"="x\t\x1b\x7fé\u00a0\U000e0001"'),
    ],
)
def test_printing_quotes_as_alertmanager_does(matcher, printed):
    assert str(matcher) == printed


@given(name=TEXT.filter(bool), value=TEXT)
def test_a_printed_matcher_in_a_list_reads_back_as_itself(name, value):
    matcher = Matcher(name, "=", value)
    # Where the classic syntax reads a quoted name's text too, its reading of the escapes holds; such names have none.
    assert parse_matchers("{" + str(matcher) + "}") == (matcher,)


@given(TEXT)
def test_any_text_is_a_matcher_or_a_value_error(text):
    for parse in (parse_matcher, parse_matchers):
        try:
            parse(text)
        except ValueError:
            continue
