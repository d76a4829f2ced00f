from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.secrets.encoding import decode, encode


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_what_is_encoded_decodes(data: bytes) -> None:
    assert decode(encode(data)) == data
    assert "=" not in encode(data)


@pytest.mark.parametrize("text", ["AB", "AAB", "AA==", "A", "AA+A", "AA/A", "AA A", "AAAA\n", "ÄÄ"])
def test_every_value_has_one_spelling_and_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="not base64url"):
        decode(text)
