"""The list of hooks of a route or of the whole bridge: `[dedupe, {enrich: {…}}, {escalate: payments}]`."""

from __future__ import annotations

import json
from typing import Any

from bridge.config.fields import FieldReader
from bridge.config.findings import Findings
from bridge.config.names import Names
from bridge.config.problems import did_you_mean
from bridge.config.registries import HookCatalogue
from bridge.config.validation import locate, validate_model
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null, plain
from bridge.domain.errors import ConfigError
from bridge.hooks.api import HookOptions
from bridge.routing.route import HookCall

ESCALATE = "escalate"
HOLD = "hold"


class HookReader:
    """Reads hook lists; every hook must be on offer, its options valid, `escalate` name an escalation and `hold` time intervals."""

    def __init__(self, catalogue: HookCatalogue, fields: FieldReader, findings: Findings, names: Names) -> None:
        self._catalogue = catalogue
        self._fields = fields
        self._findings = findings
        self._names = names

    def read_list(self, node: Node) -> tuple[HookCall, ...]:
        """The calls in their order; those that do not validate are reported and left out."""
        if not isinstance(node, Sequence):
            self._findings.error(node.mark, "hooks is a list, such as [dedupe]")
            return ()
        calls = (self._read(item) for item in node.items)
        return tuple(call for call in calls if call is not None)

    def _read(self, item: Node) -> HookCall | None:
        if isinstance(item, Mapping) and len(item.pairs) == 1:
            name, options = item.pairs[0]
        elif isinstance(item, Scalar) and not item.is_null:
            name, options = item, Mapping(item.mark, ())
        else:
            self._findings.error(item.mark, "a hook is a name, or one name with its options: `- dedupe: {window: 5m}`")
            return None
        model = self._model(name)
        if model is None:
            return None
        data = self._options(name.text, options, model)
        before = self._findings.error_count
        valid = validate_model(model, data, options, name.text, self._findings)
        if valid is None or self._findings.error_count > before:
            return None
        if name.text == ESCALATE:
            self._judge_escalation(options, valid)
        elif name.text == HOLD:
            self._judge_intervals(options, valid)
        return HookCall(name.text, json.dumps(data, ensure_ascii=False, sort_keys=True), str(name.mark))

    def _model(self, name: Scalar) -> type[HookOptions] | None:
        if name.text not in self._catalogue.names():
            self._findings.error(
                name.mark, f"there is no hook {name.text!r}{did_you_mean(name.text, self._catalogue.names())}"
            )
            return None
        try:
            return self._catalogue.options_model(name.text)
        except ConfigError as error:
            self._findings.error(name.mark, str(error))
            return None

    def _options(self, name: str, node: Node, model: type[HookOptions]) -> Any:
        """A hook that takes one word may be given it without a key, so only mappings are read by the model."""
        if is_null(node):
            return {}
        if not isinstance(node, Mapping):
            return plain(node)
        missing = len(self._fields.missing)
        data = self._fields.read_model(node, model, ("hooks", name))
        self._fields.refuse_missing(missing)
        return data

    def _judge_escalation(self, options: Node, valid: HookOptions) -> None:
        for name, value in _own(valid):
            if isinstance(value, str) and value not in self._names.escalations:
                mark = locate(options, [name]).mark
                self._findings.unknown_name(mark, "escalation", value, self._names.escalations)

    def _judge_intervals(self, options: Node, valid: HookOptions) -> None:
        for name, value in _own(valid):
            for interval in value if name == "until" and isinstance(value, tuple) else ():
                if interval not in self._names.intervals:
                    mark = locate(options, [name]).mark
                    self._findings.unknown_name(mark, "time interval", interval, self._names.intervals)


def _own(options: HookOptions) -> list[tuple[str, object]]:
    """The options that are the hook's alone."""
    return [
        (name, getattr(options, name)) for name in type(options).model_fields if name not in HookOptions.model_fields
    ]
