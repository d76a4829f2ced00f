"""The listeners: one for everything, and perhaps a second one for health and metrics alone."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from bridge.http.asking import as_json
from bridge.http.connections import Answer, Connection, Handler, WatchedServer
from bridge.http.limits import Limits
from bridge.http.problem import Problem, common_headers
from bridge.http.ready import Ready
from bridge.http.request_id import next_request_id
from bridge.http.tls import ServerTls
from bridge.http.webhooks import Source, Webhooks
from bridge.observe.logs import REQUEST_ID, get_logger

_log = get_logger("http")
_POSTING = frozenset({"POST", "PUT"})
_encode = msgspec.json.Encoder().encode


def front(handle: Handler, webhooks: Webhooks | None) -> Handler:
    """The one layer round every handler: names the request and turns every error into a problem document.

    Webhooks by their exact path skip the router.
    """
    direct: Mapping[str, Source] = {} if webhooks is None else webhooks.direct

    async def answer(request: web.Request) -> Answer:
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.server.busy(connection)
        REQUEST_ID.set(next_request_id())
        try:
            source = direct.get(request.raw_path)
            if source is None or webhooks is None or request.method not in _POSTING or "Expect" in request.headers:
                return _named(await handle(request))
            accepted = await webhooks.receive(request, source)
            return Ready(_encode(accepted)) if Ready.suits(request) else _named(as_json(accepted))
        except (Problem, web.HTTPException) as error:
            return _expected(error)
        except ConnectionError:
            raise
        except Exception:
            _log.exception("request failed", method=request.method, path=_shown(request.path))
            if request.writer.output_size > 0:
                raise
            return Problem(500, "an error inside the bridge; its log has the request_id", close=True).response()

    return answer


def _shown(path: str) -> str:
    """A path for the log: what follows `/a/` opens a link."""
    before, sign, _token = path.partition("/a/")
    return f"{before}{sign}…" if sign else path


def _named(response: Answer) -> Answer:
    if isinstance(response, web.StreamResponse) and not response.prepared:
        response.headers.update(common_headers())
    return response


def _expected(error: Problem | web.HTTPException) -> web.Response:
    """What a handler or the router means by raising."""
    if isinstance(error, Problem):
        return error.response()
    if error.status < 400:
        raise error
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(405, f"only {allowed} here", headers={"Allow": allowed}).response()
    if error.status == 404:
        return Problem(404, "there is nothing at this path; see /openapi.json").response()
    return Problem(error.status, error.reason).response()


class _Runner(web.AppRunner):
    """An application behind `front` on watched connections."""

    def __init__(self, app: web.Application, webhooks: Webhooks | None, limits: Limits, drain_seconds: float) -> None:
        super().__init__(app, shutdown_timeout=drain_seconds)
        self._webhooks = webhooks
        self._limits = limits

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = WatchedServer(front(made.request_handler, self._webhooks), made.request_factory, self._limits)
        server.start_sweeping()
        self.watched = server
        return server

    async def _cleanup_server(self) -> None:
        await self.watched.stop_sweeping()
        await super()._cleanup_server()


class Listener:
    """One application on one address. Port 0 takes a free one; `port` tells which."""

    def __init__(
        self,
        app: web.Application,
        *,
        limits: Limits,
        webhooks: Webhooks | None = None,
        tls: ServerTls | None = None,
        drain_seconds: float = 20.0,
    ) -> None:
        self.application = app
        self._runner = _Runner(app, webhooks, limits, drain_seconds)
        self._tls = tls

    async def start(self, host: str, port: int) -> None:
        """Begin to listen.

        Raises:
            OSError: the address is in use or not ours.
        """
        await self._runner.setup()
        context = None if self._tls is None else self._tls.context
        await web.TCPSite(self._runner, host, port, ssl_context=context, backlog=1024).start()

    @property
    def port(self) -> int:
        port: int = self._runner.addresses[0][1]
        return port

    @property
    def open_connections(self) -> int:
        return self._runner.watched.open_connections

    async def stop(self) -> None:
        """Stop listening, let running requests end within the drain time, close every connection."""
        await self._runner.cleanup()
