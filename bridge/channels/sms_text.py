"""What fits into text messages: the GSM-7 alphabet, UCS-2 and segments (3GPP TS 23.038).

A message is either all GSM-7 (7 bits a character, 14 for the extension table) or all UCS-2 (16 bits a UTF-16 unit).
One segment has 1,120 bits; of several each has room for 153 characters of GSM-7 or 67 units of UCS-2, that is
1,071 bits at least: the rest joins them.
"""

from __future__ import annotations

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_ALONE = 1120
_JOINED = 1071
_SEAM = 16
_SPELLED = str.maketrans(
    {
        "…": "...",
        "‘": "'",
        "’": "'",
        "‚": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "–": "-",
        "—": "-",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "•": "*",
        "·": "-",
        "×": "x",
        "→": "->",
        "≥": ">=",
        "≤": "<=",
        "`": "'",
        "\t": " ",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
    }
)


def spelled(text: str) -> str:
    """Typography in the plain characters of GSM-7, so that a single `…` does not halve what fits."""
    return text.translate(_SPELLED)


def bits(text: str) -> int:
    """The size of a text as it will be sent, once `spelled`."""
    text = spelled(text)
    if all(char in _BASIC or char in _EXTENDED for char in text):
        return 7 * (len(text) + sum(char in _EXTENDED for char in text))
    return 16 * (len(text) + sum(char > "\uffff" for char in text))


def room(segments: int) -> int:
    """Bits that surely fit into that many segments: a character of two units is never split between two."""
    return _ALONE if segments == 1 else segments * _JOINED - (segments - 1) * _SEAM
