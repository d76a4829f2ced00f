"""The HTTP side of a running bridge: its listeners, and the rules that follow the configuration."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from bridge import __version__
from bridge.app.admission import access_of, heartbeats_of, sources_of
from bridge.app.alertmanager import alertmanager_api
from bridge.config.model import Config
from bridge.config.open_secrets import SecretOpener
from bridge.config.server import ServerSettings
from bridge.domain.clock import Clock
from bridge.domain.errors import ConfigError
from bridge.http.access import Access, is_loopback
from bridge.http.actions import FORM, ActionLinks
from bridge.http.application import main_application, observe_application
from bridge.http.body import BodyReader
from bridge.http.callbacks import Callbacks
from bridge.http.drills import DrillPages
from bridge.http.gate import Gate
from bridge.http.heartbeats import HeartbeatPages
from bridge.http.limits import Limits, outside_limits
from bridge.http.pace import FailurePace
from bridge.http.server import Listener
from bridge.http.tls import ServerTls, TlsFiles
from bridge.http.webhooks import Webhooks

if TYPE_CHECKING:
    from bridge.app.bridge import Bridge

_log = structlog.get_logger("bridge.http")


class Front:
    """The main listener, and the one for probes if there is one. Addresses and limits hold until a restart."""

    def __init__(self, bridge: Bridge, config: Config, opener: SecretOpener, clock: Clock) -> None:
        """Raises SecretError if a proof or token cannot be opened, ConfigError if the certificate cannot be used."""
        self._settings = settings = config.server
        limits = limits_of(settings)
        pace = FailurePace(limits, time.monotonic)
        reader = BodyReader(limits)
        prefix = urlsplit(settings.url).path.rstrip("/")
        certified = settings.tls is not None and settings.tls.client_ca_file is not None
        self._gate = Gate(access_of(config, opener), pace, bridge.intake, bridge.metrics, clock)
        self._webhooks = Webhooks(
            intake=bridge.intake,
            sources=sources_of(config, opener),
            gate=self._gate,
            reader=reader,
            metrics=bridge.metrics,
            clock=clock,
            prefix=prefix,
            client_certificates=certified,
        )
        small = BodyReader(outside_limits(limits))
        forms = BodyReader(outside_limits(limits, FORM))
        links = ActionLinks(bridge.link_acts, bridge.intake, forms, self._gate, bridge.metrics, clock)
        self._callbacks = Callbacks(bridge.asks, bridge.intake, small, self._gate, bridge.metrics, clock, settings.url)
        self._heartbeats = HeartbeatPages(bridge.heartbeats, heartbeats_of(config, opener), self._gate, clock)
        app = main_application(
            webhooks=self._webhooks,
            operator=bridge.operator,
            explainer=bridge.explainer,
            schedules=bridge.on_call,
            calendar_token=bridge.calendar_token,
            heartbeats=self._heartbeats,
            drills=DrillPages(bridge.drills, clock),
            state=bridge,
            reload=bridge.reload,
            gate=self._gate,
            reader=reader,
            metrics=bridge.metrics,
            clock=clock,
            version=__version__,
            url=settings.url,
            prefix=prefix,
            outside=(*links.operations(), *self._callbacks.operations()),
        )
        alertmanager_api(bridge, self._gate, reader, clock, client_certificates=certified).serve(app.router, prefix)
        drain = settings.drain_timeout.total_seconds()
        self.main = Listener(app, limits=limits, webhooks=self._webhooks, tls=_tls(settings), drain_seconds=drain)
        self.observe: Listener | None = None
        if settings.observe is not None:
            open_gate = Gate(Access(), pace, bridge.intake, bridge.metrics, clock)
            watching = observe_application(state=bridge, metrics=bridge.metrics, gate=open_gate)
            self.observe = Listener(watching, limits=limits, drain_seconds=1.0)

    async def start(self) -> None:
        """Listen. Raises OSError if an address is in use."""
        await self.main.start(self._settings.listen.host, self._settings.listen.port)
        if self.observe is not None and self._settings.observe is not None:
            await self.observe.start(self._settings.observe.host, self._settings.observe.port)

    @property
    def closed_sources(self) -> dict[str, str]:
        """The sources whose proof cannot be opened, with the reason."""
        return self._webhooks.closed

    @property
    def closed_heartbeats(self) -> dict[str, str]:
        """The heartbeats whose token cannot be opened, with the reason."""
        return {name: door.closed for name, door in self._heartbeats.doors.items() if door.closed}

    def incomplete(self, *, refused: bool) -> None:
        """Whether a file was refused, so that sources may be missing."""
        self._webhooks.incomplete = refused

    def apply(self, config: Config, opener: SecretOpener) -> None:
        """Use a new configuration's sources and rules from the next request on. Raises SecretError or ConfigError, changing nothing."""
        self._require_safe(config)
        access, sources = access_of(config, opener), sources_of(config, opener)
        self._heartbeats.doors = heartbeats_of(config, opener)
        self._gate.access = access
        self._webhooks.apply(sources)
        if config.server != self._settings:
            _log.warning("server_settings_need_a_restart")

    def _require_safe(self, config: Config) -> None:
        """A listener that others reach stays open until a restart, whatever the new configuration says of its address."""
        outside = not is_loopback(self._settings.listen.host)
        open_doors = config.access is None or any(source.auth is None for source in config.sources.values())
        if outside and is_loopback(config.server.listen.host) and open_doors:
            raise ConfigError(
                f"server.listen changes only at a restart: the bridge still listens on {self._settings.listen}, where this "
                "configuration would let everybody in. Restart it, or keep `access:` and the sources' `auth`."
            )

    async def stop(self) -> None:
        """Take no new requests, answer those in hand."""
        listeners = [listener for listener in (self.main, self.observe) if listener is not None]
        await asyncio.gather(*(listener.stop() for listener in listeners))
        await self._callbacks.stop()


def limits_of(settings: ServerSettings) -> Limits:
    """The listener's budgets as the configuration sets them."""
    return Limits(
        max_body=settings.max_body,
        header_seconds=settings.header_timeout.total_seconds(),
        body_seconds=settings.body_timeout.total_seconds(),
        accept_seconds=settings.accept_timeout.total_seconds(),
        connections=settings.max_connections,
        body_memory=settings.body_memory,
    )


def _tls(settings: ServerSettings) -> ServerTls | None:
    tls = settings.tls
    return None if tls is None else ServerTls(TlsFiles(tls.cert_file, tls.key_file, tls.client_ca_file))
