"""Finds plugin classes by name: those that distributions announce as entry points, and those of plugin files.

Nothing of a distribution is imported before its name is asked for. A plugin file is run when it is listed, because
the configuration names it; the channels, the hooks and the workflows of one file come from one run of it.

What counts in a file: every public class that the file itself defines, whose `Options` inherits the base model of the
kind, and which has the kind's method. Its name is its `name` if that is text, else its class name in snake_case
without the kind's suffix (`MatrixRoomChannel` → `matrix_room`). A workflow is a class that inherits `Workflow`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from msgspec import Struct
from pydantic import BaseModel

from bridge.domain.errors import ConfigError
from bridge.domain.raised import why
from bridge.workflows.api import Action, Workflow, actions_of

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Kind(Struct, frozen=True):
    """One kind of plugin: what people call it, its entry-point group, its one method, its options' base model."""

    word: str
    group: str
    method: str
    options: type[BaseModel]


class OfferedWorkflow(Struct, frozen=True):
    """A workflow of a plugin file, ready to be done."""

    file: Path
    actions: tuple[Action, ...]


class _Claim(Struct, frozen=True):
    """Who offers a name, and how to come by the class."""

    origin: Callable[[], str]
    load: Callable[[], object]


class Plugins:
    """The plugins of one kind, by name."""

    def __init__(self, kind: Kind, plugin_files: Sequence[Path] = ()) -> None:
        """Collects the names.

        Raises:
            ConfigError: a file cannot be run or offers nothing, or a name is claimed twice.
        """
        self._kind = kind
        self._claims: dict[str, _Claim] = {}
        self._classes: dict[str, type] = {}
        for entry in entry_points(group=kind.group):
            self._claim(entry.name, _Claim(partial(_announced, entry), entry.load))
        for path in dict.fromkeys(plugin_files):
            for found in _classes_of(kind, path):
                origin = f"{path} (class {found.__name__})"
                self._claim(_name_of(kind, found), _Claim(partial(str, origin), partial(_itself, found)))

    def names(self) -> tuple[str, ...]:
        """Every name on offer, sorted. Imports nothing."""
        return tuple(sorted(self._claims))

    def get(self, name: str) -> type:
        """The class of that name, imported now if it was not yet.

        Raises:
            ConfigError: there is none, or it cannot be loaded.
        """
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = self._load(name)
        return found

    def options_model(self, name: str) -> type[BaseModel]:
        """The model of its options, always a subclass of the kind's base. Raises as `get`."""
        return _options_of(self.get(name))

    def _claim(self, name: str, claim: _Claim) -> None:
        earlier = self._claims.get(name)
        if earlier is not None:
            raise ConfigError(
                f"the {self._kind.word} {name!r} is claimed twice: by {earlier.origin()} and by {claim.origin()}; "
                "rename or remove one of them"
            )
        self._claims[name] = claim

    def _load(self, name: str) -> type:
        claim = self._claims.get(name)
        if claim is None:
            raise ConfigError(f"there is no {self._kind.word} {name!r}; known are: {', '.join(self.names())}")
        what = f"the {self._kind.word} {name!r} of {claim.origin()}"
        try:
            found = claim.load()
        except BaseException as error:
            raise ConfigError(f"{what} cannot be loaded: {why(error)}") from error
        if not isinstance(found, type):
            raise ConfigError(f"{what} is no class")
        fault = _fault(self._kind, found)
        if fault:
            raise ConfigError(f"{what} {fault}")
        return found


def workflows_of(plugin_files: Sequence[Path]) -> dict[str, OfferedWorkflow]:
    """Every workflow of the files, by its class's name; each is made and defined once, here.

    Raises:
        ConfigError: a file cannot be run, a workflow cannot be defined or has no action, or two have one name.
    """
    offered: dict[str, OfferedWorkflow] = {}
    for path in dict.fromkeys(plugin_files):
        for found in _own_classes(path):
            if not issubclass(found, Workflow):
                continue
            earlier = offered.get(found.__name__)
            if earlier is not None:
                raise ConfigError(
                    f"the workflow {found.__name__!r} is defined twice: in {earlier.file} and in {path}; rename one"
                )
            offered[found.__name__] = OfferedWorkflow(path, _defined(found, path))
    return offered


def _defined(found: type[Workflow], path: Path) -> tuple[Action, ...]:
    what = f"plugin file {path}: workflow {found.__name__}"
    if found.define is Workflow.define:
        raise ConfigError(f"{what} has no define(self), which adds its actions; a base class begins with '_'")
    try:
        workflow = found()
        workflow.define()
        actions = actions_of(workflow)
    except BaseException as error:
        raise ConfigError(f"{what} cannot be defined: {why(error)}") from error
    if not actions:
        raise ConfigError(f"{what} has no action: define() adds them by self.add_action(Action(name, plugin))")
    return actions


def _own_classes(path: Path) -> list[type]:
    """The public classes that a file defines and that are plugins of any kind."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"plugin file {path}: cannot be read: {error.strerror}") from error
    module = _run(path.absolute(), source)
    own = [
        found
        for name, found in vars(module).items()
        if isinstance(found, type)
        and not name.startswith("_")
        and found.__module__ == module.__name__
        and found.__name__ == name
        and (_options_of(found) is not BaseModel or issubclass(found, Workflow))
    ]
    if not own:
        raise ConfigError(
            f"plugin file {path}: defines no plugin; a plugin is a class with an `Options` model, or a Workflow"
        )
    return own


def _classes_of(kind: Kind, path: Path) -> list[type]:
    own = _own_classes(path)
    mine = [found for found in own if issubclass(_options_of(found), kind.options)]
    for found in mine:
        fault = _fault(kind, found)
        if fault:
            raise ConfigError(f"plugin file {path}: class {found.__name__} {fault}")
    return mine


@lru_cache(maxsize=64)
def _run(path: Path, source: bytes) -> ModuleType:
    """Runs the file as a module of its own. The same text is run once, whoever asks; a changed one anew."""
    name = f"alertbridge_plugin_{hashlib.sha256(bytes(path) + source).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # annotations written as text are looked up there
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102 - a listed plugin is code
    except BaseException as error:
        del sys.modules[name]
        raise ConfigError(f"plugin file {path}: cannot be loaded: {why(error)}") from error
    return module


def _announced(entry: EntryPoint) -> str:
    """Which distribution offers it; that is in a file of the distribution's own, read only where somebody is told."""
    distribution = entry.dist.name if entry.dist is not None else "an unnamed distribution"
    return f"{distribution} ({entry.value})"


def _itself(found: type) -> type:
    return found


def _options_of(plugin: type) -> type[BaseModel]:
    """Its `Options`; the empty base model where there is none, which inherits no kind's options."""
    options = getattr(plugin, "Options", None)
    return options if isinstance(options, type) and issubclass(options, BaseModel) else BaseModel


def _fault(kind: Kind, found: type) -> str:
    """What the class lacks to be a plugin of that kind, as the end of a sentence; empty if nothing."""
    if not issubclass(_options_of(found), kind.options):
        return f"needs a class attribute `Options` that inherits {kind.options.__name__}"
    if not any(callable(vars(base).get(kind.method)) for base in found.__mro__):
        return f"has no coroutine `{kind.method}`"
    return ""


def _name_of(kind: Kind, found: type) -> str:
    name = vars(found).get("name")
    if isinstance(name, str) and name:
        return name
    short = found.__name__.removesuffix(kind.word.capitalize()) or found.__name__
    return _WORD_START.sub("_", short).lower()
