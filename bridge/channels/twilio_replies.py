"""Texts that come back to Twilio's numbers: `ack`, `ack 4711`, `resolve`.

Twilio signs the address it was given and every parameter with the account's auth token: base64 of HMAC-SHA1 over the URL
and, sorted by name, each name and value. A signature bears no time; a text has an id of its own. What is answered is
TwiML, by which Twilio texts back.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import parse_qsl, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from bridge.channels.callbacks import Ask, CallbackAnswer, CallbackRequest, Done, Forged, Heard, Unreadable, is_same
from bridge.channels.sizes import clean, longest
from bridge.channels.sms_text import bits, room, spelled
from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.domain.secret import Secret
from bridge.net import HttpClient

_PROOF = "X-Twilio-Signature"
_MOST_PARAMETERS = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}
_VERBS = {
    "ack": Deed.ACKNOWLEDGE,
    "acknowledge": Deed.ACKNOWLEDGE,
    "resolve": Deed.RESOLVE,
    "unack": Deed.UNACKNOWLEDGE,
    "unacknowledge": Deed.UNACKNOWLEDGE,
}
_SAID = re.compile(rf"\s*({'|'.join(_VERBS)})(?![a-z])(?:[^0-9]*([0-9]{{1,9}}))?", re.IGNORECASE | re.ASCII)


class TwilioEar:
    """Hears texts. Only numbers of people act: whoever knows a number can text to it, and a sender can be forged.

    `reaches` are the numbers the channel texts to: a text from one of them is about what it was told.
    """

    via = Via.SMS
    accounts = "phone"
    strangers = False

    def __init__(self, auth_token: Secret, reaches: Iterable[str]) -> None:
        self._auth_token = auth_token
        self.reaches = frozenset(map(plain_number, reaches))

    def hear(self, request: CallbackRequest) -> Heard:
        """As `Callback.hear`. A text that begins with no word it knows is nothing to do."""
        form = self._proven(request)
        said = _SAID.match(_only(form, "Body"))
        sender = plain_number(_only(form, "From"))
        if said is None or not sender:
            return Heard()
        key = _only(form, "MessageSid")
        if not key:
            raise Unreadable("a text without its MessageSid")
        return Heard((Ask(f"text {key}", sender, deed=_VERBS[said[1].lower()], number=said[2] or ""),))

    def answer(self, _heard: Heard, done: Sequence[Done]) -> CallbackAnswer:
        """What came of it is texted back, in one segment; nobody who may not act costs a text."""
        text = spelled(clean(" ".join(each.text for each in done if each.by and each.text)))
        text = text[: longest(text, lambda head: bits(head) <= room(1))]
        said = f"<Message>{escape(text)}</Message>" if text else ""
        return CallbackAnswer(f'<?xml version="1.0" encoding="UTF-8"?><Response>{said}</Response>'.encode(), "text/xml")

    async def reply(self, _heard: Heard, _done: Sequence[Done], _http: HttpClient) -> None:
        """The answer has said it."""

    def _proven(self, request: CallbackRequest) -> list[tuple[str, str]]:
        given = request.header(_PROOF)
        try:
            form = parse_qsl(
                request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
            )
        except ValueError as error:
            raise Forged("no form of Twilio") from error
        # Every spelling is compared, so that the time tells nothing of which one was near.
        same = [is_same(given, signature(self._auth_token, url, form)) for url in spellings(request.url)]
        if not any(same):
            raise Forged("not Twilio's signature")
        return form


def signature(auth_token: Secret, url: str, form: Iterable[tuple[str, str]]) -> str:
    """What Twilio puts into `X-Twilio-Signature` for a form. A pair that is there twice counts once."""
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    return b64encode(hmac.digest(auth_token.reveal().encode(), signed.encode(), "sha1")).decode()


def spellings(url: str) -> Iterator[str]:
    """The address as it is written; with, or without, the port that its scheme implies: Twilio signs either."""
    yield url
    parts = urlsplit(url)
    implied = _DEFAULT_PORTS.get(parts.scheme)
    if parts.port is None and implied is not None:
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc}:{implied}"))
    elif parts.port == implied:
        yield urlunsplit(parts._replace(netloc=parts.netloc.removesuffix(f":{implied}")))


def plain_number(number: str) -> str:
    """The number without the service before it: `whatsapp:+49301` is +49301."""
    return number.strip().rpartition(":")[2]


def _only(form: Iterable[tuple[str, str]], name: str) -> str:
    """The value of a parameter that is there once; empty if it is not there, or twice."""
    values = [value for known, value in form if known == name]
    return values[0] if len(values) == 1 else ""
