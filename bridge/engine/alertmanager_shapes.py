"""What Alertmanager's API v2 answers, field by field. Times are RFC 3339 in UTC with exactly milliseconds.

Source: prometheus/alertmanager `api/v2/openapi.yaml`, 0.34.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from msgspec import UNSET, Struct, UnsetType

from bridge.domain.moment import micros
from bridge.routing.silences import Silence, State

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - printed without its zone, which is UTC
_WIRE = {
    "starts_at": "startsAt",
    "ends_at": "endsAt",
    "updated_at": "updatedAt",
    "generator_url": "generatorURL",
    "created_by": "createdBy",
    "is_regex": "isRegex",
    "is_equal": "isEqual",
    "silenced_by": "silencedBy",
    "inhibited_by": "inhibitedBy",
    "muted_by": "mutedBy",
    "version_info": "versionInfo",
    "build_user": "buildUser",
    "build_date": "buildDate",
    "go_version": "goVersion",
    "route_labels": "routeLabels",
}


class Named(Struct, frozen=True):
    name: str


class Receiver(Struct, frozen=True):
    name: str
    labels: Mapping[str, str]


class AlertStatus(Struct, frozen=True, rename=_WIRE):
    """`unprocessed` is not among the states: what was accepted is planned already."""

    state: str
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    muted_by: tuple[str, ...]


class GettableAlert(Struct, frozen=True, rename=_WIRE):
    annotations: Mapping[str, str]
    ends_at: str
    fingerprint: str
    receivers: tuple[Named, ...]
    starts_at: str
    status: AlertStatus
    updated_at: str
    labels: Mapping[str, str]
    generator_url: str | UnsetType = UNSET


class SilenceMatcher(Struct, frozen=True, rename=_WIRE):
    is_equal: bool
    is_regex: bool
    name: str
    value: str


class SilenceStatus(Struct, frozen=True):
    state: State


class GettableSilence(Struct, frozen=True, rename=_WIRE):
    id: str
    status: SilenceStatus
    updated_at: str
    comment: str
    created_by: str
    ends_at: str
    matchers: tuple[SilenceMatcher, ...]
    starts_at: str
    annotations: Mapping[str, str] | UnsetType = UNSET


class Peer(Struct, frozen=True):
    address: str
    name: str


class Cluster(Struct, frozen=True, omit_defaults=True):
    status: str
    peers: tuple[Peer, ...]
    name: str = ""


class Original(Struct, frozen=True):
    original: str


class VersionInfo(Struct, frozen=True, rename=_WIRE):
    branch: str
    build_date: str
    build_user: str
    go_version: str
    revision: str
    version: str


class Status(Struct, frozen=True, rename=_WIRE):
    cluster: Cluster
    config: Original
    uptime: str
    version_info: VersionInfo


def as_time(at: datetime) -> str:
    """As Alertmanager prints times."""
    return micros_as_time(micros(at))


def micros_as_time(at: int) -> str:
    """The same of microseconds since 1970."""
    second, rest = divmod(at, 1_000_000)
    return f"{_second(second)}.{rest // 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()


def gettable_silence(silence: Silence, now: datetime) -> GettableSilence:
    """A silence as it is told. Annotations are left out if there are none, as Alertmanager does."""
    return GettableSilence(
        id=silence.id,
        status=SilenceStatus(silence.state(now)),
        updated_at=as_time(silence.updated_at),
        comment=silence.comment,
        created_by=silence.created_by,
        ends_at=as_time(silence.ends_at),
        matchers=tuple(
            SilenceMatcher(matcher.op in {"=", "=~"}, matcher.op in {"=~", "!~"}, matcher.name, matcher.value)
            for matcher in silence.matchers
        ),
        starts_at=as_time(silence.starts_at),
        annotations=silence.annotations or UNSET,
    )
