"""A test message through one channel, without a running bridge."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.app.files import http_of, keyring_of, read_files, registries_of
from bridge.channels.api import Context, Receipt
from bridge.config.open_secrets import SecretOpener
from bridge.domain.clock import SystemClock
from bridge.domain.errors import ChannelError, ConfigError, FailureReason, NotFound, Retryable
from bridge.domain.moment import new_id
from bridge.engine.attempt import test_view
from bridge.engine.build import Builder
from bridge.engine.render import render
from bridge.secrets.redaction import Redactor


async def send_test(path: Path, channel: str) -> Receipt:
    """Send one message marked TEST; gives the service's receipt.

    Raises:
        ConfigError: the configuration is not valid, or the channel cannot be used.
        NotFound: no such channel.
        ChannelError: the service did not take it.
    """
    loaded = read_files(path)
    config = loaded.config
    if config is None:
        raise ConfigError("\n".join(str(found) for found in loaded.errors))
    if channel not in config.channels:
        raise NotFound(f"no such channel; there are: {', '.join(config.channels) or 'none'}")
    redactor = Redactor()
    opener = SecretOpener.of(config, keyring_of(config))
    http = http_of(config)
    try:
        generation = Builder(*registries_of(loaded), http, redactor).build(config, opener)
        configured = generation.channels[channel]
        if configured.channel is None:
            raise ConfigError(configured.problem)
        now = SystemClock().now()
        message = render(test_view(configured, now), configured.options, generation.templates)
        limit = configured.options.timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await configured.channel.send(message, Context(http, now, f"test-{new_id(now)}"))
        except TimeoutError:
            raise Retryable(FailureReason.TIMEOUT, f"no end within {limit:g} s", unknown=True) from None
        except ChannelError as error:
            error.redact(redactor.clean)
            raise
    finally:
        await http.close()
