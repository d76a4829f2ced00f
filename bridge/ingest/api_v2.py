"""The body of API v2's `POST /alerts`, from Prometheus, Grafana, amtool and others, as values.

Source: Alertmanager 0.34, `postAlertsHandler` and `api/v2/openapi.yaml`. An entry with a wrong type makes Alertmanager
drop the whole request; here the others are kept, with the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from bridge.domain.alert import API, Alert, Quarantined, Status, Webhook, fingerprint
from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.entry import MAX_ENTRY
from bridge.ingest.labels import NUL, NUL_IN_JSON, find_problem, without_empty, without_nul
from bridge.ingest.loose_times import parse_loose_time
from bridge.ingest.swagger import SwaggerError, not_of_type, required, unreadable
from bridge.ingest.webhook import MAX_ALERTS

FORMAT = "api_v2"
_NAME = "alerts"
_SMALL = 2048
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REQUEST_URI = re.compile(r"\*|/.*|[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WIRE = {"starts_at": "startsAt", "ends_at": "endsAt", "generator_url": "generatorURL"}


class Posted(Struct, frozen=True):
    """What a request says. `webhook` holds the alerts that are valid, and of the others that they were there.

    `problems` are Alertmanager's words for alerts that are not; `unreadable` is not empty where one has a wrong type.
    """

    webhook: Webhook
    problems: tuple[str, ...] = ()
    unreadable: str = ""


class _Entry(Struct, frozen=True, rename=_WIRE):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    generator_url: str | None = None


class _Loose(Struct, frozen=True, rename=_WIRE):
    """Go reads null where a text is wanted as the empty one."""

    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    generator_url: str | None = None


_list = msgspec.json.Decoder(list[Raw] | None)
_entry = msgspec.json.Decoder(_Entry)
_loose = msgspec.json.Decoder(_Loose | None)


class _Invalid(ValueError):  # noqa: N818 - the verdict is the name
    """An alert that is readable and not valid; the text is Alertmanager's."""


def parse_alerts(body: bytes, now: datetime, resolve_timeout: timedelta) -> Posted:
    """The alerts of one request. An alert without an end ends `resolve_timeout` from `now`, unless it is posted again.

    Whatever the bytes are, nothing but the errors below is raised.

    Raises:
        SwaggerError: nothing of the request can be kept.
        IngestError: `TOO_LARGE`.
    """
    try:
        return _posted(body, now, resolve_timeout)
    except RecursionError:
        raise unreadable(_NAME, "it is nested too deeply") from None


def _posted(body: bytes, now: datetime, resolve_timeout: timedelta) -> Posted:
    entries = _entries(body)
    if len(entries) > MAX_ALERTS:
        raise IngestError(IngestReason.TOO_LARGE, f"the body has {len(entries)} alerts; at most {MAX_ALERTS} are taken")
    nul = NUL_IN_JSON in body
    alerts: list[Alert] = []
    quarantined: list[Quarantined] = []
    problems: list[str] = []
    wrong = ""
    for index, raw in enumerate(entries):
        try:
            alerts.append(_alert(_read(raw, index), len(memoryview(raw)), now, resolve_timeout, nul=nul))
        except SwaggerError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            wrong = wrong or f"of {index}: {error}"
            quarantined.append(_quarantine(index, str(error), raw))
        except _Invalid as error:
            problems.append(str(error))
            quarantined.append(_quarantine(index, str(error), raw))
        except ValueError as error:
            wrong = wrong or f"of {index}: {error}"
            quarantined.append(_quarantine(index, str(error), raw))
    return Posted(Webhook(API, FORMAT, tuple(alerts), tuple(quarantined)), tuple(problems), wrong)


def _entries(body: bytes) -> Sequence[Raw]:
    if not body or body.isspace():
        raise required(_NAME)
    try:
        if not body.isascii():
            body.decode()
        return _list.decode(body) or ()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(_NAME, str(error)) from None


def _read(raw: Raw, index: int) -> _Entry:
    """One entry; what must be there is looked at before anything is kept.

    Raises:
        SwaggerError: labels are missing, or the link is none.
        msgspec.DecodeError: no such object.
    """
    if len(memoryview(raw)) > MAX_ENTRY:
        raise _Invalid(f"an alert is larger than {MAX_ENTRY} bytes")
    try:
        entry = _entry.decode(raw)
    except msgspec.ValidationError:
        loose = _loose.decode(raw)
        if loose is None:
            raise required(str(index)) from None
        entry = _Entry(
            _texts(loose.labels), _texts(loose.annotations), loose.starts_at, loose.ends_at, loose.generator_url
        )
    if entry.labels is None:
        raise required(f"{index}.labels")
    if entry.generator_url and not _is_request_uri(entry.generator_url):
        raise not_of_type(f"{index}.generatorURL", "body", "uri")
    return entry


def _alert(entry: _Entry, size: int, now: datetime, resolve_timeout: timedelta, *, nul: bool) -> Alert:
    labels, annotations = entry.labels or {}, entry.annotations or {}
    generator_url = entry.generator_url or ""
    if nul:
        labels, annotations = without_nul(labels), without_nul(annotations)
        generator_url = generator_url.replace(NUL, "")
    starts_at, starts_text = _time("startsAt", entry.starts_at)
    ends_at, ends_text = _time("endsAt", entry.ends_at)
    if starts_at is None:
        starts_at, starts_text = (now, "") if ends_at is None else (ends_at, ends_text)
    timeout = ends_at is None
    if ends_at is None:
        ends_at = now + resolve_timeout
    labels = without_empty(labels)
    _check(labels, annotations, starts_at, ends_at, size)
    over = ends_at <= now
    return Alert(
        source=API,
        org="",
        fingerprint=_fingerprint(labels, size),
        status=Status.RESOLVED if over else Status.FIRING,
        labels=labels,
        annotations=annotations,
        starts_at=starts_at,
        ends_at=ends_at if over else None,
        starts_text=starts_text,
        ends_text=ends_text,
        generator_url=generator_url,
        expires_at=None if over else ends_at,
        timeout=timeout and not over,
    )


def _check(
    labels: dict[str, str], annotations: dict[str, str], starts_at: datetime, ends_at: datetime, size: int
) -> None:
    if ends_at < starts_at:
        raise _Invalid("start time must be before end time")
    if not labels:
        raise _Invalid("at least one label pair required")
    if problem := find_problem(labels, size):
        raise _Invalid(f"invalid label set: it {problem}")
    if problem := find_problem(annotations, size):
        raise _Invalid(f"invalid annotations: it {problem}")


def _time(name: str, text: str | None) -> tuple[datetime | None, str]:
    try:
        return parse_loose_time(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _texts(pairs: Mapping[str, str | None] | None) -> dict[str, str] | None:
    return None if pairs is None else {name: value or "" for name, value in pairs.items()}


def _quarantine(index: int, problem: str, raw: Raw) -> Quarantined:
    return Quarantined(index, problem, sha256(raw).hexdigest())


@lru_cache(maxsize=4096)
def _is_request_uri(text: str) -> bool:
    """Whether Go's `url.ParseRequestURI` takes it."""
    path = text.partition("?")[0]
    return _CONTROL.search(text) is None and _REQUEST_URI.fullmatch(text) is not None and not _BAD_ESCAPE.search(path)


def _fingerprint(labels: Mapping[str, str], size: int) -> str:
    """Senders repeat what fires, so it is worth remembering; not of large ones, which could fill the memory."""
    return _remembered(tuple(labels.items())) if size <= _SMALL else fingerprint(labels)


@lru_cache(maxsize=16384)
def _remembered(labels: tuple[tuple[str, str], ...]) -> str:
    return fingerprint(dict(labels))
