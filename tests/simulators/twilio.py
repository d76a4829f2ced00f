"""Twilio's Messages API as its documentation has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from tests.simulators.server import Answer, Recorded, Simulator, Told


class Twilio(Simulator):
    """Knows one account. `refuse` maps a number to the (HTTP status, code) it is answered with."""

    def __init__(self, account_sid: str, auth_token: str) -> None:
        super().__init__()
        self.texts: list[dict[str, str]] = []
        self.refuse: dict[str, tuple[int, int]] = {}
        self._path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._authorization = "Basic " + base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._told: list[Told] = []

    def answer(self, request: Recorded) -> Answer:  # noqa: PLR0911 - one line for each check
        if (request.method, request.path) != ("POST", self._path):
            return _error(404, 20404, "The requested resource was not found")
        if request.headers.get("Authorization") != self._authorization:
            return _error(401, 20003, "Authenticate")
        form = dict(parse_qsl(request.body.decode(), strict_parsing=True))
        if not form.get("From") and not form.get("MessagingServiceSid"):
            return _error(400, 21603, "A 'From' phone number is required")
        if not form.get("Body"):
            return _error(400, 21602, "Message body is required")
        if len(form["Body"]) > 1600:
            return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if form["To"] in self.refuse:
            status, code = self.refuse[form["To"]]
            return _error(status, code, "refused")
        self.texts.append(form)
        self._told.append(Told(form["Body"]))
        body = {"sid": f"SM{len(self.texts):032}", "status": "queued", "num_segments": "1", "error_code": None}
        return Answer(201, json.dumps(body).encode())

    def told(self) -> list[Told]:
        return self._told


def texted(url: str, auth_token: str, form: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of what Twilio posts to a number's address when somebody texts to it."""
    signed = url
    for name in sorted(form):
        signed += name + form[name]
    mac = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": base64.b64encode(mac).decode(),
    }
    return urlencode(form).encode(), headers


def text_of(number: str, text: str, sid: str) -> dict[str, str]:
    """The parameters of a text that came in."""
    return {
        "ToCountry": "US", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "", "SmsSid": sid,
        "SmsStatus": "received", "Body": text, "FromCountry": "DE", "To": "+15005550006", "MessagingServiceSid": "",
        "NumSegments": "1", "MessageSid": sid, "AccountSid": "AC0123456789", "From": number, "ApiVersion": "2010-04-01",
    }  # fmt: skip


def _error(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer(status, json.dumps({"code": code, "message": message, "more_info": more, "status": status}).encode())
