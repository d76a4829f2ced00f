"""One file: what it becomes, and what is said about what is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config.values import Listen
from bridge.domain.escalation import Repeat, Step
from bridge.domain.secret import Secret
from tests.unit.config.written import SMALLEST, load_files, load_path, load_text, said, valid

FULL = """
server:
  listen: 127.0.0.1:9199
  external_url: https://alerts.example.com/bridge/
  max_body: 2MiB
  observe: 0.0.0.0:9098
storage:
  url: sqlite:var/other.db
  retention: 30d
secrets:
  keyring: var/ring.json
  environment: production
sources:
  alertmanager: {type: alertmanager, auth: {bearer: "env:TOKEN"}}
  grafana: {auth: {hmac_secret: ["env:TOKEN", "env:OLD"], timestamp_header: X-Time}, settle: 10s}
channels:
  team-slack: {type: slack, webhook_url: "env:TOKEN", send_resolved: no, max_in_flight: 4}
  mail:
    type: email
    smarthost: smtp.example:587
    from: alerts@example.com
    to: [ops@example.com]
    username: x
    password: "env:TOKEN"
    fallback: team-slack
receivers:
  payments: [team-slack, mail]
escalations:
  payments:
    - after: 5m
      notify: [mail]
    - after: 15m
      notify: [payments]
      repeat: {every: 30m, times: 3}
hooks:
  - dedupe
fallback: mail
reopen_within: 2h
severity: {label: priority, order: [p1, p2]}
access: {tokens: [{name: ui, roles: [viewer], token: "env:TOKEN"}], anonymous: [ingest]}
egress: {allow: [10.0.0.0/8], deny: [private, 192.0.2.1]}
exec: {directories: [/opt/alerts]}
log: {format: json, level: debug}
route:
  receiver: team-slack
  group_by: [alertname, cluster]
  routes:
    - name: payments-critical
      matchers: ['team="payments"', 'severity=~"critical|page"']
      receiver: payments
      hooks:
        - dedupe: {window: 5m}
        - escalate: payments
"""
ENVIRON = {"TOKEN": "t0ken", "OLD": "0ld"}


def test_a_whole_configuration_becomes_typed_values(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, FULL, ENVIRON))

    assert config.server.listen == Listen("127.0.0.1", 9199)
    assert config.server.url == "https://alerts.example.com/bridge"
    assert config.server.max_body == 2 * 2**20
    assert config.server.observe == Listen("0.0.0.0", 9098)
    assert config.storage.url == Secret("sqlite:var/other.db")
    assert config.storage.retention == timedelta(days=30)
    assert config.secrets.environment == "production"
    assert config.channels["team-slack"].options is not None
    assert config.channels["team-slack"].options.send_resolved is False
    assert config.channels["team-slack"].options.max_in_flight == 4
    assert config.channels["mail"].where == f"{tmp_path}/main.yml:18:3"
    assert config.receivers == {"payments": ("team-slack", "mail")}
    assert config.escalations == {
        "payments": (
            Step(timedelta(minutes=5), ("mail",)),
            Step(timedelta(minutes=15), ("payments",), Repeat(timedelta(minutes=30), 3)),
        )
    }
    assert config.fallback == "mail"
    assert config.reopen_within == timedelta(hours=2)
    assert config.severity.order == ("p1", "p2")
    assert config.egress.deny_private
    assert [str(network) for network in config.egress.denied_networks] == ["192.0.2.1/32"]
    assert config.exec.directories == (Path("/opt/alerts"),)
    assert config.log.format == "json"
    assert [call.name for call in config.hooks] == ["dedupe"]


def test_secret_fields_keep_their_references(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, FULL, ENVIRON))

    grafana = config.sources["grafana"].auth
    assert grafana is not None
    assert grafana.hmac_secret == (Secret("env:TOKEN"), Secret("env:OLD"))
    assert grafana.timestamp_header == "X-Time"
    assert config.access is not None
    assert config.access.tokens[0].token == Secret("env:TOKEN")


def test_channels_and_a_route_are_a_complete_configuration(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, SMALLEST))

    assert config.server.listen == Listen("127.0.0.1", 9099)
    assert config.server.url == "http://127.0.0.1:9099"
    assert config.storage.url == Secret("sqlite:var/bridge.db")
    assert config.access is None
    assert config.reopen_within == timedelta(hours=1)
    assert list(config.sources) == ["default"]
    assert config.sources["default"].type == "auto"
    assert config.sources["default"].auth is None


def test_with_a_sources_section_nothing_is_open_that_is_not_listed(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, SMALLEST + "sources: {am: {}}"))

    assert list(config.sources) == ["am"]


def test_a_channels_name_is_a_receiver_and_a_receiver_wins(tmp_path: Path) -> None:
    text = "channels: {a: {type: console}, b: {type: console}}\nreceivers: {a: [b]}\nroute: {receiver: a}"
    config = valid(load_text(tmp_path, text))

    assert config.channels_of("a") == ("b",)
    assert config.channels_of("b") == ("b",)
    assert config.channels_of("c") == ()


def test_every_error_is_reported_at_once_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
chanels: {}
server: {listen: nowhere, max_body: 3 apples, listne: x}
channels:
  a: {type: slak}
  b: {type: console, max_in_flight: many, titel: x}
  c: {webhook_url: env:X}
receivers:
  r: [a, a, z]
escalations:
  e: [{after: 5m, notify: [nobody]}, {after: 5m, notify: [a]}]
route:
  receiver: q
  routes:
    - {matchers: ['a=~"("'], group_wait: soon, recever: a}
    - {matchers: [b=c], hooks: [dedup, dedupe: {window: x}, escalate: zz]}
fallback: nobody
"""
    assert said(load_text(tmp_path, text)) == [
        "main.yml:2:1: unknown section 'chanels'; did you mean 'channels'?",
        "main.yml:3:18: server.listen: write an address as host:port, such as 127.0.0.1:9099 or [::1]:9099",
        "main.yml:3:37: server.max_body: '3 apples' is not a size; write it like 512KiB or 10MiB",
        "main.yml:3:47: server.listne: unknown key; did you mean 'listen'?",
        "main.yml:5:13: there is no channel type 'slak'; did you mean 'slack'?",
        "main.yml:6:37: channels.b.max_in_flight: must be a whole number",
        "main.yml:6:43: channels.b.titel: unknown key; did you mean 'title'?",
        (
            "main.yml:7:3: channels.c: type is missing; known: "
            "console, email, exec, pagerduty, sendgrid, slack, telegram, twilio_sms, webhook, workflow"
        ),
        "main.yml:9:10: receivers.r: 'a' is listed twice",
        "main.yml:9:13: there is no channel 'z'; known: a, b, c",
        "main.yml:11:28: there is no receiver 'nobody'; known: a, b, c, r",
        "main.yml:11:38: the steps are in the order of their times: `after` must grow",
        "main.yml:13:13: there is no receiver 'q'; known: a, b, c, r",
        "main.yml:15:19: matchers.1: bad regular expression '(' (RE2 syntax): missing ): ^(?:()$",
        "main.yml:15:42: group_wait: 'soon' is not a duration; write it like 30s, 5m, 1h30m or 7d",
        "main.yml:15:48: a route has no key 'recever'; did you mean 'receiver'?",
        "main.yml:16:33: there is no hook 'dedup'; did you mean 'dedupe'?",
        "main.yml:16:57: dedupe.window: 'x' is not a duration; write it like 30s, 5m, 1h30m or 7d",
        "main.yml:16:71: there is no escalation 'zz'; known: e",
        "main.yml:17:11: there is no channel 'nobody'; known: a, b, c",
    ]


def test_a_value_of_another_shape_is_told_in_the_words_of_the_file(tmp_path: Path) -> None:
    text = """
channels:
  a: {type: exec, command: rm -rf}
  b: {type: console, send_resolved: perhaps}
exec: {directories: scripts}
route: {receiver: a}
"""
    assert said(load_text(tmp_path, text)) == [
        "main.yml:3:28: channels.a.command: must be a list, such as [first, second]",
        "main.yml:4:37: channels.b.send_resolved: must be true or false",
        "main.yml:5:21: exec.directories: must be a list, such as [first, second]",
    ]


@pytest.mark.parametrize("proxy", ["ftp://proxy.example.com", "proxy.example.com:3128"])
def test_a_proxy_is_a_url_of_http(tmp_path: Path, proxy: str) -> None:
    assert said(load_text(tmp_path, f"http: {{proxy: '{proxy}'}}\n{SMALLEST}")) == [
        "main.yml:1:15: http.proxy: write the proxy's URL, such as http://proxy.example.com:3128, or a reference to it"
    ]
    assert said(load_text(tmp_path, f"http: {{proxy: 'https://u:p@proxy.example.com:1'}}\n{SMALLEST}")) == []


def test_a_name_is_not_confused_with_one_of_another_kind(tmp_path: Path) -> None:
    text = "channels: {a: {type: console}}\nreceivers: {r: [a], s: [r]}\nroute: {receiver: r}\nfallback: r"

    assert said(load_text(tmp_path, text)) == [
        "main.yml:2:25: there is no channel 'r'; known: a",
        "main.yml:4:11: there is no channel 'r'; known: a",
    ]


def test_errors_of_a_model_as_a_whole_stand_at_its_mapping(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "channels:\n  s: {type: slack}\nroute: {receiver: s}")

    assert said(loaded) == ["main.yml:2:6: channels.s: a slack channel needs either webhook_url, or token and channel"]
    assert loaded.config is None


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert said(load_text(tmp_path, "channels:\n  s: {type: webhook}\nroute: {receiver: s}")) == [
        "main.yml:2:6: channels.s.url: is missing"
    ]


def test_sections_of_the_wrong_shape_say_what_they_should_be(tmp_path: Path) -> None:
    text = "channels: [a]\nreceivers: [{name: x}]\nhooks: dedupe\nserver: x\nfallback: [a]\nroute: []\nplugins: [[]]"

    assert said(load_text(tmp_path, text)) == [
        "main.yml:1:1: no file has a `route:` section: there is no main configuration",
        "main.yml:1:11: channels is a mapping of keys to values",
        (
            "main.yml:2:12: receivers is a mapping of names to lists of channels "
            "(`alertbridge import alertmanager` translates an alertmanager.yml)"
        ),
        "main.yml:3:8: hooks is a list",
        "main.yml:4:9: server is a mapping of keys to values",
        "main.yml:5:11: fallback is one value",
        "main.yml:6:8: route is a mapping of keys to values",
        "main.yml:7:11: plugins is a list of Python files",
    ]


def test_a_path_that_is_not_there_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    loaded = load_path(tmp_path / "absent")

    assert loaded.unreadable
    assert loaded.config is None
    assert [str(found) for found in loaded.problems] == [
        f"{tmp_path}/absent:1:1: the configuration cannot be read: No such file or directory"
    ]


def test_the_digest_follows_the_texts_and_nothing_else(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("a", "b", "c"))
    for directory in (first, again, other):
        directory.mkdir()

    one = valid(load_files(first, {"main.yml": SMALLEST}))
    same = valid(load_files(again, {"main.yml": SMALLEST}))
    edited = valid(load_files(other, {"main.yml": SMALLEST + "# a comment"}))

    assert one.digest == same.digest
    assert one.digest != edited.digest
    assert len(one.digest) == 64


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [("[::1]:1", "::1", 1), (":80", "", 80), ("localhost:0", "localhost", 0), ("0.0.0.0:65535", "0.0.0.0", 65535)],
)
def test_addresses(value: str, host: str, port: int) -> None:
    assert Listen.parse(value) == Listen(host, port)


@pytest.mark.parametrize("value", ["9099", "a:b", "::1:80", "[::1]", "x:65536", "http://x:1", "", " a:1"])
def test_what_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Listen.parse(value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("", False), ("0.0.0.0", False)],
)
def test_what_counts_as_loopback(host: str, *, loopback: bool) -> None:
    assert Listen(host, 1).is_loopback is loopback


def test_an_option_without_a_value_counts_as_left_out(tmp_path: Path) -> None:
    text = (
        "channels: {a: {type: console, send_resolved: , max_in_flight: ~}}\nserver: {max_body: }\nroute: {receiver: a}"
    )
    config = valid(load_text(tmp_path, text))

    assert config.channels["a"].options is not None
    assert config.channels["a"].options.max_in_flight == 32
    assert config.server.max_body == 10 * 2**20


def test_templates_are_compiled_when_they_are_loaded(tmp_path: Path) -> None:
    text = 'channels:\n  a: {type: console, title: "{{ nonsense }}", text: "{% if %}"}\nroute: {receiver: a}'
    found = said(load_text(tmp_path, text))

    assert len(found) == 2
    assert found[0].startswith("main.yml:2:29: title: ")
    assert found[1].startswith("main.yml:2:53: text: ")


def test_a_clear_text_url_is_noted(tmp_path: Path) -> None:
    text = (
        "channels:\n  a: {type: webhook, url: http://example.com/}\n"
        "  b: {type: webhook, url: http://127.0.0.1:80/}\nroute: {receiver: a}"
    )
    loaded = load_text(tmp_path, text)

    assert said(loaded) == [
        "main.yml:2:27: note: channels.a.url is an http:// URL: what is sent there can be read on the way"
    ]
    assert loaded.config is not None


def test_a_plugin_file_brings_its_own_channel_type(tmp_path: Path) -> None:
    plugin = tmp_path / "loud.py"
    plugin.write_text(
        "from bridge.channels.api import ChannelOptions\n"
        "class LoudOptions(ChannelOptions):\n    volume: int\n"
        "class LoudChannel:\n"
        "    Options = LoudOptions\n    idempotency = 'none'\n    follows_acknowledgement = False\n"
        "    def __init__(self, name, options): pass\n"
        "    async def send(self, message, context): pass\n"
    )
    text = f"plugins: [{plugin}]\nchannels:\n  a: {{type: loud, volume: 11}}\nroute: {{receiver: a}}"
    loaded = load_text(tmp_path, text)

    config = valid(loaded)
    assert config.channels["a"].options is not None
    assert config.channels["a"].options.model_dump()["volume"] == 11
    assert "loud" in loaded.channels.names()


def test_a_plugin_file_that_does_not_load_is_an_error_at_its_place(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise RuntimeError('x')")
    found = said(load_text(tmp_path, f"plugins:\n  - {broken}\n{SMALLEST}"))

    assert len(found) == 1
    assert found[0].startswith(f"main.yml:2:5: plugin file {broken}".replace(f"{tmp_path}/", ""))


def test_a_model_that_raises_anything_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    plugin = tmp_path / "odd.py"
    plugin.write_text(
        "from pydantic import model_validator\n"
        "from bridge.channels.api import ChannelOptions\n"
        "class OddOptions(ChannelOptions):\n"
        "    @model_validator(mode='after')\n    def _odd(self): raise KeyError('s3cret')\n"
        "class OddChannel:\n"
        "    Options = OddOptions\n    idempotency = 'none'\n    follows_acknowledgement = False\n"
        "    def __init__(self, name, options): pass\n"
        "    async def send(self, message, context): pass\n"
    )
    text = f"plugins: [{plugin}]\nchannels:\n  a: {{type: odd}}\nroute: {{receiver: a}}"

    assert said(load_text(tmp_path, text)) == ["main.yml:3:6: channels.a: its options cannot be judged (KeyError)"]
