"""What comes back from Telegram: a button under one of the bot's messages was pressed.

Telegram proves an update by the secret token that it was given with the address (`setWebhook`), and says it again until
it is answered 2xx, with the same `update_id`. An update has no time of its own. Who pressed is told by
`answerCallbackQuery`, without which the button keeps turning.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from bridge.channels.callbacks import Ask, CallbackAnswer, CallbackRequest, Done, Forged, Heard, Unreadable, is_same
from bridge.channels.endpoints import Masking
from bridge.channels.sizes import shorten
from bridge.channels.telegram_answers import said_ok
from bridge.domain.act import Via
from bridge.domain.message import Action
from bridge.domain.secret import Secret
from bridge.net import HttpClient

_PROOF = "X-Telegram-Bot-Api-Secret-Token"
_JSON = {"Content-Type": "application/json"}
_LONGEST = 200
_QUERY = "query"


class _User(Struct, frozen=True):
    id: int
    first_name: str = ""
    last_name: str = ""
    username: str = ""

    @property
    def shown(self) -> str:
        return self.username or f"{self.first_name} {self.last_name}".strip()


class _Query(Struct, frozen=True):
    id: str
    from_: _User = msgspec.field(name="from")
    data: str = ""


class _Update(Struct, frozen=True):
    update_id: int
    callback_query: _Query | None = None


class _Toast(Struct, frozen=True, omit_defaults=True):
    """`show_alert` has to be closed by hand, so that it is surely read."""

    callback_query_id: str
    text: str = ""
    show_alert: bool = False


class Button(Struct, frozen=True):
    """`callback_data` holds at most 64 bytes."""

    text: str
    callback_data: str


class Keyboard(Struct, frozen=True):
    """Rows of buttons under a message."""

    inline_keyboard: tuple[tuple[Button, ...], ...]


def keyboard(actions: Sequence[Action]) -> Keyboard | None:
    """A row with a button for each action; None if there is none."""
    return Keyboard((tuple(Button(each.label, each.token) for each in actions),)) if actions else None


class TelegramEar:
    """Hears buttons. `answering` is where answerCallbackQuery is; `secret` what Telegram was given by setWebhook."""

    via = Via.TELEGRAM
    accounts = "telegram"

    def __init__(self, secret: Secret, answering: Secret, masked: Masking, *, strangers: bool) -> None:
        self.strangers = strangers
        self._secret = secret
        self._answering = answering
        self._masked = masked

    def hear(self, request: CallbackRequest) -> Heard:
        """As `Callback.hear`. Whatever else a bot is told of is nothing to do."""
        if not is_same(request.header(_PROOF), self._secret.reveal()):
            raise Forged("not Telegram's secret token")
        try:
            update = msgspec.json.decode(request.body, type=_Update)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("no update of Telegram") from error
        query = update.callback_query
        if query is None or not query.data:
            return Heard()
        ask = Ask(f"update {update.update_id}", str(query.from_.id), query.from_.shown, token=query.data)
        return Heard((ask,), {_QUERY: query.id})

    def answer(self, _heard: Heard, _done: Sequence[Done]) -> CallbackAnswer:
        return CallbackAnswer()

    async def reply(self, heard: Heard, done: Sequence[Done], http: HttpClient) -> None:
        """As `Callback.reply`: a line over the chat that goes by itself, or one to close where nothing was done."""
        text = shorten(" ".join(each.text for each in done if each.text), _LONGEST)
        toast = _Toast(heard.data[_QUERY], text, bool(text) and not any(each.changed for each in done))
        body = msgspec.json.encode(toast)
        said_ok(await http.request("POST", self._answering, body=body, headers=_JSON, timeout=5.0), self._masked)
