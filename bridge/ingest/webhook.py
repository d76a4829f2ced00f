"""A webhook's body, from Alertmanager or Grafana, as values.

Sources of the formats: Alertmanager's webhook version 4 (0.21 to 0.34), Grafana unified alerting's version 1.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256

import msgspec
from msgspec import Raw

from bridge.domain.alert import Alert, Quarantined, Webhook
from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest import entry
from bridge.ingest.detect import Format, detect
from bridge.ingest.envelope import Envelope, decode, malformed
from bridge.ingest.labels import NUL, NUL_IN_JSON, find_problem, without_empty, without_nul

MAX_ALERTS = 20_000
_MAX_ORG = 2**63
_QUOTED_META = re.compile(r"\\([\\.+*?()|\[\]{}^$])")


def parse(format: Format, body: bytes, source: str, received_at: datetime) -> Webhook:  # noqa: A002 - the domain's word
    """The alerts of one request. What counts is each alert's own status, never the body's.

    An entry that is no alert is quarantined by its place, the others are kept, even if none is left. `format` is the
    source's type; `auto` takes either. Whatever the bytes are, nothing but the error below is raised.

    Raises:
        IngestError: `MALFORMED`, `WRONG_FORMAT` or `TOO_LARGE`; says what is wrong and where, never echoes values.
    """
    try:
        envelope = decode(body)
        return _webhook(envelope, format, body, source, received_at)
    except RecursionError:
        raise malformed("it is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(str(error)) from None


def _webhook(envelope: Envelope, wanted: Format, body: bytes, source: str, received_at: datetime) -> Webhook:
    found = detect(envelope.version, wanted)
    entries = envelope.alerts or []
    if len(entries) > MAX_ALERTS:
        raise IngestError(IngestReason.TOO_LARGE, f"the body has {len(entries)} alerts; at most {MAX_ALERTS} are taken")
    nul = NUL_IN_JSON in body
    org = _org(envelope.org_id) if found == "grafana" else ""
    receiver = _text(envelope.receiver, nul=nul)
    if "\\" in receiver:
        receiver = _QUOTED_META.sub(r"\1", receiver)
    alerts, quarantined = _read(entries, entry.Origin(source, org, receiver, received_at, found == "grafana", nul))
    return Webhook(
        source=source,
        format=found,
        alerts=alerts,
        quarantined=quarantined,
        receiver=receiver,
        org=org,
        group_labels=_group_labels(envelope.group_labels or {}, len(body), nul=nul),
        group_key=_text(envelope.group_key, nul=nul),
        external_url=_text(envelope.external_url, nul=nul),
        truncated=_truncated(envelope.truncated_alerts),
    )


def _read(entries: list[Raw], origin: entry.Origin) -> tuple[tuple[Alert, ...], tuple[Quarantined, ...]]:
    alerts = []
    quarantined = []
    for index, raw in enumerate(entries):
        try:
            alerts.append(entry.read(raw, origin))
        except msgspec.ValidationError as error:
            quarantined.append(_quarantine(index, _placed(str(error), index), raw))
        except IngestError as error:
            raise IngestError(error.reason, _placed(str(error), index)) from None
        except ValueError as error:
            quarantined.append(_quarantine(index, f"{error} - at `$.alerts[{index}]`", raw))
    return tuple(alerts), tuple(quarantined)


def _quarantine(index: int, problem: str, raw: Raw) -> Quarantined:
    return Quarantined(index, problem, sha256(raw).hexdigest())


def _placed(message: str, index: int) -> str:
    place = f"`$.alerts[{index}]"
    return message.replace("`$", place) if "`$" in message else f"{message} - at {place}`"


def _group_labels(labels: dict[str, str], size: int, *, nul: bool) -> dict[str, str]:
    found = without_empty(without_nul(labels) if nul else labels)
    problem = find_problem(found, size)
    if problem:
        raise IngestError(IngestReason.MALFORMED, f"`$.groupLabels` {problem}")
    return found


def _org(number: int | None) -> str:
    if number is None:
        return ""
    if not -_MAX_ORG <= number < _MAX_ORG:
        raise IngestError(IngestReason.MALFORMED, "`$.orgId` is out of range")
    return str(number)


def _truncated(number: int | None) -> int:
    if number is None:
        return 0
    if not 0 <= number < _MAX_ORG:
        raise IngestError(IngestReason.MALFORMED, "`$.truncatedAlerts` is out of range")
    return number


def _text(text: str | None, *, nul: bool) -> str:
    if text is None:
        return ""
    return text.replace(NUL, "") if nul else text
