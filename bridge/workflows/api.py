"""The classes that a file of workflows inherits: `from bridge import Workflow, Action, Hook, Plugin`.

`Hook` and `Plugin` are two names for what an action does. Neither has to do with the hooks of a route
(`bridge.hooks.api`), which decide whether something is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Plugin:
    """What an action does. Inherit it and write `execute`."""

    def execute(self, context: Mapping[str, Any]) -> object:
        """Do it, or raise: then the attempt failed and is made again later. May be a coroutine.

        It runs in a thread of its own and perhaps several times at once. What it returns is not looked at.
        """
        raise NotImplementedError


class Hook(Plugin):
    """The same as `Plugin`."""


class Action:
    """One step of a workflow: a name for people, and what is done."""

    def __init__(self, name: Any, plugin: Any) -> None:
        """`plugin` is an instance with a method `execute(context)`; to inherit `Hook` or `Plugin` is not required.

        Raises:
            TypeError: the name is no text, or there is nothing to execute.
        """
        if not isinstance(name, str) or not name.strip():
            raise TypeError("an action's name is a text that is not empty")
        if isinstance(plugin, type):
            raise TypeError(f"the action {name!r} got the class {plugin.__name__}; it needs an instance of it")
        method = getattr(type(plugin), "execute", None)
        if not callable(getattr(plugin, "execute", None)) or method is Plugin.execute:
            raise TypeError(f"the action {name!r} cannot be done: {type(plugin).__name__} has no execute(context)")
        self.name = name
        self.plugin = plugin

    def __repr__(self) -> str:
        return f"Action({self.name!r}, {type(self.plugin).__name__})"


class Workflow:
    """Inherit it and add actions in `define`; they are done in that order. The class's name is the receiver's name."""

    def define(self) -> None:
        """Add the actions. Called once, each time the configuration is loaded."""
        raise NotImplementedError

    def add_action(self, action: Action) -> None:
        """The next thing to do.

        Raises:
            TypeError: it is no `Action`.
            ValueError: there is one of this name already.
        """
        if not isinstance(action, Action):
            raise TypeError(f"add_action takes an Action, such as Action(name, plugin), not {type(action).__name__}")
        actions = actions_of(self)
        if any(earlier.name == action.name for earlier in actions):
            raise ValueError(f"there are two actions named {action.name!r}")
        vars(self)["_actions"] = (*actions, action)


def actions_of(workflow: Workflow) -> tuple[Action, ...]:
    """What was added so far. A subclass may have forgotten to call `__init__` of its base: nothing depends on it."""
    actions: tuple[Action, ...] = vars(workflow).get("_actions", ())
    return actions
