"""What is asked of an Alertmanager to mirror an acknowledgement: requests and answers of its API v2.

Source: prometheus/alertmanager api/v2/openapi.yaml. A silence that is edited in place may get a new id there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from bridge.config.senders import MirrorSettings
from bridge.domain.errors import FailureReason, Retryable
from bridge.domain.secret import Secret
from bridge.net import HttpClient, Response, outcome_of
from bridge.routing.matchers import Matcher

_TIMEOUT = 10.0
_LIMIT = 8 * 1024 * 1024
_SKEW = timedelta(minutes=5)
_MOST_VALUES = 200
Form = TypeVar("Form")
_META = re.compile(r"([\\.+*?()|\[\]{}^$])")


class _Matcher(Struct, frozen=True, rename="camel"):
    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class _Posted(Struct, frozen=True, rename="camel", omit_defaults=True):
    matchers: tuple[_Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    id: str = ""


class _Made(Struct, frozen=True):
    silence_id: str = msgspec.field(name="silenceID", default="")


class _State(Struct, frozen=True):
    state: str = ""


class _Known(Struct, frozen=True):
    id: str = ""
    comment: str = ""
    status: _State = _State()


class _Alert(Struct, frozen=True):
    fingerprint: str = ""


def matchers_of(labels: Sequence[Mapping[str, str]]) -> tuple[Matcher, ...]:
    """Matchers that hold for alerts with these labels: every label of any, equal or one of the values it has among them.

    Empty if there are no alerts, or a label has too many values for a silence.
    """
    found: list[Matcher] = []
    for name in sorted({name for alert in labels for name in alert}):
        values = sorted({alert.get(name, "") for alert in labels})
        if len(values) > _MOST_VALUES:
            return ()
        pattern = "|".join(_META.sub(r"\\\1", value) for value in values)
        found.append(Matcher(name, "=", values[0]) if len(values) == 1 else Matcher(name, "=~", pattern))
    return tuple(found)


class Upstream:
    """One Alertmanager, with its settings opened. Every call raises ChannelError if it fails."""

    def __init__(self, http: HttpClient, settings: MirrorSettings) -> None:
        self._http = http
        self._base = settings.alertmanager
        self._headers = {"Content-Type": "application/json"}
        if settings.bearer is not None:
            self._headers["Authorization"] = f"Bearer {settings.bearer.reveal()}"

    async def silence(
        self, matchers: Sequence[Matcher], now: datetime, until: datetime, by: str, comment: str, known: str
    ) -> str:
        """Make a silence, or edit the one of this id; its id. Its beginning is before ours: clocks differ."""
        asked = tuple(_Matcher(one.name, one.value, one.op == "=~") for one in matchers)
        body = msgspec.json.encode(_Posted(asked, now - _SKEW, until, by, comment, known))
        response = await self._call("POST", "/api/v2/silences", body)
        if response.status == 404 and known:
            return await self.silence(matchers, now, until, by, comment, "")
        outcome_of(response, now)
        made = _read(response, _Made)
        if not made.silence_id:
            raise _strange(response)
        return made.silence_id

    async def find(self, comment_end: str, now: datetime) -> str:
        """The id of a silence in force whose comment ends so; empty if there is none."""
        response = await self._call("GET", "/api/v2/silences")
        outcome_of(response, now)
        known = _read(response, list[_Known])
        there = (one.id for one in known if one.status.state != "expired" and one.comment.endswith(comment_end))
        return next(there, "")

    async def end(self, silence: str, now: datetime) -> None:
        """End a silence; one that is over or unknown is ended."""
        response = await self._call("DELETE", f"/api/v2/silence/{quote(silence, safe='')}")
        if response.status != 404 and b"already expired" not in response.body:
            outcome_of(response, now)

    async def firing(self, matchers: Sequence[Matcher], now: datetime) -> set[str]:
        """The fingerprints of the alerts that it has, silenced and inhibited ones too."""
        query = [("active", "true"), ("silenced", "true"), ("inhibited", "true"), ("unprocessed", "true")]
        query += [("filter", str(one)) for one in matchers]
        response = await self._call("GET", f"/api/v2/alerts?{urlencode(query)}")
        outcome_of(response, now)
        alerts = _read(response, list[_Alert])
        return {alert.fingerprint for alert in alerts}

    async def _call(self, method: str, path: str, body: bytes = b"") -> Response:
        url = Secret(self._base.reveal().rstrip("/") + path)
        return await self._http.request(method, url, body=body, headers=self._headers, timeout=_TIMEOUT, limit=_LIMIT)


def _read(response: Response, form: type[Form]) -> Form:
    if not response.complete:
        raise _strange(response)
    try:
        return msgspec.json.decode(response.body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _strange(response) from None


def _strange(response: Response) -> Retryable:
    return Retryable(FailureReason.BAD_RESPONSE, f"HTTP {response.status}, but not Alertmanager's answer")
