"""`alertbridge import alertmanager`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bridge.cli import check, importing
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring
from bridge.secrets.public_keys import PublicKeys

CANARY = "canary-5d1c"
OURS_ALONE = f"""
global:
  resolve_timeout: 7m
  smtp_smarthost: smtp.example.org:587
  smtp_from: am@example.org
  smtp_auth_username: am
  smtp_auth_password: {CANARY}-mail
  slack_api_url: https://hooks.slack.com/services/T0/B0/{CANARY}
  http_config: {{proxy_url: 'http://proxy.example:3128'}}
templates: ['*.tmpl']
route:
  receiver: team a/b (c)
  group_by: [alertname]
  routes:
    - {{matchers: ['team="x"'], receiver: 'null', continue: true}}
    - {{match_re: {{service: ^(foo|bar)$}}, receiver: pager}}
receivers:
  - name: team a/b (c)
    slack_configs:
      - {{channel: '#ops', title: '{{{{ template "ours" . }}}}', send_resolved: true}}
    email_configs:
      - {{to: 'ops@example.org', headers: {{Subject: '{{{{ .Status | toUpper }}}}'}}}}
  - name: pager
    pagerduty_configs:
      - {{routing_key: {CANARY}-key, severity: '{{{{ .CommonLabels.severity }}}}'}}
    webhook_configs:
      - url: https://hook.example/{CANARY}
        http_config:
          authorization: {{credentials: {CANARY}-bearer}}
          http_headers: {{X-Key: {{secrets: [{CANARY}-header]}}, X-Team: {{values: [web]}}}}
          proxy_url: http://proxy.example:3128
  - name: 'null'
"""
FOREIGN = "route: {receiver: ops}\nreceivers: [{name: ops, opsgenie_configs: [{api_key: canary-5d1c}]}]\n"


@pytest.fixture(autouse=True)
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERTBRIDGE_KEYRING", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    file = tmp_path / "alertmanager.yml"
    file.write_text(OURS_ALONE)
    (tmp_path / "our.tmpl").write_text('{{ define "ours" }}{{ .CommonLabels.alertname }}!{{ end }}')
    return file


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(importing.app, ["alertmanager", *arguments])
    assert CANARY not in result.output
    return result


def checked(*arguments: str) -> Result:
    app = importing.typer.Typer()
    check.register(app)
    return CliRunner().invoke(app, [*arguments])


def test_what_has_its_counterpart_exits_with_0_and_every_secret_opens() -> None:
    result = run("alertmanager.yml", "--keygen", "--output", "routes/main.yml")

    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "0 left out, 0 variables to be set, 0 errors" in result.stderr
    assert CANARY not in Path("routes/main.yml").read_text()
    assert checked("--secrets").exit_code == 0, checked("--secrets").output


def test_a_secret_is_sealed_for_its_place_and_environment() -> None:
    ring = Keyring.generate()
    ring.create(Path("ring.json"))
    result = run("alertmanager.yml", "--keyring", "ring.json", "--environment", "staging", "--output", "out.yml")

    assert result.exit_code == 0, result.output
    written = importing.load(Path("out.yml"), importing.ChannelRegistry.load(), importing.HookRegistry.load())
    opened = {use.path: ring.open(use.reference.reveal(), Binding.at("staging", use.path)) for use in written.secrets
              if use.form == "sealed"}  # fmt: skip
    assert opened == {
        ("channels", "team a-b (c)-slack-1", "webhook_url"): f"https://hooks.slack.com/services/T0/B0/{CANARY}",
        ("channels", "team a-b (c)-email-1", "password"): f"{CANARY}-mail",
        ("channels", "pager-pagerduty-1", "routing_key"): f"{CANARY}-key",
        ("channels", "pager-webhook-1", "url"): f"https://hook.example/{CANARY}",
        ("channels", "pager-webhook-1", "bearer"): f"{CANARY}-bearer",
        ("channels", "pager-webhook-1", "headers", "X-Key"): f"{CANARY}-header",
    }
    assert checked("out.yml", "--secrets").exit_code == 0, "the output says which keyring and environment"


def test_the_public_keys_are_enough() -> None:
    PublicKeys.of(Keyring.generate()).save(Path("public.keys"))

    assert run("alertmanager.yml", "--public-keys", "public.keys", "--secrets", "seal").exit_code == 0


def test_without_an_output_the_configuration_goes_to_standard_output_and_the_report_to_standard_error() -> None:
    result = run("alertmanager.yml", "--secrets", "env")

    assert result.exit_code == 0
    assert result.stdout.startswith("# Made from alertmanager.yml")
    assert "webhook_url: env:ALERTBRIDGE_TEAM_A_B_C_SLACK_1_WEBHOOK_URL\n" in result.stdout
    assert "LEFT OUT" not in result.stderr
    assert "to be set: the variable ALERTBRIDGE_PAGER_WEBHOOK_1_BEARER" in result.stderr


def test_without_a_keyring_nothing_is_sealed_and_that_is_said() -> None:
    result = run("alertmanager.yml", "--output", "out.yml")

    assert result.exit_code == 1
    assert "nothing was sealed, because there is no keyring: --keygen makes one" in result.stderr
    assert CANARY not in Path("out.yml").read_text()
    assert checked("out.yml").exit_code == 0


def test_insisting_on_sealing_fails_without_a_key() -> None:
    result = run("alertmanager.yml", "--secrets", "seal", "--output", "out.yml")

    assert result.exit_code == 3
    assert "no key to seal to" in result.stderr
    assert not Path("out.yml").exists()


def test_a_file_is_overwritten_only_by_force() -> None:
    Path("out.yml").write_text("mine")

    refused = run("alertmanager.yml", "--secrets", "env", "--output", "out.yml")
    assert (refused.exit_code, Path("out.yml").read_text()) == (2, "mine")
    assert run("alertmanager.yml", "--secrets", "env", "--output", "out.yml", "--force").exit_code == 0
    assert "receivers:" in Path("out.yml").read_text()


def test_what_has_no_counterpart_is_listed_with_its_place_and_exits_with_1() -> None:
    Path("foreign.yml").write_text(FOREIGN)
    result = run("foreign.yml", "--keygen", "--output", "out.yml")

    assert result.exit_code == 1
    assert (
        "foreign.yml:2:44: receivers[0].opsgenie_configs[0]: LEFT OUT: there is no channel for opsgenie here; "
        "the receiver tells over ops-placeholder-1" in result.stderr
    )


def test_a_placeholder_passes_check_with_a_warning_and_is_refused_when_secrets_are_insisted_on() -> None:
    Path("foreign.yml").write_text(FOREIGN)
    run("foreign.yml", "--output", "out.yml")

    lenient, strict = checked("out.yml"), checked("out.yml", "--secrets")
    assert lenient.exit_code == 0
    assert "ALERTBRIDGE_OPS_PLACEHOLDER_1_URL is not set" in lenient.output
    assert strict.exit_code == 1


def test_the_report_is_json_on_standard_output_if_that_is_free() -> None:
    Path("foreign.yml").write_text(FOREIGN)
    to_file = run("foreign.yml", "--output", "out.yml", "--json")
    to_standard = run("foreign.yml", "--json")

    report = json.loads(to_file.stdout)
    assert report["output"] == "out.yml"
    assert [entry["path"] for entry in report["left_out"]] == ["receivers[0].opsgenie_configs[0]"]
    assert [entry["path"] for entry in report["mapped"]] == ["route.receiver", "receivers[0].name"]
    assert to_standard.stdout.startswith("# Made from foreign.yml")
    assert json.loads(to_standard.stderr)["output"] is None


def test_an_error_that_check_would_find_is_told_and_exits_with_1() -> None:
    Path("bad.yml").write_text("route: {receiver: absent}\nreceivers: [{name: there}]\n")
    result = run("bad.yml", "--output", "out.yml")

    assert result.exit_code == 1
    assert "to be put right: out.yml:" in result.stderr
    assert "there is no receiver 'absent'" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route: [", "bad.yml:2:1: not valid YAML"),
        ("[]", "bad.yml:1:1: no mapping"),
        ("receivers: []", "bad.yml:1:1: an alertmanager.yml has a `route:`"),
        ("route: {receiver: a}\nreceivers: {name: a}", "bad.yml:2:1: receivers is a list"),
        (
            "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
            "bad.yml:2:24: every receiver has a name of its own",
        ),
        ("route: {receiver: a, continue: maybe}", "bad.yml:1:22: route.continue is true or false"),
        ("route: {receiver: a, receiver: b}", "bad.yml:1:22: 'receiver' is given twice"),
    ],
)
def test_what_is_no_alertmanager_yml_exits_with_3_and_says_where(text: str, said: str) -> None:
    Path("bad.yml").write_text(text)
    result = run("bad.yml", "--output", "out.yml")

    assert result.exit_code == 3
    assert result.stderr.startswith(said)
    assert not Path("out.yml").exists()


def test_a_file_that_is_not_there_exits_with_3() -> None:
    result = run("absent.yml")

    assert (result.exit_code, result.stderr) == (3, "absent.yml: No such file or directory\n")


def test_an_unknown_way_with_secrets_is_wrong_usage() -> None:
    assert run("alertmanager.yml", "--secrets", "plain").exit_code == 2


def test_one_option_without_a_counterpart_is_enough_for_an_exit_with_1() -> None:
    Path("one.yml").write_text(
        "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: 'http://a.example', max_alerts: 3}]}]\n"
    )
    result = run("one.yml", "--output", "out.yml")

    assert result.exit_code == 1
    assert "1 left out, 0 variables to be set, 0 errors" in result.stderr
    assert "max_alerts: LEFT OUT: there is no counterpart of max_alerts; every alert is in the payload" in result.stderr


def test_a_report_moves_no_terminal() -> None:
    Path("odd.yml").write_text('route: {receiver: "a\\e[2J\\n"}\nreceivers: [{name: "a\\e[2J\\n"}]\n')
    result = run("odd.yml", "--output", "out.yml")

    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "receivers.a\\x1b[2J\\n" in result.stderr
