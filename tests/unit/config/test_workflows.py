"""Workflows of plugin files, among the channels of a configuration."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.channels.registry import ChannelRegistry
from bridge.channels.workflow import WorkflowOptions
from bridge.config import Loaded
from bridge.domain.escalation import Step
from bridge.hooks.registry import HookRegistry
from tests.unit.config.written import load_text, said, valid

GOOD = """
from bridge import Workflow, Action, Hook

class Nothing(Hook):
    def execute(self, context): ...

class _Base(Workflow):
    def define(self):
        self.add_action(Action("nothing", Nothing()))

class Alarm(_Base): ...
class Mail(_Base): ...
"""
HEAD = "from bridge import Workflow, Action, Hook, Plugin\n"


def load(folder: Path, text: str, **files: str) -> Loaded:
    """`PLUGINS` in the text is the list of the files."""
    paths = []
    for name, source in files.items():
        paths.append(folder / f"{name}.py")
        paths[-1].write_text(source)
    return load_text(folder, text.replace("PLUGINS", f"[{', '.join(map(str, paths))}]"))


def said_of(folder: Path, source: str) -> str:
    """The one error of a configuration with that plugin file, without the folder."""
    loaded = load(folder, "channels: {out: {type: console}}\nroute: {receiver: out}\nplugins: PLUGINS", own=source)
    assert loaded.config is None
    (error,) = said(loaded)
    return error.replace(f"{folder}/", "")


def test_a_workflow_is_named_wherever_a_channel_or_a_receiver_is(tmp_path: Path) -> None:
    config = valid(
        load(
            tmp_path,
            """
plugins: PLUGINS
receivers: {both: [Alarm, Mail]}
escalations: {up: [{after: 5m, notify: [Alarm]}]}
fallback: Mail
route: {receiver: Alarm, hooks: [{escalate: up}], routes: [{receiver: both}]}
""",
            own=GOOD,
        )
    )
    assert set(config.channels) == {"Alarm", "Mail"}
    assert config.channels["Alarm"].type == "workflow"
    assert config.channels_of("Alarm") == ("Alarm",)
    assert config.channels_of("both") == ("Alarm", "Mail")
    assert config.escalations["up"] == (Step(timedelta(minutes=5), ("Alarm",)),)
    assert config.fallback == "Mail"


def test_a_workflow_among_the_channels_takes_their_options(tmp_path: Path) -> None:
    config = valid(
        load(
            tmp_path,
            """
plugins: PLUGINS
channels:
  Alarm: {type: workflow, timeout: 60s, fallback: Mail}
  night: {type: workflow, workflow: Mail, send_resolved: false}
route: {receiver: night}
""",
            own=GOOD,
        )
    )
    alarm, night = config.channels["Alarm"].options, config.channels["night"].options
    assert isinstance(alarm, WorkflowOptions)
    assert (alarm.timeout, alarm.fallback) == (timedelta(minutes=1), "Mail")
    assert isinstance(night, WorkflowOptions)
    assert (night.workflow, night.send_resolved, night.max_in_flight) == ("Mail", False, 4)
    assert set(config.channels) == {"Alarm", "night", "Mail"}


def test_a_misspelt_workflow_is_an_error_at_its_place(tmp_path: Path) -> None:
    text = "plugins: PLUGINS\nroute: {receiver: Alarn}\nchannels: {night: {type: workflow, workflow: Meil}}"
    assert said(load(tmp_path, text, own=GOOD)) == [
        "main.yml:2:19: there is no receiver 'Alarn'; did you mean 'Alarm'?",
        "main.yml:3:46: there is no workflow 'Meil' in the plugin files; did you mean 'Mail'?",
    ]


def test_a_workflow_without_plugin_files_is_an_error(tmp_path: Path) -> None:
    text = "route: {receiver: Alarm}\nchannels: {Alarm: {type: workflow}}"
    assert said(load_text(tmp_path, text)) == [
        "main.yml:2:12: there is no workflow 'Alarm' in the plugin files",
    ]


def test_a_channel_and_a_workflow_of_one_name_are_an_error(tmp_path: Path) -> None:
    text = "plugins: PLUGINS\nroute: {receiver: Alarm}\nchannels: {Alarm: {type: console}}"
    (error,) = said(load(tmp_path, text, own=GOOD))
    assert error.replace(f"{tmp_path}/", "") == (
        "main.yml:3:12: the channel 'Alarm' has the name of a workflow of own.py; rename one of them"
    )


def test_two_workflows_of_one_name_are_an_error(tmp_path: Path) -> None:
    (error,) = said(load(tmp_path, "plugins: PLUGINS\nroute: {receiver: Alarm}", one=GOOD, two=GOOD))[:1]
    assert "the workflow 'Alarm' is defined twice: in " in error
    assert "one.py and in " in error


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import no_such_module_at_all", "cannot be loaded: ModuleNotFoundError"),
        ("def broken(:", "cannot be loaded: SyntaxError"),
        ("raise SystemExit(1)", "cannot be loaded: SystemExit: 1 (line 1 of own.py)"),
        ("class Alarm: ...", "defines no plugin; a plugin is a class with an `Options` model, or a Workflow"),
        (HEAD + "class Alarm(Workflow): ...", "workflow Alarm has no define(self)"),
        (HEAD + "class Alarm(Workflow):\n  def define(self): ...", "workflow Alarm has no action"),
        (
            HEAD + "class Alarm(Workflow):\n  def define(self): 1 / 0",
            "workflow Alarm cannot be defined: ZeroDivisionError: division by zero (line 3 of own.py)",
        ),
        (
            HEAD + "class Alarm(Workflow):\n  def define(self):\n    raise SystemExit",
            "workflow Alarm cannot be defined: SystemExit (line 4 of own.py)",
        ),
        ("raise KeyboardInterrupt", "cannot be loaded: KeyboardInterrupt"),
        (
            HEAD + "class Alarm(Workflow):\n  def define(self):\n    class Odd(BaseException): ...\n    raise Odd",
            "workflow Alarm cannot be defined: Odd",
        ),
        (
            HEAD + "class Alarm(Workflow):\n  def __init__(self, needed): ...\n  def define(self): ...",
            "workflow Alarm cannot be defined: TypeError: Alarm.__init__() missing 1 required",
        ),
        (
            HEAD + "class Alarm(Workflow):\n  def define(self): self.add_action(Action('x', object()))",
            "TypeError: the action 'x' cannot be done: object has no execute(context)",
        ),
        (
            HEAD + "class H(Hook): ...\nclass Alarm(Workflow):\n  def define(self): self.add_action(Action('x', H()))",
            "TypeError: the action 'x' cannot be done: H has no execute(context)",
        ),
        (
            HEAD + "class P(Plugin): ...\nclass Alarm(Workflow):\n  def define(self): self.add_action(Action('x', P))",
            "TypeError: the action 'x' got the class P; it needs an instance of it",
        ),
        (
            HEAD + "class Alarm(Workflow):\n  def define(self): self.add_action(print)",
            "TypeError: add_action takes an Action, such as Action(name, plugin), not builtin_function_or_method",
        ),
        (
            HEAD + "class Alarm(Workflow):\n  def define(self): self.add_action(Action('', print))",
            "TypeError: an action's name is a text that is not empty",
        ),
        (
            GOOD + "class Twice(Workflow):\n  def define(self):\n    for _ in '12':"
            "\n      self.add_action(Action('x', Nothing()))",
            "workflow Twice cannot be defined: ValueError: there are two actions named 'x'",
        ),
    ],
)
def test_a_file_whose_workflows_cannot_be_defined_says_why(tmp_path: Path, source: str, expected: str) -> None:
    error = said_of(tmp_path, source)
    assert error.startswith("main.yml:3:11: plugin file own.py: ")
    assert expected in error


def test_a_workflow_that_forgets_its_bases_constructor_works(tmp_path: Path) -> None:
    source = GOOD + "class Forgets(_Base):\n  def __init__(self): self.x = 1\n"
    assert "Forgets" in valid(load(tmp_path, "plugins: PLUGINS\nroute: {receiver: Forgets}", own=source)).channels


def test_a_file_may_hold_channels_hooks_and_workflows(tmp_path: Path) -> None:
    file = tmp_path / "all.py"
    file.write_text(
        GOOD
        + """
from bridge.channels.api import ChannelOptions
from bridge.hooks.api import HookOptions

class RoomChannel:
    Options = ChannelOptions
    async def send(self, message, context): ...

class QuietHook:
    Options = HookOptions
    async def __call__(self, notification, forward): ...
"""
    )
    registry = ChannelRegistry.load([file])
    assert set(registry.workflows()) == {"Alarm", "Mail"}
    assert "room" in registry.names()
    assert "quiet" in HookRegistry.load([file]).names()


def test_the_package_gives_its_classes_only_when_asked() -> None:
    program = (
        "import sys, bridge\n"
        "assert not [name for name in sys.modules if name.startswith('bridge.')], sys.modules\n"
        "from bridge import Workflow, Action, Hook, Plugin\n"
        "import bridge.hooks.api, bridge.workflows.api\n"
        "assert Hook is bridge.workflows.api.Hook is not bridge.hooks.api.Hook\n"
        "assert not hasattr(bridge, 'Nothing')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
