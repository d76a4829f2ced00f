from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.domain.errors import ConfigError
from bridge.hooks.api import HookContext, HookOptions
from bridge.hooks.chain import Chain
from bridge.hooks.dedupe import Dedupe, DedupeOptions
from bridge.hooks.registry import HookRegistry
from bridge.net import Egress, HttpClient
from tests.contract.hooks.notifications import notification

CONTEXT = HookContext(HttpClient(Egress()))
HOOK = """
from bridge.hooks.api import HookOptions

class Tag{name}:
    Options = HookOptions
    does_io = False
    def __init__(self, options, context):
        {body}
    async def __call__(self, notification, forward):
        return await forward(notification.with_labels("a1", {{"tag": "{name}"}}))
"""


def plugin(folder: Path, name: str = "One", body: str = "pass") -> Path:
    path = folder / f"{name.lower()}.py"
    path.write_text(HOOK.format(name=name, body=body))
    return path


def test_the_built_in_hooks_are_on_offer() -> None:
    assert set(HookRegistry.load().names()) >= {"dedupe", "enrich", "escalate"}


def test_a_hook_is_imported_only_when_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "from bridge.hooks.registry import HookRegistry\n"
        "registry = HookRegistry.load()\n"
        "registry.names()\n"
        "assert not {'bridge.hooks.dedupe', 'bridge.hooks.enrich', 'yaml'} & set(sys.modules)\n"
        "registry.options_model('dedupe')\n"
        "assert 'bridge.hooks.dedupe' in sys.modules and 'bridge.hooks.enrich' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_options_model_is_the_hooks_own() -> None:
    assert HookRegistry.load().options_model("dedupe") is DedupeOptions


def test_a_hook_is_made_with_its_budget_and_policy() -> None:
    registry = HookRegistry.load()
    options = registry.parse("dedupe", '{"window": "1m", "budget": "250ms", "on_error": "closed"}')
    link = registry.create("dedupe", options, CONTEXT)
    assert isinstance(link.hook, Dedupe)
    assert (link.name, link.on_error, link.budget) == ("dedupe", "closed", 0.25)


def test_options_that_do_not_validate_are_named_without_their_values() -> None:
    with pytest.raises(ConfigError, match=r"hook 'dedupe': .*window.*whenever") as caught:
        HookRegistry.load().parse("dedupe", '{"window": "s3cret", "whenever": "s3cret"}')
    assert "whenever: " in str(caught.value)


def test_an_unknown_hook_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"there is no hook 'dedup'; known are: dedupe, enrich, escalate"):
        HookRegistry.load().options_model("dedup")


def test_a_hook_of_a_file_runs_in_a_chain(tmp_path) -> None:
    registry = HookRegistry.load([plugin(tmp_path)])
    link = registry.create("tag_one", HookOptions(), CONTEXT)
    judged = Chain([link]).judge(notification())
    assert judged.trace[0].hook == "tag_one"
    assert judged.verdict.notification.labels == {"a1": {"tag": "One"}}


def test_a_constructor_that_fails_is_an_error_that_quotes_nothing(tmp_path) -> None:
    registry = HookRegistry.load([plugin(tmp_path, body="raise ValueError('s3cret')")])
    with pytest.raises(ConfigError, match=r"hook 'tag_one' cannot be built: ValueError$") as caught:
        registry.create("tag_one", HookOptions(), CONTEXT)
    assert caught.value.__cause__ is None


def test_a_constructor_may_say_what_is_wrong_with_the_configuration(tmp_path) -> None:
    body = "from bridge.domain.errors import ConfigError; raise ConfigError('the file is empty')"
    registry = HookRegistry.load([plugin(tmp_path, body=body)])
    with pytest.raises(ConfigError, match=r"^the file is empty$"):
        registry.create("tag_one", HookOptions(), CONTEXT)


def test_a_loaded_registry_loads_another_with_more_files(tmp_path) -> None:
    first = HookRegistry.load()
    assert "tag_one" in first.load([plugin(tmp_path)]).names()
    assert "tag_one" not in first.names()
