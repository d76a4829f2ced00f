"""From merged sections to a configuration, with every problem on the way."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, TypeAdapter

from bridge.config import checks
from bridge.config.acknowledgement import AcknowledgementSettings
from bridge.config.drills import read_drills
from bridge.config.escalations import SeveritySettings
from bridge.config.fields import FieldReader, SecretUse
from bridge.config.findings import Findings
from bridge.config.heartbeats import read_heartbeats
from bridge.config.hook_calls import HookReader
from bridge.config.intervals import InhibitRule, TimeInterval
from bridge.config.model import Config
from bridge.config.named_sections import NamedSections
from bridge.config.names import Names
from bridge.config.on_call import OnCallSections
from bridge.config.outgoing import EgressSettings, ExecSettings, HttpSettings
from bridge.config.paged import judge_pages
from bridge.config.problems import Mark
from bridge.config.reachable import judge_reachable
from bridge.config.recurring import read_silences
from bridge.config.registries import ChannelCatalogue, HookCatalogue
from bridge.config.routes import RouteReader
from bridge.config.sections import Sections
from bridge.config.senders import AccessSettings
from bridge.config.server import LogSettings, SecretsSettings, ServerSettings, StorageSettings, WatchSettings
from bridge.config.validation import validate_model, validate_type
from bridge.config.values import Section
from bridge.config.workflows import add_workflows
from bridge.config.yaml_nodes import Mapping, Node, Scalar, without_nulls
from bridge.domain.errors import ConfigError
from bridge.domain.options import Duration
from bridge.routing.route import HookCall, Route

S = TypeVar("S", bound=Section)

_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
_IN_FLIGHT: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=100_000)])


class Assembled(Struct, frozen=True):
    """`config` is None if there are errors. `parked` are options of channels that stand in variables or files that are
    not there. The catalogues know the configuration's plugin files.
    """

    config: Config | None
    secrets: tuple[SecretUse, ...]
    parked: tuple[Mark, ...]
    channels: ChannelCatalogue
    hooks: HookCatalogue


def assemble(
    sections: Sections,
    team_routes: tuple[Node, ...],
    catalogues: tuple[ChannelCatalogue, HookCatalogue],
    environ: MappingType[str, str],
    digest: str,
    findings: Findings,
) -> Assembled:
    """Judge everything. `team_routes` are the lists under `routes:`, in the order in which they are tried."""
    work = _Assembly(sections, environ, findings)
    channels, hooks = work.with_plugins(*catalogues)
    config = work.config(team_routes, channels, hooks, digest)
    return Assembled(None if findings.errors else config, tuple(work.fields.uses), work.parked, channels, hooks)


class _Assembly:
    def __init__(self, sections: Sections, environ: MappingType[str, str], findings: Findings) -> None:
        self.sections = sections
        self.findings = findings
        self.fields = FieldReader(findings, environ, _credential_fields(sections))
        self.plugins: tuple[Path, ...] = ()

    @property
    def parked(self) -> tuple[Mark, ...]:
        return tuple(mark for mark, _ in self.fields.missing)

    def with_plugins(self, channels: ChannelCatalogue, hooks: HookCatalogue) -> tuple[ChannelCatalogue, HookCatalogue]:
        """The catalogues with the plugin files; without them where they cannot be loaded."""
        listed = self.sections.lists.get("plugins", [])
        nodes = [item for node in listed for item in node.items]
        texts = [item for item in nodes if isinstance(item, Scalar) and not item.is_null]
        for item in nodes:
            if item not in texts:
                self.findings.error(item.mark, "plugins is a list of Python files")
        files = tuple(Path(item.text) for item in texts)
        if not files:
            return channels, hooks
        try:
            loaded = channels.load(files), hooks.load(files)
        except ConfigError as error:
            culprit = next((item for item in texts if str(Path(item.text)) in str(error)), texts[0])
            self.findings.error(culprit.mark, str(error))
            return channels, hooks
        self.plugins = files
        return loaded

    def config(
        self, team_routes: tuple[Node, ...], channels: ChannelCatalogue, hooks: HookCatalogue, digest: str
    ) -> Config | None:
        findings, sections = self.findings, self.sections
        add_workflows(sections, channels.workflows(), findings)
        named = NamedSections(sections, self.fields, findings)
        names = Names(
            channels=frozenset(sections.entries("channels")),
            receivers=frozenset(sections.entries("receivers")),
            escalations=frozenset(sections.entries("escalations")),
            intervals=frozenset(self._interval_names()),
            people=frozenset(sections.entries("people")),
            schedules=frozenset(sections.entries("schedules")),
        )
        server = self._settings("server", ServerSettings)
        access = self._settings("access", AccessSettings)
        secrets = self._settings("secrets", SecretsSettings)
        sources = named.sources()
        entries = named.channels(channels)
        receivers = named.receivers(names)
        escalations = named.escalations(names, entries)
        on_call = OnCallSections(sections, self.fields, names, findings)
        people, (schedules, calendars) = on_call.people(), on_call.schedules()
        route, pre_routing = self._routing(team_routes, names, hooks)
        config = Config(
            digest=digest,
            route=route or Route(id="", receiver=""),
            channels=entries,
            receivers=receivers,
            sources=sources,
            escalations=escalations,
            credentials=named.credentials(),
            server=server,
            storage=self._settings("storage", StorageSettings),
            secrets=secrets,
            access=access if "access" in sections.given else None,
            severity=self._settings("severity", SeveritySettings).to_domain(),
            acknowledgement=self._settings("acknowledgement", AcknowledgementSettings),
            egress=self._settings("egress", EgressSettings),
            http=self._settings("http", HttpSettings),
            exec=self._settings("exec", ExecSettings),
            log=self._settings("log", LogSettings),
            watch=self._settings("watch", WatchSettings),
            hooks=pre_routing,
            plugins=self.plugins,
            inhibit_rules=self._inhibit_rules(),
            time_intervals=self._intervals(),
            silences=read_silences(sections, names, findings),
            people=people,
            schedules=schedules,
            calendars=calendars,
            heartbeats=read_heartbeats(sections, self.fields, findings),
            drills=read_drills(sections, self.fields, names, findings),
            fallback=self._fallback(names),
        )
        self._judge_whole(config)
        return replace(config, **self._durations(), **self._numbers()) if route is not None else None

    def _judge_whole(self, config: Config) -> None:
        findings, sections = self.findings, self.sections
        checks.judge_exposure(config.server, config.sources, config.access, sections, findings)
        checks.judge_plaintext(config.secrets, self.fields.plaintext, sections, findings)
        checks.judge_repeats(config.escalations, config.receivers, config.channels, sections, findings)
        checks.judge_storage(sections, findings)
        judge_reachable(config, sections, findings)
        judge_pages(config, sections, findings)

    def _settings(self, name: str, model: type[S]) -> S:
        """A section that stands once; its defaults if it is not given, or not valid."""
        node = self.sections.settings.get(name)
        if node is None:
            return model()
        before = len(self.fields.missing)
        data = self.fields.read_model(node, model, (name,))
        self.fields.refuse_missing(before)
        return validate_model(model, data, node, name, self.findings) or model()

    def _routing(
        self, team_routes: tuple[Node, ...], names: Names, catalogue: HookCatalogue
    ) -> tuple[Route | None, tuple[HookCall, ...]]:
        hooks = HookReader(catalogue, self.fields, self.findings, names)
        pre_routing = tuple(call for node in self.sections.lists.get("hooks", []) for call in hooks.read_list(node))
        if not self.sections.routes:
            return None, pre_routing
        root = self.sections.routes[0][1]
        return RouteReader(names, hooks, self.findings).read_tree(root, team_routes), pre_routing

    def _inhibit_rules(self) -> tuple[InhibitRule, ...]:
        return tuple(rule for _, rule in self._each("inhibit_rules", InhibitRule))

    def _intervals(self) -> tuple[TimeInterval, ...]:
        found: dict[str, TimeInterval] = {}
        for section in ("time_intervals", "mute_time_intervals"):
            for node, interval in self._each(section, TimeInterval):
                if interval.name in found:
                    self.findings.error(node.mark, f"the time interval {interval.name!r} is defined twice")
                found.setdefault(interval.name, interval)
        return tuple(found.values())

    def _interval_names(self) -> list[str]:
        nodes = [*self.sections.lists.get("time_intervals", []), *self.sections.lists.get("mute_time_intervals", [])]
        names = [item.get("name") for node in nodes for item in node.items if isinstance(item, Mapping)]
        return [name.text for name in names if isinstance(name, Scalar)]

    def _each(self, section: str, model: type[S]) -> list[tuple[Node, S]]:
        """The entries of a list section that validate, each with its node."""
        found = []
        for node in self.sections.lists.get(section, []):
            for item in node.items:
                valid = validate_model(model, without_nulls(item), item, section, self.findings)
                if valid is not None:
                    found.append((item, valid))
        return found

    def _fallback(self, names: Names) -> str | None:
        node = self.sections.values.get("fallback")
        if node is None:
            return None
        names.judge(node, "channel", self.findings)
        return node.text

    def _durations(self) -> dict[str, timedelta]:
        found = {}
        for key in ("reopen_within", "resolve_timeout", "rehome_after"):
            node = self.sections.values.get(key)
            if node is not None:
                value = validate_type(_DURATION, node.text, node, key, self.findings)
                if value is not None:
                    found[key] = value
        return found

    def _numbers(self) -> dict[str, int]:
        node = self.sections.values.get("max_in_flight")
        value = None if node is None else validate_type(_IN_FLIGHT, node.text, node, "max_in_flight", self.findings)
        return {} if value is None else {"max_in_flight": value}


def _credential_fields(sections: Sections) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(key.text for key, _ in node.pairs) if isinstance(node, Mapping) else frozenset()
        for name, (_, node) in sections.entries("credentials").items()
    }
