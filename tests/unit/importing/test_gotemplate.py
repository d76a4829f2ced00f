"""What becomes of Go templates that amtool 0.25 cannot judge: newer functions, defaults, and what has no counterpart."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.importing.gotemplate.translate import Translator, Untranslatable
from bridge.templates import MESSAGE_NAMES, Templates


def translated(text: str, named: str = "") -> str:
    return Translator.reading([named]).translate(text)


@pytest.mark.parametrize(
    ("text", "jinja"),
    [
        ("{{ .CommonLabels.alertname }}", "{{ common_labels.alertname }}"),
        ("{{ .Status | toUpper | trimSpace }}", "{{ status|upper|trim }}"),
        ("{{ .ExternalURL | safeUrl }}", "{{ external_url }}"),
        ("{{ range .Alerts }}{{ .Labels.a }}{{ end }}", "{% for e1 in alerts %}{{ e1.labels.a }}{% endfor %}"),
        ('{{ template "slack.default.title" . }}: x', "{{ default_title }}: x"),
        ('{{ template "__text_alert_list" .Alerts }}', "{{ default_text }}"),
        ('{{ template "__alertmanagerURL" . }}', "{{ external_url }}"),
        ('a{{ template "slack.default.footer" . }}', "a"),
        ("env: {{ .Status }}", '{{ "" }}env: {{ status }}'),
        ("file:/x", '{{ "" }}file:/x'),
        ("{% x %} {# y #} {", '{{ "{" }}% x %} {{ "{" }}# y #} {{ "{" }}'),
    ],
)
def test_the_counterpart(text: str, jinja: str) -> None:
    assert translated(text) == jinja


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ humanizeDuration 5 }}", "function humanizeDuration"),
        ("{{ .StartsAt }}", ".StartsAt has no counterpart"),
        ("{{ .CommonLabels }}", "printing labels as a whole"),
        ("{{ .Alerts.Firing.Firing }}", ".Firing has no counterpart"),
        ('{{ template "absent" . }}', "no template 'absent'"),
        ("{{ range .Alerts }}{{ break }}{{ end }}", "break"),
        ("{{ $x := 1 }}{{ range .Alerts }}{{ $x = 2 }}{{ end }}{{ $x }}", "a variable that changes"),
        ("{{ $x }}", "no variable $x"),
        ('{{ reReplaceAll "a+" "b" .Status }}', "reReplaceAll with these arguments"),
        ('{{ match "a|b" .Status }}', "match with these arguments"),
        ('{{ printf "%5s" .Status }}', "printf with these arguments"),
        ('{{ (index .Alerts 0).StartsAt.Format "2006-01-02T15:04:05.000Z07:00" }}', "the time layout"),
        ("{{ if .Status }}", "no end"),
        ("{{ end }}", "stands alone"),
        ("{{ .Status ", "not closed"),
        ("{{ ! }}", "not understood"),
        ("{{ 1.5.2 }}", "not understood"),
        ('{{ "a" | "b" }}', "a value takes no arguments"),
        ("{{ }}", "empty"),
        ("{{ (.Status }}", "an action ends too early"),
        ("{{ range .Status }}{{ end }}", "a range over string"),
        ('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', "call each other so often"),
        ("{{ if .Status }}" * 60 + "{{ end }}" * 60, "nested too deeply"),
        ("{{ " + "(" * 60 + ".Status" + ")" * 60 + " }}", "nested too deeply"),
        ('{{ define "a" }}' + "x" * 4000 + "{{ end }}" + '{{ template "a" . }}' * 9, "too long"),
    ],
)
def test_what_has_no_counterpart_says_why(text: str, why: str) -> None:
    with pytest.raises(Untranslatable, match=why.replace("$", r"\$")):
        translated(text)


def test_variables_that_double_end_soon() -> None:
    doubling = "".join(f"{{{{ $x{number + 1} := print $x{number} $x{number} }}}}" for number in range(60))
    with pytest.raises(Untranslatable, match="too long"):
        translated("{{ $x0 := .Status }}" + doubling + "{{ $x60 }}")


def test_templates_that_multiply_at_every_call_end_soon() -> None:
    named = "".join(
        f'{{{{ define "t{number}" }}}}' + f'{{{{ template "t{number + 1}" . }}}}' * 9 + "{{ end }}"
        for number in range(10)
    )
    named += '{{ define "t10" }}{{ end }}'
    with pytest.raises(Untranslatable):
        translated('{{ template "t0" . }}', named)


@pytest.mark.parametrize(
    "text", ["", '{{ template "slack.default.title" . }}', '{{- template "email.default.html" . -}}\n']
)
def test_a_default_is_told_from_a_template_of_ones_own(text: str) -> None:
    translator = Translator({})
    assert translator.is_default(text)
    assert not translator.is_default(text + "x")


@pytest.mark.parametrize(
    ("layout", "shown"),
    [
        ("2006-01-02 15:04:05", "2026-03-09 17:05:07"),
        ("Mon, 02 Jan 06 at 03:04 PM -0700 %", "Mon, 09 Mar 26 at 05:05 PM +0000 %"),
        ("Monday January", "Monday March"),
    ],
)
def test_a_time_is_shown_in_gos_layout(layout: str, shown: str) -> None:
    jinja = translated(f'{{{{ range .Alerts }}}}{{{{ .StartsAt.Format "{layout}" }}}}{{{{ end }}}}')
    templates = Templates()
    alerts = [{"starts_at": datetime(2026, 3, 9, 17, 5, 7, tzinfo=UTC)}]
    assert templates.render(templates.compile(jinja, MESSAGE_NAMES), alerts=alerts) == shown


_PIECES = st.lists(
    st.sampled_from(
        ["{{", "}}", "{{-", "-}}", " ", "if", "else", "end", "range", "with", "define", "template", ".", ".Alerts", ".Labels",
         ".x", "$", "$x", ":=", "=", ",", "|", "(", ")", '"a"', "`b`", "'c'", "1", "1.5", "-2", "eq", "len", "index", "join",
         "printf", "nil", "true", "/*", "*/", "{%", "{#", "\n", "text", '"%s"', ".CommonLabels", ".SortedPairs", "not"]
    ),
    max_size=30,
)  # fmt: skip


@settings(deadline=None)
@given(_PIECES.map("".join) | st.text(max_size=50).map("{{ {} }}".format))
def test_any_text_is_translated_or_refused(text: str) -> None:
    with suppress(Untranslatable):
        translated(text)
