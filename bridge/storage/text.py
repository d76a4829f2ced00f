"""Maps of text as the database keeps them: JSON objects."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, str])


def pack(pairs: Mapping[str, str]) -> str:
    return _ENCODER.encode(pairs).decode() if pairs else "{}"


def unpack(text: str) -> dict[str, str]:
    return _DECODER.decode(text) if text != "{}" else {}
