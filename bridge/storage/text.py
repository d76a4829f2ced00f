"""Maps of text as the database keeps them: JSON objects."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_ENCODER = msgspec.json.Encoder()
_NUL = "\\u0000"
_DECODER = msgspec.json.Decoder(dict[str, str])


def pack(pairs: Mapping[str, str]) -> str:
    """As JSON text. NUL and lone surrogates, which not every database takes, are replaced."""
    if not pairs:
        return "{}"
    try:
        text = _ENCODER.encode(pairs).decode()
    except UnicodeEncodeError:
        text = _NUL
    return text if _NUL not in text else _ENCODER.encode({_clean(k): _clean(v) for k, v in pairs.items()}).decode()


def _clean(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def unpack(text: str) -> dict[str, str]:
    return _DECODER.decode(text) if text != "{}" else {}
