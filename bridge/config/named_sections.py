"""Reads the sections whose entries have names: credentials, sources, channels, receivers, escalations."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence as SequenceType

from pydantic import TypeAdapter

from bridge.config.channel_entries import ChannelReader
from bridge.config.escalations import STEPS
from bridge.config.fields import FieldReader
from bridge.config.findings import Findings
from bridge.config.model import DEFAULT_SOURCE, ChannelEntry
from bridge.config.names import Names
from bridge.config.registries import ChannelCatalogue
from bridge.config.sections import Sections
from bridge.config.senders import SourceSettings
from bridge.config.step_names import judge_names, judge_runs
from bridge.config.targets import TARGET, judge_target
from bridge.config.validation import validate_model, validate_type
from bridge.config.values import is_entry_name, is_source_name
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null, plain
from bridge.domain.alert import API, DRILL, HEARTBEAT, MANUAL
from bridge.domain.escalation import Step
from bridge.domain.secret import Secret
from bridge.domain.target import Target, TargetKind

_RESERVED = {
    API: "alerts that come over /api/v2/alerts",
    MANUAL: "pages by hand",
    HEARTBEAT: "heartbeats that stay away",
    DRILL: "fire drills",
}
_SECRETS: TypeAdapter[dict[str, Secret]] = TypeAdapter(dict[str, Secret])


class NamedSections:
    """Each method gives the entries that validate and reports the rest."""

    def __init__(self, sections: Sections, fields: FieldReader, findings: Findings) -> None:
        self._sections = sections
        self._fields = fields
        self._findings = findings

    def credentials(self) -> MappingType[str, MappingType[str, Secret]]:
        """What several channels share: `credentials: {slack-bot: {token: "sealed:…"}}`."""
        found: dict[str, dict[str, Secret]] = {}
        for name, (key, node) in self._sections.entries("credentials").items():
            self._judge_entry_name(key)
            if not isinstance(node, Mapping) or not node.pairs:
                self._findings.error(key.mark, f'credentials.{name} is a mapping such as `{{token: "sealed:…"}}`')
                continue
            data = self._fields.read(node, dict[str, Secret], ("credentials", name))
            secrets = validate_type(_SECRETS, data, node, f"credentials.{name}", self._findings)
            if secrets is not None:
                found[name] = secrets
        return found

    def sources(self) -> MappingType[str, SourceSettings]:
        """The senders; without a `sources:` section one open source, `default`."""
        if "sources" not in self._sections.given:
            return {DEFAULT_SOURCE: SourceSettings()}
        found = {}
        for name, (key, node) in self._sections.entries("sources").items():
            if not is_source_name(name):
                self._findings.error(
                    key.mark, f"{name!r}: a source's name is part of its path: letters, digits, '.', '_', '-'"
                )
            if name in _RESERVED:
                self._findings.error(
                    key.mark, f"{name!r} is reserved for {_RESERVED[name]}; give the source another name"
                )
            mapping = _as_mapping(node)
            if mapping is None:
                self._findings.error(node.mark, f"sources.{name} is a mapping such as `{{type: alertmanager}}`")
                continue
            before = len(self._fields.missing)
            data = self._fields.read_model(mapping, SourceSettings, ("sources", name))
            self._fields.refuse_missing(before)
            settings = validate_model(SourceSettings, data, mapping, f"sources.{name}", self._findings)
            if settings is not None:
                found[name] = settings
        return found

    def channels(self, catalogue: ChannelCatalogue) -> MappingType[str, ChannelEntry]:
        reader = ChannelReader(catalogue, self._fields, self._findings)
        entries = self._sections.entries("channels")
        names = frozenset(entries)
        found = {}
        for name, (key, node) in entries.items():
            self._judge_entry_name(key)
            entry = reader.read(key, node)
            if entry is not None:
                found[name] = entry
                self._judge_channel_fallback(entry, node, names)
        return found

    def receivers(self, names: Names) -> MappingType[str, tuple[str, ...]]:
        """Lists of channels, people and schedules, as words. An empty list is a receiver that tells nobody."""
        found: dict[str, tuple[str, ...]] = {}
        for name, (key, node) in self._sections.entries("receivers").items():
            if not isinstance(node, Sequence):
                self._findings.error(key.mark, f"receivers.{name} is a list of channels, such as [team-slack, mail]")
                continue
            if Target.of(name).kind is not TargetKind.RECEIVER:
                self._findings.error(key.mark, f"{name!r} cannot be a receiver's name: it is the word for somebody")
            found[name] = self._members(name, node, names)
        return found

    def escalations(self, names: Names, channels: MappingType[str, ChannelEntry]) -> MappingType[str, tuple[Step, ...]]:
        found = {}
        for name, (_, node) in self._sections.entries("escalations").items():
            steps = validate_type(STEPS, plain(node), node, f"escalations.{name}", self._findings)
            if steps is None:
                continue
            found[name] = tuple(step.to_domain() for step in steps)
            self._judge_order(found[name], node)
            judge_names(node, names, self._findings)
            judge_runs(node, channels, self._findings)
        return found

    def _members(self, receiver: str, node: Sequence, names: Names) -> tuple[str, ...]:
        words: dict[str, None] = {}
        for item in node.items:
            if is_null(item) or isinstance(item, Sequence):
                self._findings.error(item.mark, f"receivers.{receiver}: a channel's name is wanted here")
                continue
            word = validate_type(TARGET, plain(item), item, f"receivers.{receiver}", self._findings)
            if word is None:
                continue
            if word in words:
                self._findings.error(item.mark, f"receivers.{receiver}: {word!r} is listed twice")
            words[word] = None
            judge_target(item, names, self._findings, "channel")
        return tuple(words)

    def _judge_order(self, steps: SequenceType[Step], node: Node) -> None:
        items = node.items if isinstance(node, Sequence) else ()
        for index, item in enumerate(items):
            if index and steps[index].after <= steps[index - 1].after:
                self._findings.error(item.mark, "the steps are in the order of their times: `after` must grow")

    def _judge_channel_fallback(self, entry: ChannelEntry, node: Node, channels: frozenset[str]) -> None:
        named = node.get("fallback") if isinstance(node, Mapping) else None
        if not isinstance(named, Scalar) or entry.options is None or entry.options.fallback is None:
            return
        if entry.options.fallback == entry.name:
            self._findings.error(named.mark, f"{entry.name!r} cannot be its own fallback")
        elif entry.options.fallback not in channels:
            self._findings.unknown_name(named.mark, "channel", entry.options.fallback, channels)

    def _judge_entry_name(self, key: Scalar) -> None:
        if not is_entry_name(key.text):
            self._findings.error(
                key.mark, f"{key.text!r} cannot be a name: no '/', no control characters, at most 200 characters"
            )


def _as_mapping(node: Node) -> Mapping | None:
    if is_null(node):
        return Mapping(node.mark, ())
    return node if isinstance(node, Mapping) else None
