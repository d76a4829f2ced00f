"""What can only be judged of the whole: who may come in, what is in plain text, what rings nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from collections.abc import Sequence as SequenceType

from bridge.config.fields import SecretUse
from bridge.config.findings import Findings
from bridge.config.model import ChannelEntry
from bridge.config.problems import Mark
from bridge.config.sections import Sections
from bridge.config.senders import AccessSettings, SourceSettings
from bridge.config.server import SecretsSettings, ServerSettings
from bridge.config.yaml_nodes import Mapping, Scalar, Sequence
from bridge.domain.errors import StorageError
from bridge.domain.escalation import Step
from bridge.secrets.binding import Binding
from bridge.storage.postgres_address import SCHEMES, parse_address


def judge_exposure(
    server: ServerSettings,
    sources: MappingType[str, SourceSettings],
    access: AccessSettings | None,
    sections: Sections,
    findings: Findings,
) -> None:
    """Beyond loopback nothing is open unless the configuration says so in so many words.

    A source is closed by its own `auth`, by client certificates, or by tokens with the role `ingest`.
    """
    if server.listen.is_loopback:
        return
    listen = _listen_mark(sections)
    anonymous = access.anonymous if access is not None else ()
    tokens = access.tokens if access is not None else ()
    if not tokens and not anonymous:
        findings.error(
            listen,
            f"listening on {server.listen} would leave the API open: give `access: {{tokens: …}}`, or say "
            "`access: {anonymous: [viewer]}` in so many words",
        )
    certificates = server.tls is not None and server.tls.client_ca_file is not None
    if "ingest" in anonymous or certificates or any("ingest" in token.roles for token in tokens):
        return
    for name, source in sources.items():
        if source.auth is None:
            entry = sections.entries("sources").get(name)
            findings.error(
                entry[0].mark if entry else listen,
                f"listening on {server.listen} would leave the source {name!r} open: give it `auth`, or say "
                "`access: {anonymous: [ingest]}` in so many words",
            )


def judge_plaintext(
    settings: SecretsSettings, plaintext: SequenceType[SecretUse], sections: Sections, findings: Findings
) -> None:
    """Secrets in plain text are errors that say how to seal them; allowed, they are one warning."""
    places = [(use, Binding.at(settings.environment, use.path).location) for use in plaintext]
    if settings.allow_plaintext:
        if places:
            node = sections.settings.get("secrets")
            mark = node.key_mark("allow_plaintext") if node else places[0][0].mark
            listed = ", ".join(location for _, location in places)
            findings.warning(mark, f"secrets in plain text are allowed, and stand at: {listed}")
        return
    for use, location in places:
        findings.error(
            use.mark,
            f"{'.'.join(use.path)} is a secret in plain text; seal it (`alertbridge secrets seal --for {location}`), "
            "or write env:NAME or file:/path",
        )


def judge_repeats(
    escalations: MappingType[str, tuple[Step, ...]],
    receivers: MappingType[str, tuple[str, ...]],
    channels: MappingType[str, ChannelEntry],
    sections: Sections,
    findings: Findings,
) -> None:
    """PagerDuty takes a repeated event as the same incident and rings nobody."""
    for name, steps in escalations.items():
        node = sections.entries("escalations")[name][1]
        for index, step in enumerate(steps):
            if step.repeat is None:
                continue
            told = [channel for to in step.notify for channel in receivers.get(to, (to,))]
            silent = [channel for channel in told if channel in channels and channels[channel].type == "pagerduty"]
            if silent:
                item = node.items[index] if isinstance(node, Sequence) else node
                mark = item.key_mark("repeat") if isinstance(item, Mapping) else item.mark
                findings.warning(
                    mark,
                    f"repeat rings nobody at {', '.join(silent)}: to PagerDuty a repeated event is the same incident",
                )


def judge_storage(sections: Sections, findings: Findings) -> None:
    """An address of a kind that there is; what a reference stands for is judged when it is opened."""
    node = sections.settings.get("storage")
    if node is None:
        return
    url = node.get("url")
    if not isinstance(url, Scalar) or re.match("sqlite:.|env:|file:|sealed:|credential:", url.text):
        return
    if not url.text.startswith(SCHEMES):
        findings.error(url.mark, "storage.url: write it like sqlite:var/bridge.db or postgresql://user@host/database")
        return
    try:
        parse_address(url.text)
    except StorageError as error:
        findings.error(url.mark, f"storage.url: {error}")


def _listen_mark(sections: Sections) -> Mark:
    server = sections.settings.get("server")
    if server is None:
        return sections.routes[0][0].mark if sections.routes else Mark("", 1, 1)
    return server.key_mark("listen")
