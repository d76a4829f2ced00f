"""Go templates rendered by the real amtool, and by the bridge after they were translated: the texts are the same.

`ALERTBRIDGE_TEMPLATES` sets how many random ones (default 100); `ALERTBRIDGE_ROUTE_SEED` which.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.channels.console import ConsoleChannel
from bridge.domain.alert import Status
from bridge.domain.message import AlertView, Reason
from bridge.engine.render import IncidentView, render
from bridge.importing.gotemplate.translate import Translator
from bridge.templates import Templates

pytestmark = pytest.mark.alertmanager

RANDOM = int(os.environ.get("ALERTBRIDGE_TEMPLATES", "100"))
SEED = int(os.environ.get("ALERTBRIDGE_ROUTE_SEED", "1"))


def alert(status: str, starts: str, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": starts,
        "endsAt": "2026-03-01T12:30:00Z",
        "generatorURL": "http://prom.example/graph?g0.expr=up",
        "fingerprint": "00112233aabbccdd",
    }


DATA: dict[str, Any] = {
    "receiver": "team & co/b",
    "status": "firing",
    "groupLabels": {"alertname": "HighCPU", "zone": "a"},
    "commonLabels": {"alertname": "HighCPU", "zone": "a", "cluster": "c 1", "Team": "web", "get": "got"},
    "commonAnnotations": {"summary": "CPU is high", "note": "{{ not a template }} {% nor this"},
    "externalURL": "https://am.example/x",
    "alerts": [
        alert(
            "firing",
            "2026-03-01T09:05:07Z",
            {"alertname": "HighCPU", "instance": "web-1:9100", "severity": "critical", "Zed": "z", "anna": "a"},
            {"summary": "CPU is high", "description": "load 9 on\nweb-1", "runbook_url": "https://r.example/a b"},
        ),
        alert("firing", "2026-03-01T10:00:00Z", {"alertname": "HighCPU", "instance": "web-2:9100"}, {}),
        alert("resolved", "2026-02-28T23:59:59Z", {"alertname": "Other", "severity": "warning"}, {"summary": "Ünï"}),
    ],
}
QUIET = {**DATA, "alerts": [], "commonLabels": {}, "groupLabels": {}, "status": "resolved", "commonAnnotations": {}}

NAMED = """
{{ define "our.title" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ .CommonLabels.alertname }}
{{- end }}
{{ define "our.list" }}{{ range . }}* {{ .Labels.instance }} {{ template "our.when" .StartsAt }}
{{ end }}{{ end }}
{{ define "our.when" }}since {{ .Format "15:04" }}{{ end }}
"""

TEMPLATES = [
    "no template at all",
    "{{ .CommonLabels.alertname }} {{ .CommonAnnotations.summary }} {{ .Receiver }} {{ .ExternalURL }}",
    "{{ .CommonLabels.absent }}|{{ .CommonLabels.get }}|{{ .CommonLabels.items }}|{{ .CommonAnnotations.note }}",
    "braces { {{ .Status }}} {% raw %} {# no comment #} {{ `{{ raw }}` }} {",
    "{{ .Status | toUpper }} {{ toLower .CommonLabels.Team }} {{ .CommonLabels.cluster | title }}",
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}]',
    '{{ .GroupLabels.SortedPairs.Values | join " " }} {{ .GroupLabels.Names | join ", " }}',
    ("{{ if gt (len .CommonLabels) (len .GroupLabels) }}({{ with .CommonLabels.Remove .GroupLabels.Names }}"
    '{{ .Values | join " " }}{{ end }}){{ end }}'),
    "{{ range .Alerts }}{{ .Labels.alertname }} {{ .Annotations.summary }}\n{{ end }}",
    "{{ range .Alerts.Firing -}}\n  x {{ .Labels.instance }}\n{{- end }}\nrest",
    "{{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ $i }}={{ $a.Labels.instance }}{{ end }}",
    "{{ range $i, $a := .Alerts }}{{ range $n, $v := $a.Labels }}{{ $i }}.{{ $n }}={{ $v }};{{ end }}{{ end }}",
    "{{ range .Alerts }}{{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}\n{{ end }}{{ end }}",
    "{{ range $k, $v := .CommonLabels }}{{ $k }}:{{ $v }} {{ end }}{{ range .CommonLabels }}{{ . }},{{ end }}",
    "{{ range .Alerts.Resolved }}{{ .Labels.alertname }}{{ else }}none{{ end }}",
    "{{ range (index .Alerts 0).Labels.SortedPairs.Values }}<{{ . }}>{{ end }}",
    "{{ with .CommonAnnotations.summary }}S: {{ . }}{{ else }}no summary{{ end }}",
    "{{ with $x := .CommonLabels.absent }}{{ $x }}{{ else }}none at {{ .Receiver }}{{ end }}",
    '{{ if .CommonLabels.absent }}a{{ else if eq .CommonLabels.zone "a" "b" }}b{{ else }}c{{ end }}',
    "{{ if and .CommonLabels.zone (not .CommonLabels.absent) }}yes{{ end }}{{ if or .CommonLabels.absent .Status }}or{{ end }}",
    '{{ if eq .CommonLabels.absent "" }}empty{{ end }}{{ if ne .CommonLabels.absent .CommonLabels.gone }}ne{{ end }}',
    '{{ or .CommonLabels.absent .CommonLabels.zone "d" }} {{ and .CommonLabels.zone .Status }}',
    "{{ $name := .CommonLabels.alertname }}{{ range .Alerts }}{{ $name }}@{{ $.Receiver }} {{ end }}",
    '{{ $x := "a" }}{{ $x = "b" }}{{ $x }}{{ if true }}{{ $x := "c" }}{{ $x }}{{ end }}{{ $x }}',
    "{{/* a comment */}}{{- /* trims */ -}}  text  {{/* and\nlines */}}",
    'a  {{- .Status -}}  b {{- " c " -}} d',
    '{{ printf "%s: %d%% of %v" .Status (len .Alerts) .Receiver }} {{ print .Status "-" .Receiver }}',
    '{{ index .CommonLabels "Team" }} {{ (index .Alerts 1).Labels.instance }} {{ index .GroupLabels.Names 0 }}',
    '{{ .Receiver | urlquery }} {{ (index .Alerts 0).Annotations.runbook_url }} {{ "<b>" | safeHtml }}',
    '{{ reReplaceAll ":9100" "" (index .Alerts 0).Labels.instance }}',
    '{{ if match "^web" (index .Alerts 0).Labels.instance }}web{{ end }}{{ if match "CPU" .CommonLabels.alertname }}c{{ end }}',
    '{{ range .Alerts }}{{ .StartsAt.Format "2006-01-02 15:04:05 Mon Jan PM 03" }} {{ end }}',
    '{{ .CommonLabels.Remove (stringSlice "zone" "Team") | len }} {{ len .Status }} {{ eq 1 1 }} {{ true }}',
    "{{ if .Alerts }}some{{ else }}no{{ end }} {{ if .CommonLabels }}labels{{ end }} {{ if 0 }}zero{{ end }}",
    '{{ .CommonLabels.absent | toUpper | printf "%s!" }}{{ "tab\\t\\"q\\"" }}',
    '{{ define "inner" }}<{{ .Name }}>{{ end }}{{ range .GroupLabels.SortedPairs }}{{ template "inner" . }}{{ end }}',
    '{{ block "b" .CommonLabels }}{{ .zone }}{{ end }}',
    '{{ template "our.title" . }}\n{{ template "our.list" .Alerts.Firing }}',
    "{{ range .Alerts }}{{ with .Labels.severity }}{{ $.Status }}/{{ . }} {{ end }}{{ end }}",
    "{{ if eq (len .Alerts.Firing) 2 }}two{{ end }} {{ if le 1 (len .Alerts) }}le{{ end }} {{ lt 2 1 }}",
    ("*{{ .CommonLabels.alertname }}*\n{{ range .Alerts }}\n> {{ .Annotations.description }}\n{{ if .GeneratorURL }}"
    "<{{ .GeneratorURL }}|graph>{{ end }}{{ end }}\n"),
]  # fmt: skip


class Random:
    """Makes valid templates: each expression has the kind that is asked for, whatever the dot is just now."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = 0

    def block(self, dot: str, depth: int) -> str:
        return "".join(self.statement(dot, depth) for _ in range(self.rng.randint(1, 3)))

    def statement(self, dot: str, depth: int) -> str:
        forms = [self.words, self.shown] + [self.condition, self.inside, self.loop, self.pairs, self.variable] * (
            depth < 3
        )
        return self.rng.choice(forms)(dot, depth)

    def words(self, _dot: str, _depth: int) -> str:
        return self.rng.choice(["a ", "\n", "{ ", "} ", "{% x %}", " {# y #}", "ü\n  "])

    def shown(self, dot: str, _depth: int) -> str:
        left, right = self.rng.choice(["{{ ", "{{- "]), self.rng.choice([" }}", " -}}"])
        return left + self.rng.choice([self.text(dot), f"{self.text(dot)} | toUpper", f"len {self.many(dot)}"]) + right

    def condition(self, dot: str, depth: int) -> str:
        test = self.rng.choice([self.test(dot), self.text(dot), self.many(dot)])
        otherwise = "{{ else }}" + self.block(dot, depth + 1) if self.rng.random() < 0.5 else ""
        return f"{{{{ if {test} }}}}{self.block(dot, depth + 1)}{otherwise}{{{{ end }}}}"

    def inside(self, dot: str, depth: int) -> str:
        return f"{{{{ with {self.text(dot)} }}}}<{self.block('text', depth + 1)}>{{{{ else }}}}none{{{{ end }}}}"

    def loop(self, _dot: str, depth: int) -> str:
        listed = self.rng.choice(["$.Alerts", "$.Alerts.Firing", "$.Alerts.Resolved"])
        return f"{{{{ range {listed} }}}}{self.block('alert', depth + 1)};{{{{ else }}}}no{{{{ end }}}}"

    def pairs(self, dot: str, depth: int) -> str:
        labels = self.labels(dot)
        if self.rng.random() < 0.5:
            return f"{{{{ range $k, $v := {labels} }}}}{{{{ $k }}}}={self.block('text', depth + 1)}{{{{ end }}}}"
        removed = f'({labels}.Remove (stringSlice "alertname" "zone"))' if self.rng.random() < 0.5 else labels
        return f"{{{{ range {removed}.SortedPairs }}}}{{{{ .Name }}}}:{{{{ .Value }}}},{{{{ end }}}}"

    def variable(self, dot: str, depth: int) -> str:
        self.names += 1
        name = f"$v{self.names}"
        return f"{{{{ {name} := {self.text(dot)} }}}}{{{{ {name} }}}}{self.block(dot, depth + 1)}{{{{ {name} }}}}"

    def text(self, dot: str) -> str:
        known = [
            "$.Status",
            "$.Receiver",
            '"li\\"t"',
            "`raw`",
            f"{self.labels(dot)}.alertname",
            f"{self.labels(dot)}.none",
        ]
        known += [f'(index {self.labels(dot)} "zone")', f'(printf "%s/%s" $.Status {self.labels(dot)}.zone)']
        known += [f'(join "+" {self.labels(dot)}.SortedPairs.Values)', f"(or {self.labels(dot)}.none $.Status)"]
        known += {"alert": [".Status", ".Fingerprint", ".Annotations.summary"], "text": ["."]}.get(dot, [".Status"])
        return self.rng.choice(known)

    def labels(self, dot: str) -> str:
        return self.rng.choice(["$.CommonLabels", "$.GroupLabels"] + [".Labels"] * 2 * (dot == "alert"))

    def many(self, dot: str) -> str:
        return self.rng.choice(["$.Alerts.Firing", self.labels(dot), f"{self.labels(dot)}.Names"])

    def test(self, dot: str) -> str:
        forms = [f"{self.rng.choice(['eq', 'ne'])} {self.text(dot)} {self.text(dot)}"]
        forms += [f"{self.rng.choice(['gt', 'le'])} (len {self.many(dot)}) {self.rng.randint(0, 3)}"]
        forms += [f"and {self.text(dot)} {self.text(dot)}", f"not {self.text(dot)}"]
        return self.rng.choice(forms)


def theirs(template: str, data: dict[str, Any], folder: Path) -> str:
    (folder / "named.tmpl").write_text(NAMED)
    (folder / "data.json").write_text(json.dumps(data))
    finished = subprocess.run(
        [
            "amtool", "template", "render", f"--template.glob={folder}/*.tmpl", f"--template.text={template}",
            f"--template.data={folder}/data.json",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def ours(template: str, data: dict[str, Any]) -> str:
    jinja = Translator.reading([NAMED]).translate(template)
    alerts = tuple(
        AlertView(
            one["fingerprint"],
            Status(one["status"]),
            one["labels"],
            one["annotations"],
            datetime.fromisoformat(one["startsAt"]),
            datetime.fromisoformat(one["endsAt"]),
            generator_url=one["generatorURL"],
        )
        for one in data["alerts"]
    )
    view = IncidentView(
        Reason.OPENED,
        Status(data["status"]),
        "id",
        "channel",
        data["receiver"],
        "source",
        "route",
        alerts,
        data["groupLabels"],
        "critical",
        datetime.fromisoformat("2026-03-01T09:00:00Z"),
        "dedup",
        external_url=data["externalURL"],
    )
    message = render(view, ConsoleChannel.Options(type="console", text=jinja), _Exact(data))
    assert message.note == "", (jinja, message.note)
    return message.text


class _Exact(Templates):
    """Renders with the common labels of the data, which need not be what the alerts have in common."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__()
        self._data = data

    def render(self, template, /, **context):
        context["common_labels"] = self._data["commonLabels"]
        context["common_annotations"] = self._data["commonAnnotations"]
        return super().render(template, **context)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_translated_template_says_what_amtool_says(template, tmp_path):
    assert ours(template, DATA) == theirs(template, DATA, tmp_path)


@pytest.mark.parametrize(
    "template", [each for each in TEMPLATES if "index .Alerts" not in each and "index .G" not in each]
)
def test_a_translated_template_says_the_same_of_nothing(template, tmp_path):
    assert ours(template, QUIET) == theirs(template, QUIET, tmp_path)


def test_random_templates_say_what_amtool_says(tmp_path):
    for number in range(RANDOM // 10):
        maker = Random(random.Random(f"{SEED}-template-{number}"))
        template = "\n=====\n".join(maker.block("data", 0) for _ in range(10))
        data = DATA if number % 4 else QUIET
        assert ours(template, data).split("=====") == theirs(template, data, tmp_path).split("====="), template
