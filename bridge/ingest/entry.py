"""One entry of `alerts`: the same object from Alertmanager and from Grafana, which adds fields of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter

import msgspec
from msgspec import Raw, Struct

from bridge.domain.alert import Alert, Status, fingerprint
from bridge.ingest.envelope import check_json
from bridge.ingest.labels import NUL, find_problem, without_empty, without_nul
from bridge.ingest.times import parse_time

MAX_ENTRY = 1_048_576
"""Bytes of JSON of one alert."""
MAX_FINGERPRINT = 64

_WIRE_NAMES = {
    "starts_at": "startsAt",
    "ends_at": "endsAt",
    "generator_url": "generatorURL",
    "silence_url": "silenceURL",
    "dashboard_url": "dashboardURL",
    "panel_url": "panelURL",
    "image_url": "imageURL",
    "embedded_image": "embeddedImage",
    "rule_uid": "ruleUID",
    "value_string": "valueString",
    "org_id": "orgId",
}
_ABSENT = Raw()
_STATUS = {status.value: status for status in Status}


class Origin(Struct, frozen=True):
    """What all alerts of one request share. `receiver` is the sender's, unescaped; `nul`: the body has a NUL."""

    source: str
    org: str
    receiver: str
    received_at: datetime
    grafana: bool = False
    nul: bool = False


class _Entry(Struct, frozen=True, rename=_WIRE_NAMES):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    generator_url: str | None = None
    fingerprint: str | None = None


class _Alertmanager(_Entry, frozen=True, forbid_unknown_fields=True, rename=_WIRE_NAMES):
    """An entry of Alertmanager, up to 0.34: it has nothing that we do not use."""


class _Grafana(_Entry, frozen=True, forbid_unknown_fields=True, rename=_WIRE_NAMES):
    """An entry of Grafana, up to 12: what we do not use is kept as it was written."""

    silence_url: Raw = _ABSENT
    dashboard_url: Raw = _ABSENT
    panel_url: Raw = _ABSENT
    image_url: Raw = _ABSENT
    embedded_image: Raw = _ABSENT
    rule_uid: Raw = _ABSENT
    values: Raw = _ABSENT
    value_string: Raw = _ABSENT
    org_id: Raw = _ABSENT
    enrichments: Raw = _ABSENT


_KNOWN = frozenset(_Entry.__struct_encode_fields__)
_KEPT = _Grafana.__struct_encode_fields__[len(_KNOWN) :]
_kept_values = attrgetter(*_Grafana.__struct_fields__[len(_KNOWN) :])
_alertmanager = msgspec.json.Decoder(_Alertmanager)
_grafana = msgspec.json.Decoder(_Grafana)
_loose = msgspec.json.Decoder(_Entry)
_fields = msgspec.json.Decoder(dict[str, Raw])


def read(raw: Raw, origin: Origin) -> Alert:
    """The alert in one entry. A firing alert has no end; a resolved one without an end ended when it came.

    Labels without a value are left out, NUL characters are cut out, unknown fields are kept in `extra`. The
    fingerprint is the sender's word and computed only where there is none: Grafana's covers labels it does not send.

    Raises:
        ValueError: the entry is no alert; the message never echoes its values.
        msgspec.ValidationError: the same, for a field that is missing or of a wrong type.
        IngestError: `MALFORMED`, the entry holds JSON that cannot be read at all.
    """
    size = len(memoryview(raw))
    if size > MAX_ENTRY:
        raise ValueError(f"is larger than {MAX_ENTRY} bytes")
    entry, extra = _decode(raw, grafana=origin.grafana)
    if origin.nul:
        entry, extra = _without_nul(entry, extra)
    return _alert(entry, extra, origin, size)


def _decode(raw: Raw, *, grafana: bool) -> tuple[_Entry, str]:
    """The entry, and as JSON text what it has beyond."""
    try:
        return _decode_grafana(raw) if grafana else (_alertmanager.decode(raw), "{}")
    except msgspec.ValidationError:
        check_json(raw)
        unknown = {name: value for name, value in _fields.decode(raw).items() if name not in _KNOWN}
        return _loose.decode(raw), _object(unknown)


def _decode_grafana(raw: Raw) -> tuple[_Entry, str]:
    entry = _grafana.decode(raw)
    extra = _object({name: value for name, value in zip(_KEPT, _kept_values(entry), strict=True) if value})
    check_json(extra)
    return entry, extra


def _object(fields: Mapping[str, Raw]) -> str:
    """A JSON object of fields that are JSON already."""
    return msgspec.json.encode(fields).decode()


def _alert(entry: _Entry, extra: str, origin: Origin, size: int) -> Alert:
    status = _STATUS.get(entry.status)
    if status is None:
        raise ValueError("`status` is neither firing nor resolved")
    labels = without_empty(entry.labels)
    annotations = entry.annotations or {}
    _check(labels, annotations, size)
    starts_at, ends_at = _time("startsAt", entry.starts_at), _time("endsAt", entry.ends_at)
    return Alert(
        source=origin.source,
        org=origin.org,
        fingerprint=_fingerprint(entry.fingerprint, labels),
        status=status,
        labels=labels,
        annotations=annotations,
        starts_at=starts_at or origin.received_at,
        ends_at=None if status is Status.FIRING else ends_at or origin.received_at,
        starts_text=entry.starts_at or "",
        ends_text=entry.ends_at or "",
        generator_url=entry.generator_url or "",
        receiver=origin.receiver,
        extra=extra,
    )


def _check(labels: dict[str, str], annotations: dict[str, str], size: int) -> None:
    if not labels:
        raise ValueError("`labels` is empty")
    problem = find_problem(labels, size)
    if problem:
        raise ValueError(f"`labels` {problem}")
    problem = find_problem(annotations, 0)
    if problem:
        raise ValueError(f"`annotations` {problem}")


def _time(name: str, text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise ValueError(f"`{name}` {error}") from None


def _fingerprint(sent: str | None, labels: Mapping[str, str]) -> str:
    if not sent:
        return fingerprint(labels)
    if len(sent) > MAX_FINGERPRINT or not sent.isprintable():
        raise ValueError(f"`fingerprint` is longer than {MAX_FINGERPRINT} characters or not printable")
    return sent


def _without_nul(entry: _Entry, extra: str) -> tuple[_Entry, str]:
    def cut(text: str | None) -> str | None:
        return text and text.replace(NUL, "")

    cleaned = _Entry(
        status=entry.status,
        labels=without_nul(entry.labels),
        annotations=without_nul(entry.annotations or {}),
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        generator_url=cut(entry.generator_url),
        fingerprint=cut(entry.fingerprint),
    )
    return cleaned, json.dumps(_cut_everywhere(json.loads(extra)), ensure_ascii=False)


def _cut_everywhere(value: object) -> object:
    if isinstance(value, str):
        return value.replace(NUL, "")
    if isinstance(value, list):
        return [_cut_everywhere(entry) for entry in value]
    if isinstance(value, dict):
        return {name.replace(NUL, ""): _cut_everywhere(entry) for name, entry in value.items()}
    return value
