"""Reads a node the way its model will: null is left out, references are looked up, secrets are judged.

The model's annotations decide: where a `Secret` belongs, the text stays the reference it is and is recorded; anywhere
else `env:NAME` and `file:/path` are replaced by what they stand for. What comes out is plain data for pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from typing import Any

from msgspec import Struct
from pydantic import BaseModel

from bridge.config import model_types
from bridge.config.findings import Findings
from bridge.config.problems import Mark, did_you_mean
from bridge.config.references import is_reference, look_up
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null
from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.secrets.references import Form, check_form, form_of, resolve

Path = tuple[str, ...]
_LOOPBACK_URL = re.compile(r"http://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?([/?#]|$)")


class SecretUse(Struct, frozen=True):
    """A secret field of the configuration: the keys that lead to it, what stands there, and where.

    `path` is `("channels", "team-slack", "webhook_url")`; an entry of a list counts by its `name`, else its index.
    `reference` is the text as written, so it may be the credential itself.
    """

    path: Path
    reference: Secret
    mark: Mark

    @property
    def form(self) -> Form:
        return form_of(self.reference.reveal())


class FieldReader:
    """Turns nodes into data for models. `uses` and `missing` grow while it reads.

    `missing` tells the references to variables and files that are not there; what they stood for is left out.
    """

    def __init__(
        self, findings: Findings, environ: MappingType[str, str], credentials: MappingType[str, frozenset[str]]
    ) -> None:
        self.uses: list[SecretUse] = []
        self.plaintext: list[SecretUse] = []
        self.missing: list[tuple[Mark, str]] = []
        self._findings = findings
        self._environ = environ
        self._credentials = credentials

    def read_model(self, node: Mapping, model: type[BaseModel], path: Path) -> dict[str, Any]:
        """Data for a model: unknown keys are reported with a suggestion and left out, as are null values."""
        fields = model_types.fields_by_key(model)
        data: dict[str, Any] = {}
        for key, value in node.pairs:
            field = fields.get(key.text)
            if field is None and not model_types.takes_any_key(model):
                self._findings.error(
                    key.mark, f"{'.'.join((*path, key.text))}: unknown key{did_you_mean(key.text, fields)}"
                )
            elif not is_null(value):
                annotation = field.annotation if field is not None else Any
                plain = model_types.allows_plain(field.metadata) if field is not None else False
                self._put(data, key.text, value, (annotation, plain), (*path, key.text))
        return data

    def read(self, node: Node, annotation: Any, path: Path, *, plain: bool = False) -> Any:
        """Data for an annotation; None for null, and for a reference to what is not there (see `missing`)."""
        if is_null(node):
            return None
        if isinstance(node, Scalar):
            member = model_types.secret_member(annotation, plain=plain)
            return self._text(node, path) if member is None else self._secret(node, path, plain=member.plain)
        if isinstance(node, Mapping):
            model = model_types.model_member(annotation, frozenset(key.text for key, _ in node.pairs))
            if model is not None:
                return self.read_model(node, model, path)
            data: dict[str, Any] = {}
            inner = model_types.dict_value(annotation, plain=plain)
            for key, value in node.pairs:
                self._put(data, key.text, value, inner, (*path, key.text))
            return data
        return self._list(node, annotation, path, plain=plain)

    def refuse_missing(self, since: int) -> None:
        """Turn the missing references found since then (a length of `missing`) into errors."""
        for mark, message in self.missing[since:]:
            self._findings.error(mark, message)

    def _list(self, node: Sequence, annotation: Any, path: Path, *, plain: bool) -> list[Any]:
        element, inner_plain = model_types.list_element(annotation, plain=plain)
        return [
            self.read(item, element, (*path, _entry_name(item, index)), plain=inner_plain)
            for index, item in enumerate(node.items)
        ]

    def _put(self, data: dict[str, Any], key: str, node: Node, inner: tuple[Any, bool], path: Path) -> None:
        count = len(self.missing)
        value = self.read(node, inner[0], path, plain=inner[1])
        if value is not None or len(self.missing) == count:
            data[key] = value

    def _text(self, node: Scalar, path: Path) -> str | None:
        where = ".".join(path)
        if is_reference(node.text):
            try:
                return look_up(node.text, where, self._environ)
            except SecretError as error:
                self.missing.append((node.mark, str(error)))
                return None
        if form_of(node.text) is Form.SEALED:
            self._findings.error(
                node.mark, f"{where} is no secret, so a sealed text is not opened here; write it in plain text"
            )
        self._note_clear_text(node, where)
        return node.text

    def _secret(self, node: Scalar, path: Path, *, plain: bool) -> str:
        use = SecretUse(path, Secret(node.text), node.mark)
        where = ".".join(path)
        self.uses.append(use)
        try:
            form = check_form(node.text, where)
        except SecretError as error:
            self._findings.error(node.mark, str(error))
            return node.text
        if form is Form.CREDENTIAL:
            self._judge_credential(node, path)
        elif form in {Form.ENV, Form.FILE}:
            self._judge_reference(node, where)
        elif form is Form.PLAIN and not plain:
            self.plaintext.append(use)
        if form is Form.PLAIN:
            self._note_clear_text(node, where)
        return node.text

    def _judge_reference(self, node: Scalar, where: str) -> None:
        try:
            resolve(node.text, where, self._environ)
        except SecretError as error:
            self._findings.warning(node.mark, str(error))

    def _judge_credential(self, node: Scalar, path: Path) -> None:
        name = node.text.partition(":")[2]
        if path[0] == "credentials":
            self._findings.error(node.mark, f"{'.'.join(path)}: a credential cannot stand for another")
        elif name not in self._credentials:
            self._findings.unknown_name(node.mark, "credential", name, self._credentials)
        elif path[-1] not in (fields := self._credentials[name]) and len(fields) > 1:
            self._findings.error(
                node.mark, f"the credential {name!r} has no {path[-1]!r}{did_you_mean(path[-1], fields)}"
            )

    def _note_clear_text(self, node: Scalar, where: str) -> None:
        if node.text.startswith("http://") and not _LOOPBACK_URL.match(node.text):
            self._findings.note(node.mark, f"{where} is an http:// URL: what is sent there can be read on the way")


def _entry_name(item: Node, index: int) -> str:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name.text if isinstance(name, Scalar) and name.text else str(index)
