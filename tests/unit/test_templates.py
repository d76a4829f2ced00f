"""The language of templates, what it cannot be made to do, and what a rendering may cost."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from time import monotonic

import pytest
from msgspec import Struct

from bridge.domain.errors import ConfigError
from bridge.domain.message import Reason
from bridge.templates import MAX_TEMPLATE, TemplateFailed, Templates

WORST = 3.0
"""Seconds within which anything must have ended, on a busy machine; most bombs would take hours."""
TEMPLATES = Templates()


class Thing(Struct, frozen=True):
    name: str
    labels: dict[str, str]
    when: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    _hidden: str = "hidden"

    @property
    def shout(self) -> str:
        return self.name.upper()

    def method(self) -> str:
        return "called"


THINGS = (Thing("a", {"team": "web", "items": "7"}), Thing("b", {"team": "db"}))
CONTEXT = {"labels": {"cluster": "eu-1", "items": "many", "get": "got"}, "things": THINGS, "reason": Reason.OPENED}


def show(text: str, **context: object) -> str:
    return TEMPLATES.render(TEMPLATES.compile(text), **{**CONTEXT, **context})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain {text}", "plain {text}"),
        ("{{ labels.cluster }}", "eu-1"),
        ("{{ labels['cluster'] }}", "eu-1"),
        ("{{ labels.cluster.split('-')[0] }}", "eu"),
        ("{{ labels.cluster | upper }}", "EU-1"),
        ("{{ labels.cluster.replace('eu', 'us') }}", "us-1"),
        ("{{ labels.items }} {{ labels.get }}", "many got"),
        (
            "{% for name, value in labels | dictsort %}{{ name }}={{ value }};{% endfor %}",
            "cluster=eu-1;get=got;items=many;",
        ),
        ("{% for thing in things %}{{ loop.index }}{{ thing.name }}{{ ',' if not loop.last }}{% endfor %}", "1a,2b"),
        ("{{ things | map(attribute='labels.team') | join(', ') }}", "web, db"),
        ("{{ things | selectattr('labels.team', 'in', ['web', 'x']) | map(attribute='name') | list }}", "a"),
        (
            "{% for team, some in things | groupby('labels.team') %}{{ team }}:{{ some | length }} {% endfor %}",
            "db:1 web:1 ",
        ),
        ("{{ things[0].shout }}", "A"),
        ("{{ things[0].when }}", "2026-01-02T03:04:05Z"),
        ("{{ things[0].when.strftime('%H:%M') }}", "03:04"),
        ("{{ reason }}{{ ' is opened' if reason == 'opened' }}", "opened is opened"),
        ("{{ things | length }} {{ [3, 1, 2] | sort | join('') }} {{ [1, 2] | sum }}", "2 123 3"),
        ("{{ 'a' ~ 1 ~ none }}", "a1"),
        ("{{ '%' * 3 }}{{ 7 % 4 }}{{ 2 ** 10 }}", "%%%31024"),
        ("{% set x = labels.cluster %}{{ x }}", "eu-1"),
        ("{{ labels.nope | default('none') }}", "none"),
        ("{{ 'x' if labels.nope is defined else 'y' }}", "y"),
        ("{{ labels | tojson }}", '{"cluster": "eu-1", "items": "many", "get": "got"}'),
        ("{{ 'a b' | urlencode }} {{ 'abc' | truncate(2, true, '', 0) }}", "a%20b ab"),
        ("{{ 3.14159 | round(2) }} {{ '12' | int + 1 }}", "3.14 13"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% raw %}{{ labels }}{% endraw %}", "{{ labels }}"),
        ("line\n", "line\n"),
        ("{{ '<b>' }}", "<b>"),
    ],
)
def test_it_writes(text, result) -> None:
    assert show(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}",
        "{{ nothing.at.all }}",
        "{{ labels.nope.split('-')[0] | upper }}",
        "{{ labels['nope'][3] }}",
        "{% for x in nothing %}{{ x }}{% endfor %}",
        "{{ none }}",
        "{{ labels.nope() }}",
    ],
)
def test_what_is_missing_is_empty(text) -> None:
    assert show(text) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "True"),
        (1.5, "1.5"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:00:00Z"),
        (timedelta(minutes=90), "1h30m"),
        (["a", 1], "a, 1"),
        ({"a": 1, "b": None}, "a=1, b="),
        (Reason.RESOLVED, "resolved"),
    ],
)
def test_a_value_is_written_for_people(value, text) -> None:
    assert show("{{ value }}", value=value) == text


def test_data_is_never_a_template() -> None:
    hostile = "{{ 7 * 7 }}{% include 'x' %}{{ ''.__class__ }}"
    assert show("{{ labels.x }}", labels={"x": hostile}) == hostile


INTERNALS = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ things[0].__struct_fields__ }}",
    "{{ things[0]._hidden }}",
    "{{ things[0]['_hidden'] }}",
    "{{ things[0].method() }}",
    "{{ things | map(attribute='__class__') | list }}",
    "{{ things | map(attribute='_hidden') | join }}",
    "{{ things | map('attr', '__class__') | list }}",
    "{{ '' | attr('__class__') }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{x.__class__}'.format_map(labels) }}",
    "{{ '%s' | format(labels) }}",
    "{{ '%s' % labels }}",
    "{{ range.__globals__ }}",
    "{{ labels.cluster.encode }}",
    "{{ labels.cluster.upper }}",
    "{{ labels.update({'a': 'b'}) ~ 1 / 0 }}",
    "{{ loop.__class__ }}",
    "{{ self.__init__ }}",
    "{{ self }}",
    "{{ things[0] }}",
    "{{ (1).real }}",
    "{{ [].append(1) }}",
    "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
    "{{ things | groupby('name') | map(attribute='__init__') | list }}",
]


@pytest.mark.parametrize("text", INTERNALS)
def test_nothing_inside_the_program_is_reached(text) -> None:
    with pytest.raises((ConfigError, TemplateFailed)):
        show(text)


@pytest.mark.parametrize("name", ["lipsum", "cycler", "joiner", "namespace", "dict", "caller", "varargs"])
def test_jinjas_own_helpers_are_not_there(name) -> None:
    with pytest.raises(ConfigError, match=f"names {name}, which does not exist"):
        TEMPLATES.compile(f"{{{{ {name} }}}}", frozenset({"labels"}))
    assert show(f"{{{{ {name} }}}}") == ""


def test_values_are_not_changed_by_a_template() -> None:
    labels = {"a": "b"}
    for text in ("{{ labels.update(a='c') }}", "{{ labels.pop('a') }}", "{{ labels.clear() }}"):
        assert show(text, labels=labels) == ""
    assert labels == {"a": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% call x() %}{% endcall %}",
        "{% filter upper %}x{% endfilter %}",
        "{% set x %}x{% endset %}",
        "{% set x.y = 1 %}",
        "{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}",
        "{% autoescape true %}{% endautoescape %}",
        "{{ x | nope }}",
        "{% if false %}{{ x | nope }}{% endif %}",
        "{{ x is nope }}",
        "{{ x | random }}",
        "{{ x | safe }}",
        "{{ x | pprint }}",
        "{{ x | center(10 ** 9) }}",
    ],
)
def test_what_is_not_in_the_language_is_refused_when_compiled(text) -> None:
    with pytest.raises(ConfigError, match="line 1: "):
        TEMPLATES.compile(text)


@pytest.mark.parametrize(
    ("text", "line"), [("{{ x", 1), ("a\nb\n{% if %}", 3), ("\n{{ x | nope }}", 2), ("\n\n{% endif %}", 3)]
)
def test_a_template_that_does_not_compile_names_its_line(text, line) -> None:
    with pytest.raises(ConfigError, match=f"line {line}: "):
        TEMPLATES.compile(text)


def test_a_name_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"names lables, which does not exist; it may name alerts, labels"):
        TEMPLATES.compile("{{ lables.x }}{{ labels.y }}", frozenset({"labels", "alerts"}))


def test_names_that_a_template_makes_itself_are_fine() -> None:
    text = "{% set a = labels %}{% for b in a %}{{ b }}{% endfor %}{% for i in range(2) %}{% endfor %}"
    assert TEMPLATES.compile(text, frozenset({"labels"})).text == text


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_TEMPLATE + 1),
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_a_template_too_large_or_too_deep_is_refused(text) -> None:
    with pytest.raises(ConfigError):
        TEMPLATES.compile(text)


BOMBS = {
    "long range": "{{ range(10 ** 9) | list }}",
    "longer range": "{{ range(10 ** 30) }}",
    "repeated text": "{{ 'a' * 10 ** 10 }}",
    "repeated text, constant": "{{ 'a' * 10000000000 }}",
    "repeated the other way": "{{ 10 ** 10 * 'a' }}",
    "repeated list": "{{ [1] * 10 ** 9 }}",
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "deep loops": "{% for a in range(99) %}" * 15 + "{% endfor %}" * 15,
    "output of a loop": "{% for a in range(9999) %}" + "x" * 1000 + "{% endfor %}",
    "doubling": "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a | length }}",
    "doubling by plus": "{% set a = 'aaaaaaaa' %}" + "{% set a = a + a %}" * 60 + "{{ a | length }}",
    "doubling by replace": "{% set a = 'aa' %}" + "{% set a = a.replace('a', 'aa') %}" * 60 + "{{ a | length }}",
    "doubling by filter": "{% set a = 'aa' %}" + "{% set a = a | replace('a', 'aa') %}" * 60 + "{{ a | length }}",
    "doubling lists": "{% set a = [1, 2] %}" + "{% set a = a + a %}" * 60 + "{{ a | length }}",
    "nested lists": "{% set a = [1, 2] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
    "nested pairs": "{% set a = (1, 2) %}" + "{% set a = (a, a) %}" * 60 + "{{ a == a }}",
    "nested mappings": "{% set a = {'a': 1} %}" + "{% set a = {'a': a, 'b': a} %}" * 60 + "{{ a | tojson }}",
    "lists as arguments": "{% set b = range(9999) | list %}{{ range(9999) | map('replace', '1', b) | list }}",
    "lists as defaults": "{% set b = range(9999) | list %}{{ [none] | map('default', b, true) | list }}",
    "power": "{{ 9 ** (9 ** 9) }}",
    "powers": "{% set a = 9 ** 60 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
    "negative power": "{{ 2 ** -(10 ** 9) }}",
    "long join": "{{ range(9999) | join('x' * 60000) }}",
    "padded number": "{{ '%01000000000d' % 1 }}",
    "sum of lists": "{{ [[1]] | sum(start=[]) }}",
    "rounding": "{{ 1.5 | round(10 ** 9, 'ceil') }}",
    "select by a list": "{% set b = range(9999) | list %}{{ range(9999) | select('in', b) | list | length }}",
    "comparing in a loop": "{% set x = 'a' * 60000 %}{% for i in range(9999) %}"
    + "{{ '' if x ~ 'b' == x ~ 'c' }}" * 100
    + "{% endfor %}",
    "slow filter in a loop": "{% set x = 'a ' * 30000 %}{% for i in range(9999) %}{% set y = x | title | wordcount %}{% endfor %}",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_goes_off_harmlessly(text) -> None:
    started = monotonic()
    with pytest.raises((ConfigError, TemplateFailed)):
        show(text)
    assert monotonic() - started < WORST


@pytest.mark.parametrize(
    "text", ["{{ x.replace('a', y) }}", "{{ x | replace('a', y) }}", "{{ x * 2000 }}", "{{ [x] * 9000 }}"]
)
def test_what_would_grow_too_long_is_not_even_made(text) -> None:
    context = {"x": "a" * 60_000, "y": "b" * 2000}
    template = TEMPLATES.compile(text)
    tracemalloc.start()
    with pytest.raises(TemplateFailed):
        TEMPLATES.render(template, **context)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("text", ["{{ x.upper() }}", "{{ x | upper }}", "{{ x.replace('b', '') }}"])
def test_work_on_a_long_text_counts_as_many_steps(text) -> None:
    few = Templates(steps=50)
    template = few.compile(text)
    few.render(template, x="a" * 64)
    with pytest.raises(TemplateFailed, match="too many steps"):
        few.render(template, x="a" * 6400)


def test_steps_are_counted_over_the_whole_rendering() -> None:
    few = Templates(steps=50)
    template = few.compile("{% for a in range(30) %}{% endfor %}{% for a in range(30) %}{% endfor %}")
    with pytest.raises(TemplateFailed, match="too many steps"):
        few.render(template)


def test_a_rendering_ends_when_its_time_is_over() -> None:
    hasty = Templates(seconds=0)
    with pytest.raises(TemplateFailed, match="too long"):
        hasty.render(hasty.compile("{{ labels }}"), **CONTEXT)


def test_budgets_begin_anew_with_each_rendering() -> None:
    few = Templates(steps=50)
    template = few.compile("{% for a in range(30) %}x{% endfor %}".replace("x", ""))
    for _ in range(5):
        few.render(template)


@pytest.mark.parametrize(("size", "fits"), [(65_536, True), (65_537, False)])
def test_a_result_has_at_most_64_kibi_characters(size, fits) -> None:
    text = "x" * 16_384 + "{{ rest }}"
    if fits:
        assert len(show(text, rest="x" * (size - 16_384))) == size
    else:
        with pytest.raises(TemplateFailed, match="beyond 65536 characters"):
            show(text, rest="x" * (size - 16_384))


def test_a_failure_names_the_line_and_says_why() -> None:
    with pytest.raises(TemplateFailed, match=r"^line 3: ZeroDivisionError: division by zero$"):
        show("a\nb\n{{ 1 / 0 }}")


def test_a_failure_is_short_even_if_its_reason_is_not() -> None:
    with pytest.raises(TemplateFailed) as caught:
        show("{{ labels.x | int + things }}", labels={"x": "1"}, things="x" * 10_000)
    assert len(str(caught.value)) < 250


def test_every_expression_is_encoded_and_nothing_else() -> None:
    encoding = Templates(encode=lambda text: f"<{text}>")
    template = encoding.compile("a {{ labels.cluster }} b {{ 'c' }}{% if labels %} d {% endif %}{{ none }}")
    assert encoding.render(template, **CONTEXT) == "a <eu-1> b <c> d <>"


def test_the_same_text_is_compiled_once() -> None:
    assert TEMPLATES.compile("{{ labels }}") is TEMPLATES.compile("{{ labels }}")
