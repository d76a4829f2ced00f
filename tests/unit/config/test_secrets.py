"""Secret fields: references are kept, plain text is refused, and nothing is ever echoed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.channels.api import ChannelOptions
from bridge.config.open_secrets import SecretOpener, open_access, open_channel, open_source
from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring
from tests.unit.config.written import load_text, said, valid

ROUTE = "\nroute: {receiver: a}\n"


def channel(options: str) -> str:
    return f"channels:\n  a: {{{options}}}{ROUTE}"


def test_plain_text_in_a_secret_field_is_an_error_that_says_how_to_seal_it(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, channel("type: slack, webhook_url: https://hooks.example.com/s3cret"))

    assert loaded.config is None
    assert said(loaded) == [
        (
            "main.yml:2:33: channels.a.webhook_url is a secret in plain text; seal it "
            "(`alertbridge secrets seal --for channels/a/webhook_url`), or write env:NAME or file:/path"
        )
    ]


def test_plain_text_is_one_warning_where_it_is_allowed(tmp_path: Path) -> None:
    text = "secrets: {allow_plaintext: true}\nsources: {s: {auth: {bearer: [x, y]}}}\n"
    loaded = load_text(tmp_path, text + channel("type: slack, webhook_url: https://hooks.example.com/s3cret"))

    assert said(loaded) == [
        (
            "main.yml:1:11: warning: secrets in plain text are allowed, and stand at: "
            "sources/s/auth.bearer.0, sources/s/auth.bearer.1, channels/a/webhook_url"
        )
    ]
    assert valid(loaded).channels["a"].options is not None


def test_a_url_that_may_be_plain_is_no_error(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, channel("type: webhook, url: https://example.com/")))

    assert config.channels["a"].options is not None


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ("sources: {s: {auth: {bearer: p}}}", "sources/s/auth.bearer"),
        ("sources: {s: {auth: {basic: {username: u, password: p}}}}", "sources/s/auth.basic.password"),
        ("sources: {s: {auth: {hmac_secret: [p]}}}", "sources/s/auth.hmac_secret.0"),
        ("access: {tokens: [{name: ui, roles: [viewer], token: p}]}", "access/tokens/ui/token"),
        ("credentials: {bot: {token: p}}", "credentials/bot/token"),
    ],
)
def test_every_section_guards_its_secrets(tmp_path: Path, section: str, where: str) -> None:
    found = said(load_text(tmp_path, section + "\n" + channel("type: console")))

    assert len(found) == 1
    assert f"--for {where}`" in found[0]


@pytest.mark.parametrize("text", ["sealed:v1:short", "sealed:v9:0123456789abcdef:AAAA", "sealed:", "env:", "file:"])
def test_a_malformed_reference_is_an_error_that_does_not_repeat_it(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, channel(f"type: slack, webhook_url: '{text}'"))

    assert loaded.config is None
    assert [(found.line, found.column) for found in loaded.errors] == [(2, 33)]
    assert "short" not in said(loaded)[0]


def test_a_sealed_text_is_judged_by_its_form_alone(tmp_path: Path) -> None:
    sealed = Keyring.generate().seal("x", Binding("default", "channels", "elsewhere", "webhook_url"))

    valid(load_text(tmp_path, channel(f"type: slack, webhook_url: '{sealed}'")))


def test_a_sealed_text_where_no_secret_belongs_is_an_error(tmp_path: Path) -> None:
    assert said(load_text(tmp_path, channel("type: console, title: 'sealed:v1:x'"))) == [
        ("main.yml:2:29: channels.a.title is no secret, so a sealed text is not opened here; write it in plain text")
    ]


def test_a_missing_variable_or_file_of_a_secret_is_a_warning(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path, channel("type: slack, webhook_url: 'file:/absent/x'") + "sources: {s: {auth: {bearer: 'env:NO'}}}"
    )

    assert said(loaded) == [
        "main.yml:2:33: warning: channels.a.webhook_url: /absent/x cannot be read: No such file or directory",
        "main.yml:4:30: warning: sources.s.auth.bearer: the environment variable NO is not set",
    ]
    assert loaded.config is not None


def test_any_option_takes_a_reference(tmp_path: Path) -> None:
    (tmp_path / "title").write_text("From a file\n")
    text = channel(f"type: console, title: 'file:{tmp_path}/title', max_in_flight: env:MANY, send_resolved: env:TOLD")
    config = valid(load_text(tmp_path, text, {"MANY": "7", "TOLD": "false"}))

    options = config.channels["a"].options
    assert options is not None
    assert (options.title, options.max_in_flight, options.send_resolved) == ("From a file", 7, False)


def test_a_template_that_looks_like_a_reference_stays_a_template(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, channel("type: console, title: 'file:{{ severity }}', text: 'env: all'")))

    options = config.channels["a"].options
    assert options is not None
    assert (options.title, options.text) == ("file:{{ severity }}", "env: all")


def test_a_missing_variable_of_a_plain_option_parks_the_channel(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, channel("type: email, smarthost: env:HOST, from: a@example.com, to: [env:ONE]"))

    entry = valid(loaded).channels["a"]
    assert entry.options is None
    assert entry.problem == "channels.a.smarthost: the environment variable HOST is not set"
    assert said(loaded) == [
        "main.yml:2:31: warning: channels.a.smarthost: the environment variable HOST is not set; the channel parks until it is there",
        "main.yml:2:67: warning: channels.a.to.0: the environment variable ONE is not set; the channel parks until it is there",
    ]


def test_other_errors_of_a_channel_that_parks_are_still_errors(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, channel("type: console, title: env:NO, rate: fast, nonsense: x"))

    assert [(found.line, found.column) for found in loaded.errors] == [(2, 43), (2, 49)]


def test_a_missing_variable_outside_of_channels_is_an_error(tmp_path: Path) -> None:
    assert said(load_text(tmp_path, "server: {listen: env:WHERE}\n" + channel("type: console"))) == [
        "main.yml:1:18: server.listen: the environment variable WHERE is not set"
    ]


def test_a_credential_must_exist_and_have_the_field(tmp_path: Path) -> None:
    text = (
        "credentials:\n  bot: {token: env:A, signing: env:A}\n"
        "channels:\n  a: {type: slack, webhook_url: 'credential:bott'}\n"
        "  b: {type: slack, webhook_url: 'credential:bot'}"
    )
    assert said(load_text(tmp_path, text + ROUTE, {"A": "x"})) == [
        "main.yml:4:33: there is no credential 'bott'; did you mean 'bot'?",
        "main.yml:5:33: the credential 'bot' has no 'webhook_url'; known: signing, token",
    ]


def test_a_credential_of_several_fields_gives_the_one_of_the_same_name(tmp_path: Path) -> None:
    text = (
        "credentials:\n  bot: {signing: env:S, token: env:T}\n  hook: {only: env:S}\n"
        "channels:\n  a: {type: slack, token: 'credential:bot', channel: x}\n"
        "  b: {type: slack, webhook_url: 'credential:hook'}"
    )
    environ = {"S": "signing", "T": "token"}
    config = valid(load_text(tmp_path, text + ROUTE, environ))
    opener = SecretOpener.of(config, None, environ)

    assert option(open_channel(config, "a", opener), "token") == Secret("token")
    assert option(open_channel(config, "b", opener), "webhook_url") == Secret("signing")


def test_no_problem_ever_holds_a_value_of_a_secret_field(tmp_path: Path) -> None:
    text = (
        "secrets: {allow_plaintext: true}\n"
        "channels:\n  a: {type: slack, webhook_url: [s3cret], token: {x: s3cret}}\n"
        "  b: {type: webhook, url: s3cret, bearer: [s3cret]}\n"
        "sources: {s: {auth: {bearer: {x: s3cret}, hmac_secret: [[s3cret]]}}}\n"
        "access: {tokens: [{name: x, roles: [s3cret-role], token: [s3cret]}]}"
    )
    loaded = load_text(tmp_path, text + ROUTE)

    assert loaded.config is None
    assert loaded.errors
    assert not [line for line in said(loaded) if "s3cret" in line.replace("s3cret-role", "")]


def test_nothing_loaded_prints_its_secrets(tmp_path: Path) -> None:
    text = "secrets: {allow_plaintext: true}\n" + channel("type: slack, webhook_url: https://s3cret.example.com/")
    loaded = load_text(tmp_path, text)

    assert "s3cret" not in repr(loaded.config)
    assert "s3cret" not in repr(loaded.secrets)


def sealed(keyring: Keyring, text: str, where: str, environment: str = "production") -> str:
    return keyring.seal(text, Binding.parse(environment, where))


def option(options: ChannelOptions, name: str) -> object:
    return getattr(options, name)


def test_opening_replaces_every_secret_and_nothing_else(tmp_path: Path) -> None:
    keyring = Keyring.generate()
    text = f"""
secrets: {{environment: production}}
credentials: {{bot: {{token: "{sealed(keyring, "b0t", "credentials/bot/token")}"}}}}
sources:
  am: {{auth: {{bearer: ["env:NEW", "{sealed(keyring, "old", "sources/am/auth.bearer")}"]}}}}
  g: {{auth: {{basic: {{username: u, password: "{sealed(keyring, "pw", "sources/g/auth.basic.password")}"}}}}}}
access: {{tokens: [{{name: ui, roles: [viewer], token: "{sealed(keyring, "t0k", "access/tokens/ui/token")}"}}]}}
channels:
  a: {{type: slack, token: "credential:bot", channel: ops}}
  b: {{type: slack, webhook_url: "{sealed(keyring, "https://b", "channels/b/webhook_url")}"}}
route: {{receiver: a}}
"""
    environ = {"NEW": "new"}
    config = valid(load_text(tmp_path, text, environ))
    opener = SecretOpener.of(config, keyring, environ)

    assert option(open_channel(config, "a", opener), "token") == Secret("b0t")
    assert option(open_channel(config, "b", opener), "webhook_url") == Secret("https://b")
    assert option(open_channel(config, "a", opener), "channel") == "ops"
    am, grafana = open_source(config, "am", opener).auth, open_source(config, "g", opener).auth
    assert am is not None
    assert am.bearer == (Secret("new"), Secret("old"))
    assert grafana is not None
    assert grafana.basic is not None
    assert grafana.basic.password == (Secret("pw"),)
    access = open_access(config, opener)
    assert access is not None
    assert access.tokens[0].token == Secret("t0k")
    assert opener.options(config.storage, "storage").url == Secret("sqlite:var/bridge.db")
    assert config.channels["a"].options is not None
    assert option(config.channels["a"].options, "token") == Secret("credential:bot")


@pytest.mark.parametrize(
    ("where", "environment"),
    [
        ("channels/b/webhook_url", "production"),
        ("channels/a/token", "production"),
        ("channels/a/webhook_url", "staging"),
    ],
)
def test_a_sealed_text_opens_only_where_it_was_sealed_for(tmp_path: Path, where: str, environment: str) -> None:
    keyring = Keyring.generate()
    text = f"""
secrets: {{environment: production}}
channels: {{a: {{type: slack, webhook_url: "{sealed(keyring, "x", where, environment)}"}}}}
route: {{receiver: a}}
"""
    config = valid(load_text(tmp_path, text))

    with pytest.raises(SecretError, match="channels/a/webhook_url: does not open"):
        open_channel(config, "a", SecretOpener.of(config, keyring))


def test_the_older_of_two_secrets_opens_in_either_place(tmp_path: Path) -> None:
    keyring = Keyring.generate()
    by_place = sealed(keyring, "one", "sources/s/auth.hmac_secret.0", "default")
    by_list = sealed(keyring, "two", "sources/s/auth.hmac_secret", "default")
    text = f'sources: {{s: {{auth: {{hmac_secret: ["{by_place}", "{by_list}"]}}}}}}\n' + channel("type: console")
    config = valid(load_text(tmp_path, text))

    auth = open_source(config, "s", SecretOpener.of(config, keyring)).auth
    assert auth is not None
    assert auth.hmac_secret == (Secret("one"), Secret("two"))


def test_a_channel_that_parks_does_not_open(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, channel("type: console, title: env:NO")))

    with pytest.raises(SecretError, match="NO is not set"):
        open_channel(config, "a", SecretOpener.of(config, None, {}))


def test_every_secret_in_force_is_listed_with_its_place(tmp_path: Path) -> None:
    text = "sources: {s: {auth: {bearer: [env:A, env:A]}}}\n" + channel("type: slack, webhook_url: env:A")
    loaded = load_text(tmp_path, text, {"A": "x"})

    assert [(use.path, use.mark.line) for use in loaded.secrets] == [
        (("sources", "s", "auth", "bearer", "0"), 1),
        (("sources", "s", "auth", "bearer", "1"), 1),
        (("channels", "a", "webhook_url"), 3),
    ]
    opener = SecretOpener("default", None, environ={"A": "x"})
    assert [opener.use(use) for use in loaded.secrets] == [Secret("x")] * 3
