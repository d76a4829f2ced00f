"""Finding plugins in files and distributions. Whether the registries use this is tested beside them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.channels.api import ChannelOptions
from bridge.channels.registry import ChannelRegistry
from bridge.domain.errors import ConfigError
from bridge.hooks.registry import HookRegistry

CHANNEL = """
from __future__ import annotations
from typing import ClassVar
from bridge.channels.api import ChannelOptions
from bridge.channels.console import ConsoleChannel

class RoomOptions(ChannelOptions):
    room: str

class {name}:
    {attributes}
    Options: ClassVar[type[ChannelOptions]] = RoomOptions
    idempotency = "none"
    follows_acknowledgement = False
    def __init__(self, name, options, **granted):
        self.name, self.options, self.granted = name, options, granted
    async def send(self, message, context):
        raise NotImplementedError
"""
HOOK = """
from bridge.hooks.api import HookOptions

class QuietHook:
    Options = HookOptions
    does_io = False
    def __init__(self, options, context): ...
    async def __call__(self, notification, forward):
        return await forward(notification)
"""


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def writer(text: str, name: str = "plugin.py") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return writer


def channel(name: str = "RoomChannel", attributes: str = "pass") -> str:
    return CHANNEL.format(name=name, attributes=attributes)


BUILT_IN = set(ChannelRegistry.load().names())


@pytest.mark.parametrize(
    ("class_name", "attributes", "offered"),
    [
        ("RoomChannel", "pass", "room"),
        ("MatrixRoomChannel", "pass", "matrix_room"),
        ("XMPPRoom", "pass", "xmpp_room"),
        ("Room2Go", "pass", "room2_go"),
        ("Channel", "pass", "channel"),
        ("RoomChannel", 'name = "war-room"', "war-room"),
    ],
)
def test_a_class_of_a_file_is_offered_under_its_name(write, class_name, attributes, offered) -> None:
    registry = ChannelRegistry.load([write(channel(class_name, attributes))])
    assert set(registry.names()) - BUILT_IN == {offered}
    assert registry.options_model(offered).__name__ == "RoomOptions"


def test_imported_and_private_classes_of_a_file_are_not_offered(write) -> None:
    text = channel() + "class _Hidden(RoomChannel):\n    pass\nclass Helper:\n    pass\nAlias = RoomChannel\n"
    assert set(ChannelRegistry.load([write(text)]).names()) - BUILT_IN == {"room"}


def test_a_file_may_hold_channels_and_hooks(write) -> None:
    file = write(channel() + HOOK)
    assert "room" in ChannelRegistry.load([file]).names()
    assert "quiet" in HookRegistry.load([file]).names()
    assert "quiet" not in ChannelRegistry.load([file]).names()


def test_a_file_is_run_once_for_both_kinds_and_again_when_it_has_changed(write, tmp_path) -> None:
    counter = f"\nwith open({str(tmp_path / 'runs')!r}, 'a') as runs:\n    runs.write('x')\n"
    file = write(channel() + HOOK + counter)
    ChannelRegistry.load([file, file])
    HookRegistry.load([file])
    assert (tmp_path / "runs").read_text() == "x"
    changed = ChannelRegistry.load([write(channel("OtherChannel") + counter)])
    assert (tmp_path / "runs").read_text() == "xx"
    assert {"other"} == set(changed.names()) - BUILT_IN


def test_annotations_written_as_text_are_resolved_in_the_plugins_own_module(write) -> None:
    text = "from __future__ import annotations\nfrom datetime import timedelta as Span\n" + CHANNEL.replace(
        "from __future__ import annotations\n", ""
    ).replace("room: str", "room: Span").format(name="RoomChannel", attributes="pass")
    model = ChannelRegistry.load([write(text)]).options_model("room")
    assert model.model_validate({"type": "room", "room": "PT1H"}).room.total_seconds() == 3600


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def broken(:\n", "SyntaxError: .*line 1"),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("\n\n1 / 0\n", r"ZeroDivisionError: division by zero \(line 3 of .*plugin\.py\)"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("x = 1\n", "defines no plugin"),
        ("\0", "source code string cannot contain null bytes|SyntaxError|ValueError"),
        (channel().replace("async def send", "async def sned"), "class RoomChannel has no coroutine `send`"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(write, text, why) -> None:
    with pytest.raises(ConfigError, match=rf"plugin file .*plugin\.py: .*({why})"):
        ChannelRegistry.load([write(text)])


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.py: cannot be read: No such file"):
        ChannelRegistry.load([tmp_path / "gone.py"])


def test_a_file_that_failed_leaves_nothing_behind_and_may_be_mended(write) -> None:
    before = set(sys.modules)
    with pytest.raises(ConfigError):
        ChannelRegistry.load([write(channel() + "1 / 0\n")])
    assert {name for name in set(sys.modules) - before if name.startswith("alertbridge_plugin")} == set()
    assert "room" in ChannelRegistry.load([write(channel())]).names()


def test_a_name_claimed_by_a_file_and_a_distribution_is_an_error_naming_both(write) -> None:
    file = write(channel("Slack"))
    with pytest.raises(ConfigError) as caught:
        ChannelRegistry.load([file])
    message = str(caught.value)
    assert "the channel 'slack' is claimed twice" in message
    assert "alertbridge (bridge.channels.slack:SlackChannel)" in message
    assert f"{file} (class Slack)" in message


def test_a_name_claimed_by_two_files_is_an_error_naming_both(write) -> None:
    first, second = write(channel(), "a.py"), write(channel(), "b.py")
    with pytest.raises(ConfigError, match=f"{re.escape(str(first))}.*{re.escape(str(second))}"):
        ChannelRegistry.load([first, second])


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, entry_points: str) -> None:
    """A distribution `acme` with these entry points and a module `acme_plugins`, as pip would have left it."""
    (folder / "acme-1.0.dist-info").mkdir()
    (folder / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (folder / "acme-1.0.dist-info" / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("acme_gone:Room", "cannot be loaded: ModuleNotFoundError"),
        ("acme_broken:Room", r"cannot be loaded: ZeroDivisionError: division by zero \(line 1 of .*acme_broken\.py\)"),
        ("acme_exits:Room", "cannot be loaded: SystemExit"),
        ("json:nothing", "cannot be loaded: AttributeError"),
        ("json:dumps", "is no class"),
        ("json:JSONEncoder", "needs a class attribute `Options` that inherits ChannelOptions"),
        ("acme_hook:QuietHook", "needs a class attribute `Options` that inherits ChannelOptions"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_an_error_only_when_it_is_asked_for(
    tmp_path, monkeypatch, target, why
) -> None:
    (tmp_path / "acme_broken.py").write_text("1 / 0\n")
    (tmp_path / "acme_exits.py").write_text("raise SystemExit\n")
    (tmp_path / "acme_hook.py").write_text(HOOK)
    installed(tmp_path, monkeypatch, f"[alertbridge.channels]\nacme = {target}\n")
    registry = ChannelRegistry.load()
    assert "acme" in registry.names()
    assert registry.options_model("slack")
    with pytest.raises(ConfigError, match=rf"the channel 'acme' of acme \({target}\) {why}"):
        registry.options_model("acme")


def test_a_name_claimed_by_two_distributions_is_an_error_naming_both(tmp_path, monkeypatch) -> None:
    installed(tmp_path, monkeypatch, "[alertbridge.channels]\nslack = acme_plugins:Slack\n")
    with pytest.raises(ConfigError, match=r"claimed twice: by (acme|alertbridge) .* and by (alertbridge|acme) "):
        ChannelRegistry.load()


def made(write: Callable[..., Path], text: str, **given: object) -> object:
    registry = ChannelRegistry.load([write(text)])
    options = registry.options_model("room").model_validate({"type": "room", "room": "ops"})
    return registry.create("war-room", options, **given)


def test_a_channel_is_made_with_its_name_and_options(write) -> None:
    room = made(write, channel())
    assert (room.name, room.options.room, room.granted) == ("war-room", "ops", {})


def test_a_channel_that_asks_for_the_allowed_directories_gets_them(write) -> None:
    text = (
        channel()
        .replace("options, **granted", "options, *, exec_directories=()")
        .replace("options, granted", "options, exec_directories")
    )
    assert made(write, text, exec_directories=[Path("scripts")]).granted == (Path("scripts"),)


def test_a_channel_whose_constructor_fails_is_an_error_that_quotes_nothing(write) -> None:
    text = channel().replace("self.name, self.options, self.granted = name, options, granted", "int('s3cret')")
    with pytest.raises(ConfigError, match=r"^channel 'war-room' of type 'room' cannot be built: ValueError$"):
        made(write, text)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_channel_loads(name) -> None:
    assert issubclass(ChannelRegistry.load().options_model(name), ChannelOptions)
