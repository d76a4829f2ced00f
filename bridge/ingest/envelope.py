"""The outer object of Alertmanager's and Grafana's webhook body: everything but the alerts themselves."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.detect import foreign

Labels = dict[str, str]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Envelope(Struct, frozen=True, rename="camel"):
    """What is used. Field names are the wire's (`group_labels` is `groupLabels`)."""

    alerts: list[Raw] | UnsetType = UNSET
    version: str | None = None
    receiver: str | None = None
    group_labels: Labels | None = None
    group_key: str | None = None
    external_url: str | None = msgspec.field(name="externalURL", default=None)
    truncated_alerts: int | None = None
    org_id: int | None = None


class _Familiar(Envelope, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A body in which we know every field, up to Alertmanager 0.34 and Grafana 12."""

    status: str = ""
    common_labels: Labels | None = None
    common_annotations: Labels | None = None
    route_labels: Labels | None = None
    notification_reason: str = msgspec.field(name="notification_reason", default="")
    title: str = ""
    state: str = ""
    message: str = ""
    app_version: str = ""


_familiar = msgspec.json.Decoder(_Familiar)
_loose = msgspec.json.Decoder(Envelope)
_anything = msgspec.json.Decoder()


def decode(body: bytes) -> Envelope:
    """The envelope of a body that has `alerts`; nothing in the alerts is looked at beyond its being JSON.

    Raises:
        IngestError: `MALFORMED`, no JSON or a field of a wrong type; `WRONG_FORMAT`, somebody else's JSON.
    """
    _check_text(body)
    envelope = _decode(body)
    if envelope.alerts is UNSET:
        raise IngestError(IngestReason.WRONG_FORMAT, foreign(body))
    return envelope


def check_json(text: bytes | str | Raw) -> None:
    """Reads everything, as later readers of the text will: a number out of range may hide where no type looks.

    Raises:
        IngestError: `MALFORMED`.
    """
    try:
        _anything.decode(text)
    except msgspec.DecodeError as error:
        raise malformed(str(error)) from None


def malformed(message: str) -> IngestError:
    """A refusal of a body that is no good JSON."""
    return IngestError(IngestReason.MALFORMED, f"the body is not readable: {message}")


def _check_text(body: bytes) -> None:
    if not body or body.isspace():
        raise malformed("it is empty")
    if body.startswith(_BYTE_ORDER_MARK):
        raise malformed("it begins with a byte order mark; JSON is UTF-8 without one")
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise malformed(f"it is not UTF-8 (byte {error.start})") from None


def _decode(body: bytes) -> Envelope:
    try:
        return _familiar.decode(body)
    except msgspec.ValidationError:
        pass  # an unknown field, or a wrong type where it does not matter
    except msgspec.DecodeError as error:
        raise malformed(str(error)) from None
    check_json(body)
    try:
        return _loose.decode(body)
    except msgspec.ValidationError as error:
        _refuse(body, error)


def _refuse(body: bytes, error: msgspec.ValidationError) -> NoReturn:
    if body.lstrip()[:1] != b"{":
        raise IngestError(IngestReason.WRONG_FORMAT, foreign(body)) from None
    raise malformed(str(error)) from None
