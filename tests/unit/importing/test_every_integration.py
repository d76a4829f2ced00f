"""A file with every integration and every option of Alertmanager 0.34: nothing of it is dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.channels.registry import ChannelRegistry
from bridge.config import load
from bridge.hooks.registry import HookRegistry
from bridge.importing.alertmanager import Imported, import_file
from bridge.importing.ledger import Path as KeyPath
from bridge.importing.ledger import written
from bridge.importing.output import write
from bridge.importing.report import Report
from bridge.secrets.keyring import Keyring

FILE = Path(__file__).with_name("every_integration.yml")
INTEGRATIONS = [
    "discord",
    "email",
    "incidentio",
    "jira",
    "mattermost",
    "msteams",
    "msteamsv2",
    "opsgenie",
    "pagerduty",
    "pushover",
    "rocketchat",
    "slack",
    "sns",
    "telegram",
    "victorops",
    "webex",
    "webhook",
    "wechat",
]
CHANNELS = {"email", "pagerduty", "slack", "telegram", "webhook"}


@pytest.fixture(scope="module")
def imported() -> Imported:
    return import_file(FILE, Keyring.generate().public(), "production")


def leaves(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of all values, merged ones where they are merged."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def test_the_file_has_every_integration() -> None:
    everything = yaml.safe_load(FILE.read_text())["receivers"][1]
    assert {f"{name}_configs" for name in INTEGRATIONS} <= everything.keys()


def test_every_value_is_accounted_for(imported: Imported) -> None:
    known = {entry.path for entry in imported.entries}
    missing = [
        written(path)
        for path in leaves(yaml.safe_load(FILE.read_text()))
        if not any(written(path[: length + 1]) in known for length in range(len(path)))
    ]
    assert missing == []


def test_every_option_is_known_by_its_name(imported: Imported) -> None:
    unknown = [entry.path for entry in imported.entries if "no key of this name" in entry.how]
    assert unknown == []


def test_every_place_is_one_of_the_file(imported: Imported) -> None:
    lines = FILE.read_text().splitlines()
    for entry in imported.entries:
        file, line, column = entry.at.rsplit(":", 2)
        assert file == str(FILE)
        last = re.sub(r"\[\d+\]$", "", entry.path).rsplit(".", 1)[-1]
        if not entry.path.endswith("]"):
            assert lines[int(line) - 1][int(column) - 1 :].startswith(last), entry


def test_no_secret_is_in_the_output_or_in_the_report(imported: Imported) -> None:
    text = write(imported.sections, "") + "\n".join(Report.of(imported, None, ()).lines())
    assert re.findall(r"canary-\d\d", text) == []
    assert imported.sealed == 10


@pytest.mark.parametrize("name", sorted(set(INTEGRATIONS) - CHANNELS))
def test_an_integration_without_a_channel_is_listed(imported: Imported, name: str) -> None:
    (entry,) = [entry for entry in imported.left_out if entry.path == f"receivers[1].{name}_configs[0]"]
    assert f"no channel for {name}" in entry.how
    assert "everything-webhook-1" in entry.instead


def test_a_receiver_with_nothing_left_gets_a_placeholder_and_an_empty_one_stays_empty(imported: Imported) -> None:
    receivers = imported.sections["receivers"]
    assert isinstance(receivers, dict)
    assert receivers["nobody"] == []
    assert receivers["lost"] == ["lost-placeholder-1"]
    assert [wanted.to for wanted in imported.wanted] == ["channels.lost-placeholder-1.url"]


def test_what_a_text_says_besides_whom_it_calls_is_listed(imported: Imported) -> None:
    pretext = [entry for entry in imported.entries if entry.path == "receivers[1].slack_configs[0].pretext"]
    assert {entry.outcome for entry in pretext} == {"mapped", "left_out"}


def test_the_output_is_valid(imported: Imported, tmp_path: Path) -> None:
    file = tmp_path / "main.yml"
    file.write_text(write(imported.sections, "heading"))
    loaded = load(file, ChannelRegistry.load(), HookRegistry.load())
    assert [str(error) for error in loaded.errors] == []


def test_the_sections_say_what_the_original_said(imported: Imported) -> None:
    channels = imported.sections["channels"]
    assert isinstance(channels, dict)
    shown = {
        name: {key: "SEALED" if str(value).startswith("sealed:") else value for key, value in options.items()}
        for name, options in channels.items()
        if isinstance(options, dict)
    }
    assert shown["everything-webhook-1"] | {"headers": ""} == {
        "type": "webhook", "url": "SEALED", "headers": "", "timeout": "5s", "send_resolved": False,
    }  # fmt: skip
    folder = FILE.parent
    assert shown["everything-webhook-2"]["url"] == f"file:{folder}/url.txt"
    assert "everything-webhook-3" not in shown
    assert shown["everything-slack-1"] == {
        "type": "slack",
        "webhook_url": "SEALED",
        "channel": "#ops",
        "mention": ["<!channel>"],
        "title": "{{ common_labels.alertname }}",
        "text": "{% for e1 in alerts %}<{{ e1.generator_url }}|graph>{% endfor %}",
        "timeout": "3s",
    }
    assert shown["everything-slack-2"]["token"] == "SEALED"
    assert shown["everything-slack-2"]["url"] == "https://slack.example/api"
    assert shown["everything-slack-3"] == {
        "type": "slack", "token": "SEALED", "channel": "#ops", "send_resolved": False,
    }  # fmt: skip
    assert shown["everything-telegram-1"] == {
        "type": "telegram",
        "token": "SEALED",
        "chat_id": -1001234567890,
        "message_thread_id": 7,
        "silent": True,
        "url": "https://bots.example",
        "text": "{{ common_labels.alertname }} & more ({{ external_url }})",
        "send_resolved": False,
    }
    assert shown["everything-telegram-2"] == {
        "type": "telegram",
        "token": f"file:{folder}/bot.txt",
        "chat_id": f"file:{folder}/chat.txt",
        "url": "https://telegram.example",
    }
    assert shown["everything-telegram-3"] == {
        "type": "telegram", "token": "SEALED", "chat_id": 5, "url": "https://telegram.example", "text": "*{{ status }}*. over",
    }  # fmt: skip
    assert "everything-telegram-4" not in shown
    assert shown["everything-pagerduty-1"] == {
        "type": "pagerduty",
        "routing_key": "SEALED",
        "title": "{{ common_annotations.summary }}",
        "timeout": "1m",
    }
    assert shown["everything-pagerduty-2"]["url"] == "https://events.eu.pagerduty.com/v2/enqueue"
    assert shown["everything-email-1"] == {
        "type": "email",
        "smarthost": "localhost:25",
        "from": "me@example.org",
        "to": 'ops@example.org, "Dev" <dev@example.org>',
        "username": "user",
        "password": "SEALED",
        "tls": "none",
        "helo": "other.example.org",
        "headers": {"X-Team": "web"},
        "title": "{{ common_labels.alertname }}",
        "send_resolved": False,
    }


def test_marks_of_a_message_that_are_not_shown_are_listed(imported: Imported) -> None:
    messages = {
        number: {
            entry.outcome
            for entry in imported.entries
            if entry.path == f"receivers[1].telegram_configs[{number}].message"
        }
        for number in (0, 2)
    }
    assert messages == {0: {"mapped", "left_out"}, 2: {"mapped", "left_out"}}
    (nowhere,) = [entry for entry in imported.left_out if entry.path == "receivers[1].telegram_configs[3]"]
    assert nowhere.how == "nothing can be sent to telegram with what is given here"
