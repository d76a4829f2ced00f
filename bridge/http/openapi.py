"""`/openapi.json`, made from the operations that are served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import msgspec

from bridge.http.operations import Operation
from bridge.http.problem import MEDIA_TYPE

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "acknowledged_by": {"type": "string"},
    },
}
_NAME = re.compile(r"\{(\w+)\}")


def document(operations: Iterable[Operation], *, version: str, url: str) -> Mapping[str, object]:
    """The OpenAPI 3.1 document. `url` is where the bridge is reached, prefix included."""
    listed = tuple(operations)
    types = {kind for operation in listed for kind in (operation.answer, operation.body) if kind is not None}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    references = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Alertbridge", "version": version},
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the token is the password"},
            },
        },
    }


def _operation(operation: Operation, references: Mapping[type, object]) -> dict[str, object]:
    described: dict[str, object] = {
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(operation, references),
    }
    if operation.body is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": references[operation.body]}}}
    if operation.role is not None:
        described["description"] = f"Needs the role {operation.role.value}."
        described["security"] = [{"bearer": []}, {"basic": []}, {}]
    return described


def _path_parameters(operation: Operation) -> list[dict[str, object]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _NAME.findall(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, object]]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": {"type": "array", "items": parameter.schema} if parameter.repeatable else parameter.schema,
        }
        for parameter in operation.parameters
    ]


def _responses(operation: Operation, references: Mapping[type, object]) -> dict[str, object]:
    schema = {} if operation.answer is None else {"schema": references[operation.answer]}
    statuses = {*operation.problems, *(() if operation.role is None else (401, 403))}
    described: dict[str, object] = {"200": {"description": "Done", "content": {operation.media_type: schema}}}
    for status in sorted(statuses):
        described[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return described
