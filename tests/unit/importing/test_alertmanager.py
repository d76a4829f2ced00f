"""How settings of an alertmanager.yml are inherited, and what becomes of odd ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.domain.errors import ConfigError
from bridge.importing.alertmanager import Imported, import_file
from bridge.importing.output import write
from bridge.secrets.binding import Binding
from bridge.secrets.keyring import Keyring

ROUTE = {"receiver": "r"}


def imported(tmp_path: Path, receiver: dict[str, Any], **sections: Any) -> Imported:
    """Without a key: secrets are references to variables."""
    file = tmp_path / "am.yml"
    content = {"route": ROUTE, "receivers": [{"name": "r", **receiver}], **sections}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return import_file(file, None, "default")


def channel(found: Imported, name: str) -> dict[str, Any]:
    channels = found.sections["channels"]
    assert isinstance(channels, dict)
    options = channels[name]
    assert isinstance(options, dict)
    return options


def outcomes(found: Imported, path: str) -> list[str]:
    return [entry.outcome for entry in found.entries if entry.path == path]


MAIL = {"smtp_smarthost": "smtp.example.org:587", "smtp_from": "am@example.org"}


@pytest.mark.parametrize(
    ("general", "own", "tls"),
    [
        ({}, {}, None),
        ({"smtp_smarthost": "smtp.example.org:465"}, {}, "implicit"),
        ({"smtp_smarthost": "smtp.example.org:465"}, {"force_implicit_tls": False}, None),
        ({"smtp_force_implicit_tls": True}, {}, "implicit"),
        ({"smtp_require_tls": False}, {}, "none"),
        ({"smtp_require_tls": False}, {"require_tls": True}, None),
        ({"smtp_require_tls": False, "smtp_auth_username": "u", "smtp_auth_password": "p"}, {}, None),
    ],
)
def test_mail_is_encrypted_as_it_was_or_better(
    tmp_path: Path, general: dict[str, Any], own: dict[str, Any], tls: str | None
) -> None:
    found = imported(tmp_path, {"email_configs": [{"to": "o@example.org", **own}]}, **{"global": {**MAIL, **general}})

    assert channel(found, "r-email-1").get("tls") == tls


def test_a_password_of_ones_own_goes_before_the_general_one(tmp_path: Path) -> None:
    general = {**MAIL, "smtp_auth_username": "u", "smtp_auth_password_file": "mail.txt"}
    own = {"to": "o@example.org", "auth_password": "p"}
    found = imported(tmp_path, {"email_configs": [own, {"to": "o@example.org"}]}, **{"global": general})

    assert channel(found, "r-email-1")["password"] == "env:ALERTBRIDGE_R_EMAIL_1_PASSWORD"
    assert channel(found, "r-email-2")["password"] == f"file:{tmp_path}/mail.txt"


@pytest.mark.parametrize("to", ["{{ .CommonLabels.mail }}", "nobody", "a@b@c"])
def test_mail_to_no_address_leaves_a_placeholder(tmp_path: Path, to: str) -> None:
    found = imported(tmp_path, {"email_configs": [{"to": to}]}, **{"global": MAIL})

    assert found.sections["receivers"] == {"r": ["r-placeholder-1"]}
    assert "left_out" in outcomes(found, "receivers[0].email_configs[0]")


def test_an_http_config_of_ones_own_replaces_the_general_one_as_a_whole(tmp_path: Path) -> None:
    general = {"authorization": {"credentials": "g"}, "follow_redirects": False}
    own = {"url": "https://a.example/x", "http_config": {"basic_auth": {"username": "u", "password": "p"}}}
    found = imported(
        tmp_path, {"webhook_configs": [own, {"url": "https://b.example/x"}]}, **{"global": {"http_config": general}}
    )

    first, second = channel(found, "r-webhook-1"), channel(found, "r-webhook-2")
    assert first["basic"] == {"username": "u", "password": "env:ALERTBRIDGE_R_WEBHOOK_1_BASIC_PASSWORD"}
    assert "bearer" not in first
    assert second["bearer"] == "env:ALERTBRIDGE_R_WEBHOOK_2_BEARER"


def test_an_authorization_of_another_type_becomes_a_header(tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    hook = {"url": "http://a.example", "http_config": {"authorization": {"type": "Token", "credentials": "t0ken"}}}
    file.write_text(yaml.safe_dump({"route": ROUTE, "receivers": [{"name": "r", "webhook_configs": [hook]}]}))
    ring = Keyring.generate()
    sealed = channel(import_file(file, ring.public(), "default"), "r-webhook-1")["headers"]["Authorization"]

    place = Binding.at("default", ("channels", "r-webhook-1", "headers", "Authorization"))
    assert ring.open(sealed, place) == "Token t0ken"


def test_what_all_calls_have_in_common_is_a_setting_of_all_calls(tmp_path: Path) -> None:
    general = {"proxy_url": "http://proxy.example:3128", "tls_config": {"ca_file": "ca.pem"}}
    both = [{"url": "https://a.example/x"}, {"url": "https://b.example/x"}]
    found = imported(tmp_path, {"webhook_configs": both}, **{"global": {"http_config": general}})

    assert found.sections["http"] == {"proxy": "http://proxy.example:3128", "ca_file": f"{tmp_path}/ca.pem"}
    assert found.left_out == ()


def test_a_proxy_that_only_some_calls_take_is_listed(tmp_path: Path) -> None:
    some = [{"url": "https://a.example/x", "http_config": {"proxy_url": "http://p:1"}}, {"url": "https://b.example/x"}]
    found = imported(tmp_path, {"webhook_configs": some})

    assert "http" not in found.sections
    assert [entry.path for entry in found.left_out] == ["receivers[0].webhook_configs[0].http_config.proxy_url"]


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://127.0.0.1:5001/", True),
        ("http://hook.example", True),
        ("http://hook.example/token", False),
        ("http://hook.example?key=1", False),
        ("http://user:pass@hook.example/", False),
        ("http://[broken/", False),
    ],
)
def test_a_webhooks_url_stays_readable_only_if_it_is_no_more_than_a_host(tmp_path: Path, url: str, kept: bool) -> None:
    found = imported(tmp_path, {"webhook_configs": [{"url": url}]})

    assert (channel(found, "r-webhook-1")["url"] == url) is kept


def test_a_masked_secret_is_listed_and_asked_for(tmp_path: Path) -> None:
    found = imported(tmp_path, {"pagerduty_configs": [{"routing_key": "<secret>"}]})

    assert channel(found, "r-pagerduty-1")["routing_key"] == "env:ALERTBRIDGE_R_PAGERDUTY_1_ROUTING_KEY"
    assert [entry.how for entry in found.left_out] == ["the secret itself is not in the file"]


def test_names_that_differ_only_in_what_a_channel_may_not_have_get_channels_of_their_own(tmp_path: Path) -> None:
    hook = {"webhook_configs": [{"url": "http://a.example"}]}
    file = tmp_path / "am.yml"
    receivers = [
        {"name": "a/b", **hook},
        {"name": "a-b", **hook},
        {"name": "a\tb", **hook},
        {"name": "x" * 300, **hook},
    ]
    file.write_text(yaml.safe_dump({"route": {"receiver": "a/b"}, "receivers": receivers}))
    found = import_file(file, None, "default")

    assert found.sections["receivers"] == {
        "a/b": ["a-b-webhook-1"],
        "a-b": ["a-b-webhook-2"],
        "a\tb": ["a-b-webhook-3"],
        "x" * 300: ["x" * 180 + "-1"],
    }


def test_a_key_that_nobody_knows_is_listed_at_its_place(tmp_path: Path) -> None:
    found = imported(tmp_path, {"webhook_configs": [{"url": "http://a.example", "new": {"deep": [1, 2]}}]}, newer=1)

    assert [(entry.path, entry.how) for entry in found.left_out] == [
        ("receivers[0].webhook_configs[0].new", "no key of this name is known here"),
        ("newer", "no key of this name is known here"),
    ]


def test_settings_that_nobody_uses_are_no_loss(tmp_path: Path) -> None:
    found = imported(tmp_path, {}, **{"global": {**MAIL, "opsgenie_api_key": "k", "http_config": {"proxy_url": "p"}}})

    assert found.left_out == ()
    assert found.sections["receivers"] == {"r": []}


def test_texts_of_the_tree_are_the_same_after_they_were_written_and_read(tmp_path: Path) -> None:
    odd = ['a="\\"x\\\\y\\n"', "b=~^(?:a|b)$", 'c!="grün 🔥"', "d=yes", "e=1.0", 'f="  "', "{g='h'}", "i=~'#'"]
    file = tmp_path / "am.yml"
    tree = {"receiver": "r", "routes": [{"matchers": odd, "match": {"x": "null", "y": "", "z": "\ttab "}}]}
    file.write_text(yaml.safe_dump({"route": tree, "receivers": [{"name": "r"}]}))
    found = import_file(file, None, "default")

    assert yaml.safe_load(write(found.sections, "x"))["route"] == tree


def test_aliases_and_merge_keys_are_written_out(tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    file.write_text(
        "hook: &hook {url: 'http://a.example', send_resolved: false}\n"
        "route: {receiver: a}\n"
        "receivers:\n"
        "- {name: a, webhook_configs: [*hook, {<<: *hook, send_resolved: true}]}\n"
    )
    found = import_file(file, None, "default")

    assert channel(found, "a-webhook-1") == {"type": "webhook", "url": "http://a.example", "send_resolved": False}
    assert channel(found, "a-webhook-2") == {"type": "webhook", "url": "http://a.example"}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
        + "".join(
            f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("bcdefg", "cdefgh", strict=True)
        ),
        "a: &a {b: *a}\n",
        "a: " + "[" * 500 + "]" * 500,
        "a: &a 1\n<<: *a\n",
        "a: !vault b",
        "a: !!binary aGVsbG8=",
    ],
    ids=["multiplying", "recursive", "deep", "merged scalar", "tag", "binary"],
)
def test_a_file_made_to_hurt_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "am.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"am\.yml:\d+:\d+: "):
        import_file(file, None, "default")


def test_a_second_document_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    file.write_text("route: {receiver: r}\nreceivers: [{name: r}]\n---\nroute: {}\n")

    assert [entry.at for entry in import_file(file, None, "default").left_out] == [f"{file}:4:1"]
