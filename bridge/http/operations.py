"""One served operation as a value: the router and `/openapi.json` are both made from it, so they cannot differ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from aiohttp import web
from msgspec import Struct, field

from bridge.http.access import Principal, Role
from bridge.http.gate import Gate

Handler = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]


class Parameter(Struct, frozen=True):
    """A query parameter; `schema` is its JSON Schema. `repeatable` ones may be given several times."""

    name: str
    description: str
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})
    repeatable: bool = False


class Operation(Struct, frozen=True):
    """A method on a path. `role` None means that everybody may. `answer` and `body` are types of JSON documents.

    `problems` are the statuses that come as problem documents, besides those of access.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    role: Role | None = None
    answer: type | None = None
    media_type: str = "application/json"
    body: type | None = None
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()


_NOBODY = Principal(name="", roles=frozenset())


def serve(router: web.UrlDispatcher, prefix: str, operations: Iterable[Operation], gate: Gate) -> None:
    """Route the operations, each behind its role. GET serves HEAD too."""
    for operation in operations:
        handler = _guarded(operation, gate)
        if operation.method == "GET":
            router.add_get(prefix + operation.path, handler)
        else:
            router.add_route(operation.method, prefix + operation.path, handler)


def _guarded(operation: Operation, gate: Gate) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    role = operation.role

    async def handler(request: web.Request) -> web.StreamResponse:
        principal = _NOBODY if role is None else await gate.admit(request, role, "API")
        return await operation.handler(request, principal)

    return handler
