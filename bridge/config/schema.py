"""The JSON Schema of a whole configuration, for editors: every section, channel type and hook on offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bridge.config.drills import DrillSettings
from bridge.config.escalations import StepSettings
from bridge.config.heartbeats import HeartbeatSettings
from bridge.config.intervals import InhibitRule, TimeInterval
from bridge.config.people import PersonSettings
from bridge.config.recurring import RecurringSilence
from bridge.config.registries import ChannelCatalogue, HookCatalogue
from bridge.config.routes import RouteSettings
from bridge.config.schedules import ScheduleSettings
from bridge.config.sections import SETTINGS
from bridge.config.senders import SourceSettings
from bridge.config.targets import SomebodyEntry

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_DURATION: Schema = {"type": "string", "description": "a duration such as 30s, 5m, 1h30m or 7d"}
_NAMES: Schema = {"type": "array", "items": {"type": "string"}}
_REFERENCE: Schema = {"type": "string", "pattern": "^(env|file):"}
_SCALARS = ("integer", "number", "boolean")


def json_schema(channels: ChannelCatalogue, hooks: HookCatalogue) -> Schema:
    """The schema of what one configuration may hold; a file of a directory may leave out all of it but its own part.

    Imports every channel and hook on offer. What lies between sections (names that must exist) no schema can say.

    Raises:
        ConfigError: a plugin cannot be loaded.
    """
    channel_models = {name: channels.options_model(name) for name in channels.names()}
    hook_models = {name: hooks.options_model(name) for name in hooks.names()}
    own: list[type[BaseModel]] = [
        *SETTINGS.values(),
        SourceSettings,
        StepSettings,
        RouteSettings,
        InhibitRule,
        TimeInterval,
        RecurringSilence,
        PersonSettings,
        ScheduleSettings,
        SomebodyEntry,
        HeartbeatSettings,
        DrillSettings,
    ]
    own += [*channel_models.values(), *hook_models.values()]
    references, definitions = _definitions(own)
    defs = _loosened(definitions)
    defs["Route"] = _route(defs.pop(_name(references[RouteSettings])))
    defs["Hooks"] = _hooks({name: references[model] for name, model in hook_models.items()})
    defs["Channel"] = _channel({name: references[model] for name, model in channel_models.items()})
    settings = {section: _optional(references[model]) for section, model in SETTINGS.items()}
    return {
        "$schema": DIALECT,
        "title": "Alertbridge configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": _loosened({**settings, **_sections(references)}),
        "$defs": defs,
    }


def _sections(references: dict[type[BaseModel], Schema]) -> dict[str, Schema]:
    steps = {"type": "array", "items": references[StepSettings], "minItems": 1}
    intervals = _optional({"type": "array", "items": references[TimeInterval]})
    routes = {"type": "array", "items": {"$ref": "#/$defs/Route"}}
    return {
        "sources": _named(_optional(references[SourceSettings])),
        "channels": _named({"$ref": "#/$defs/Channel"}),
        "receivers": _named({"type": "array", "items": {"anyOf": [{"type": "string"}, references[SomebodyEntry]]}}),
        "escalations": _named(steps),
        "credentials": _named(_named({"type": "string"})),
        "hooks": _optional({"$ref": "#/$defs/Hooks"}),
        "route": {"$ref": "#/$defs/Route", "required": ["receiver"]},
        "routes": _optional(routes),
        "inhibit_rules": _optional({"type": "array", "items": references[InhibitRule]}),
        "time_intervals": intervals,
        "mute_time_intervals": intervals,
        "silences": _optional({"type": "array", "items": references[RecurringSilence]}),
        "plugins": _optional(_NAMES),
        "fallback": _optional({"type": "string", "description": "the channel that hears of the bridge's own troubles"}),
        "max_in_flight": _optional(
            {"type": "integer", "minimum": 1, "maximum": 100_000, "description": "attempts under way over all channels"}
        ),
        "reopen_within": _optional(_DURATION),
        "resolve_timeout": _optional(_DURATION),
        "rehome_after": _optional(_DURATION),
        "people": _named(_optional(references[PersonSettings])),
        "schedules": _named(references[ScheduleSettings]),
        "heartbeats": _named(references[HeartbeatSettings]),
        "drills": _named(references[DrillSettings]),
    }


def _definitions(models: Sequence[type[BaseModel]]) -> tuple[dict[type[BaseModel], Schema], dict[str, Schema]]:
    """(the reference to each model, the definitions they refer to)."""
    unique = list(dict.fromkeys(models))
    mapping, schema = models_json_schema([(model, "validation") for model in unique])
    return {model: mapping[model, "validation"] for model in unique}, schema.get("$defs", {})


def _loosened(schema: Any) -> Any:
    """As a configuration is read: any option may be a reference, null is "left out", text counts as what it says."""
    if isinstance(schema, list):
        return [_loosened(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {key: _loosened(value) for key, value in schema.items()}
    if loose.get("type") in _SCALARS:
        kept = {key: loose.pop(key) for key in ("description", "title", "default") if key in loose}
        return {"anyOf": [loose, _REFERENCE], **kept}
    if loose.get("type") == "string" and "pattern" not in loose:
        loose["type"] = ["string", "number", "boolean"]
    if loose.get("type") == "object" and "properties" in loose:
        loose["properties"] = {key: _optional(value) for key, value in loose["properties"].items()}
    return loose


def _optional(schema: Schema) -> Schema:
    """The schema or null, which counts as left out."""
    if {"type": "null"} in schema.get("anyOf", []):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _named(values: Schema) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": values}


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _route(settings: Schema) -> Schema:
    """The keys of one route, and what is read apart from them: hooks and the routes below."""
    below: Schema = {
        "hooks": _optional({"$ref": "#/$defs/Hooks"}),
        "routes": _optional({"type": "array", "items": {"$ref": "#/$defs/Route"}}),
    }
    return {**settings, "properties": {**settings["properties"], **below}}


def _hooks(references: dict[str, Schema]) -> Schema:
    by_name = {
        name: {"anyOf": [reference, {"type": ["string", "null"]}]} for name, reference in sorted(references.items())
    }
    with_options = {
        "type": "object",
        "properties": by_name,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"type": "array", "items": {"anyOf": [{"enum": sorted(references)}, with_options]}}


def _channel(references: dict[str, Schema]) -> Schema:
    """The type picks the options, so that an editor complains about one type and not about all of them."""
    picks = [
        {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": reference}
        for name, reference in sorted(references.items())
    ]
    return {
        "type": "object",
        "properties": {"type": {"enum": sorted(references)}},
        "required": ["type"],
        "allOf": picks,
    }
