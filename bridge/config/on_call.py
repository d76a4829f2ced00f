"""Reads `people:` and `schedules:`, and judges the names they use."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from typing import TypeVar

from bridge.config.fields import FieldReader
from bridge.config.findings import Findings
from bridge.config.names import Names
from bridge.config.people import PersonSettings
from bridge.config.schedules import CalendarSettings, ScheduleSettings
from bridge.config.sections import Sections
from bridge.config.validation import validate_model
from bridge.config.values import Section, is_entry_name, is_source_name
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null
from bridge.domain.person import Person
from bridge.domain.schedules import Schedule

S = TypeVar("S", bound=Section)


class OnCallSections:
    """Each method gives the entries that validate and reports the rest."""

    def __init__(self, sections: Sections, fields: FieldReader, names: Names, findings: Findings) -> None:
        self._sections = sections
        self._fields = fields
        self._names = names
        self._findings = findings

    def people(self) -> MappingType[str, Person]:
        found: dict[str, Person] = {}
        known: dict[str, str] = {}
        held: dict[tuple[str, str], str] = {}
        for key, node, settings in self._each("people", PersonSettings):
            if not is_entry_name(key.text):
                self._findings.error(key.mark, f"{key.text!r} cannot be a name: no '/', no control characters")
            for channel in _scalars(_at(node, "channels")):
                self._names.judge(channel, "channel", self._findings)
            person = found[key.text] = settings.to_domain(key.text)
            for email in person.emails:
                if known.setdefault(email, key.text) != key.text:
                    self._findings.error(key.mark, f"people: {known[email]!r} has the address {email!r} too")
            for kind, accounts in person.accounts.items():
                for account in accounts:
                    if held.setdefault((kind, account), key.text) != key.text:
                        whose = held[kind, account]
                        self._findings.error(key.mark, f"people: {whose!r} has the {kind} account {account!r} too")
        return found

    def schedules(self) -> tuple[MappingType[str, Schedule], MappingType[str, CalendarSettings]]:
        """The schedules, and the calendars of those that fetch one."""
        found: dict[str, Schedule] = {}
        calendars: dict[str, CalendarSettings] = {}
        for key, node, settings in self._each("schedules", ScheduleSettings):
            if not is_source_name(key.text):
                self._findings.error(
                    key.mark, f"{key.text!r}: a schedule's name is part of its path: letters, digits, '.', '_', '-'"
                )
            self._judge_schedule(node)
            found[key.text] = settings.to_domain(key.text)
            if settings.ical is not None:
                calendars[key.text] = settings.ical
        return found, calendars

    def _judge_schedule(self, node: Node) -> None:
        for section in ("layers", "overrides"):
            listed = _at(node, section)
            for entry in listed.items if isinstance(listed, Sequence) else ():
                for person in _scalars(_at(entry, "people")):
                    self._names.judge(person, "person", self._findings)
        for fallback in _scalars(_at(node, "fallback")):
            self._names.judge(fallback, "receiver", self._findings)

    def _each(self, section: str, model: type[S]) -> Iterator[tuple[Scalar, Node, S]]:
        for name, (key, node) in self._sections.entries(section).items():
            mapping = Mapping(node.mark, ()) if is_null(node) else node
            if not isinstance(mapping, Mapping):
                self._findings.error(node.mark, f"{section}.{name} is a mapping of keys to values")
                continue
            before = len(self._fields.missing)
            data = self._fields.read_model(mapping, model, (section, name))
            self._fields.refuse_missing(before)
            settings = validate_model(model, data, mapping, f"{section}.{name}", self._findings)
            if settings is not None:
                yield key, mapping, settings


def _at(node: Node, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Mapping) else None


def _scalars(node: Node | None) -> Iterator[Scalar]:
    """The texts of a node at any depth; of a mapping its values."""
    match node:
        case Scalar() if not node.is_null:
            yield node
        case Sequence():
            for item in node.items:
                yield from _scalars(item)
        case Mapping():
            for _, value in node.pairs:
                yield from _scalars(value)
        case _:
            return
