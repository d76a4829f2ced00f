"""Strikes known credentials out of any text that leaves the process: logs, errors, audit details, answers."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus, urlsplit

from bridge.domain.secret import MASK, Secret

_SHORT = 4
_LEAST_PART = 8


class Redactor:
    """Masks registered credentials: as they are, URL-encoded, in JSON strings, and inside base64 (Basic authentication).

    Of a URL also the part after the host is struck out on its own, since that is what carries the token. A credential
    shorter than four characters is masked only where it stands as a word, or no text would stay readable. Registering
    and cleaning may happen in different threads.
    """

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()
        self._words: tuple[re.Pattern[str], ...] = ()

    def register(self, secret: Secret | str) -> None:
        """Know one more credential; the empty one is passed over."""
        value = secret.reveal() if isinstance(secret, Secret) else secret
        if not value:
            return
        if len(value) < _SHORT:
            self._words = (*self._words, re.compile(rf"(?<!\w){re.escape(value)}(?!\w)"))
            return
        # Longest first: what contains another form must go before it does.
        self._forms = tuple(sorted({*self._forms, *_forms(value)}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text with every known credential replaced by the mask."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        for word in self._words:
            text = word.sub(MASK, text)
        return text

    __call__ = clean

    def __repr__(self) -> str:
        return f"<redactor of {len(self._forms) + len(self._words)} forms>"


def _forms(value: str) -> set[str]:
    values = {value, *_url_parts(value)}
    forms = set(values)
    for plain in values:
        forms |= {
            quote(plain, safe="", errors="replace"),
            quote(plain, errors="replace"),
            quote_plus(plain, errors="replace"),
            json.dumps(plain)[1:-1],
            json.dumps(plain, ensure_ascii=False)[1:-1],
            repr(plain)[1:-1],
        }
        forms |= {form.lower() for form in forms if "%" in form}
    return forms | _base64_forms(value)


def _url_parts(value: str) -> set[str]:
    try:
        parts = urlsplit(value)
        password = parts.password
    except ValueError:
        return set()
    if not parts.netloc:
        return set()
    after_host = parts.path + (f"?{parts.query}" if parts.query else "")
    found = {after_host, after_host.lstrip("/"), parts.query, password or ""}
    return {part for part in found if len(part) >= _LEAST_PART}


def _base64_forms(value: str) -> set[str]:
    """What base64 of any text that contains the value must contain: one form for each alignment, in both alphabets.

    The first and last letters depend on the neighbours and are left off (in `user:password` the user decides them).
    """
    data = value.encode("utf-8", "replace")
    forms = set()
    for shift in range(3):
        letters = base64.b64encode(bytes(shift) + data).decode().rstrip("=")
        start = (0, 2, 3)[shift]
        end = len(letters) if (shift + len(data)) % 3 == 0 else len(letters) - 1
        inner = letters[start:end]
        if len(inner) >= _LEAST_PART:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms
