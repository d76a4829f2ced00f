"""Reads one channel: its type picks the options model, then its options are judged."""

from __future__ import annotations

from bridge.channels.api import ChannelOptions
from bridge.config.fields import FieldReader
from bridge.config.findings import Findings
from bridge.config.model import ChannelEntry
from bridge.config.problems import did_you_mean
from bridge.config.registries import ChannelCatalogue
from bridge.config.validation import validate_model
from bridge.config.yaml_nodes import Mapping, Node, Scalar
from bridge.domain.errors import ConfigError
from bridge.templates import MESSAGE_NAMES, Templates


class ChannelReader:
    def __init__(self, catalogue: ChannelCatalogue, fields: FieldReader, findings: Findings) -> None:
        self._catalogue = catalogue
        self._fields = fields
        self._findings = findings
        self._templates = Templates()

    def read(self, key: Scalar, node: Node) -> ChannelEntry | None:
        """The entry, or None with its errors.

        An option in a variable or file that is not there is a warning, and the entry's `problem`: a bridge with ten
        channels does not stand still because one of them lacks an address.
        """
        if not isinstance(node, Mapping):
            self._findings.error(
                key.mark, f'channels.{key.text} is a mapping such as `{{type: slack, webhook_url: "sealed:…"}}`'
            )
            return None
        model = self._model(key, node)
        if model is None:
            return None
        before = len(self._fields.missing)
        data = self._fields.read_model(node, model, ("channels", key.text))
        missing = self._fields.missing[before:]
        for mark, message in missing:
            self._findings.warning(mark, f"{message}; the channel parks until it is there")
        options = validate_model(
            model, data, node, f"channels.{key.text}", self._findings, missing=[mark for mark, _ in missing]
        )
        if options is None and not missing:
            return None
        if options is not None:
            self._judge_templates(options, node)
        problem = missing[0][1] if missing else ""
        return ChannelEntry(key.text, str(data.get("type", "")), options, key.mark, problem)

    def _judge_templates(self, options: ChannelOptions, node: Mapping) -> None:
        for key, text in (("title", options.title), ("text", options.text)):
            if text is not None:
                try:
                    self._templates.compile(text, MESSAGE_NAMES)
                except ConfigError as error:
                    mark = (node.get(key) or node).mark
                    self._findings.error(mark, f"{key}: {error}")

    def _model(self, key: Scalar, node: Mapping) -> type[ChannelOptions] | None:
        named = node.get("type")
        names = self._catalogue.names()
        if not isinstance(named, Scalar):
            self._findings.error(key.mark, f"channels.{key.text}: type is missing; known: {', '.join(names)}")
            return None
        if named.text not in names:
            self._findings.error(
                named.mark, f"there is no channel type {named.text!r}{did_you_mean(named.text, names)}"
            )
            return None
        try:
            return self._catalogue.options_model(named.text)
        except ConfigError as error:
            self._findings.error(named.mark, str(error))
            return None
