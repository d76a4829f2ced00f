"""What comes back from a service to `POST /callbacks/{channel}`: a button pressed there, an acknowledgement made there.

A channel that can hear offers a `callback`: its own object, or None where its options lack what proves the sender.
`hear` proves a request by its raw bytes and says what people ask for. The bridge does it, answers what `answer` says
within the three seconds that services wait, and lets `reply` tell the person more, if need be.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.domain.errors import BridgeError

if TYPE_CHECKING:
    from bridge.net import HttpClient

TOLERANCE = timedelta(seconds=300)
_SECONDS = re.compile(r"[0-9]{1,12}")


class CallbackRequest(Struct, frozen=True):
    """One request. `url` is the one the service was given, query included; `headers` are as they came, duplicates kept."""

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    now: datetime

    def header(self, name: str) -> str:
        """The value of a header that is there once; empty if it is not there, or twice."""
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        return values[0] if len(values) == 1 else ""


class Ask(Struct, frozen=True):
    """What somebody asks for.

    The incident is named by a button's `token`, which says the deed too; by its id; by this channel's dedup key of it; or
    by its short `number` on a channel that reaches who asks. With none of these it is the newest told to who asks.
    `key` is the same whenever the service repeats itself, and another one for everything else: what was done under
    a key is done once. `account` is who asks, as the service knows him; `shown` is how it calls him. `lasting` is
    how long a snooze is to be.
    """

    key: str
    account: str
    shown: str = ""
    token: str = ""
    incident: str = ""
    dedup: str = ""
    deed: Deed | None = None
    lasting: timedelta | None = None
    number: str = ""


class Heard(Struct, frozen=True):
    """What a request says; without asks nothing is done. `data` is for `answer` and `reply`."""

    asks: tuple[Ask, ...] = ()
    data: Mapping[str, str] = {}


class Done(Struct, frozen=True):
    """What came of an ask. `text` says it to who asked, in a sentence; it is empty for what is done already.

    `changed` is False where nothing was to do, or somebody else came first. `incident` is empty if there is none, `by` if
    who asks may not act.
    """

    ask: Ask
    changed: bool
    text: str
    incident: str = ""
    by: str = ""


class CallbackAnswer(Struct, frozen=True):
    """What the service is answered."""

    body: bytes = b""
    content_type: str = "text/plain"


class Forged(BridgeError):  # noqa: N818 - reads as what it reports
    """The request does not prove that the service sent it, or is too old. Answered 401, with nothing of the reason."""


class Unreadable(BridgeError):  # noqa: N818 - as above
    """The service sent it, but it is not of a known shape. Answered 400."""


class Callback(Protocol):
    """One channel's ear. `via` is how acts are recorded, `accounts` the kind of account under `people:` that asks come from.

    Where `strangers` is false, only accounts of people may act. An ear of which people ask without a token, an id or a
    dedup key also says in `reaches` which accounts its channel writes to.
    """

    @property
    def via(self) -> Via: ...

    @property
    def accounts(self) -> str: ...

    @property
    def strangers(self) -> bool: ...

    def hear(self, request: CallbackRequest) -> Heard:
        """What a request says. Pure and quick.

        Raises:
            Forged: it is not the service's.
            Unreadable: it is, but makes no sense.
        """

    def answer(self, heard: Heard, done: Sequence[Done]) -> CallbackAnswer:
        """What the service is answered at once, after everything was done."""

    async def reply(self, heard: Heard, done: Sequence[Done], http: HttpClient) -> None:
        """Tell who asked, after the answer. What fails here is logged and not tried again.

        Raises:
            ChannelError: it could not be told.
        """


def short_number(dedup: str) -> str:
    """Four digits by which people name an incident in a text, from the channel's dedup key of it. Not unique."""
    return str(int(sha256(dedup.encode()).hexdigest()[:12], 16) % 9000 + 1000)


def is_fresh(timestamp: str, now: datetime) -> bool:
    """Whether a timestamp in Unix seconds is near: at most 300 s ago or ahead."""
    if _SECONDS.fullmatch(timestamp) is None:
        return False
    try:
        return abs(now - datetime.fromtimestamp(int(timestamp), UTC)) <= TOLERANCE
    except (ValueError, OverflowError, OSError):
        return False


def is_same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing; an empty one equals nothing."""
    left, right = given.encode("utf-8", "surrogateescape"), expected.encode("utf-8", "surrogateescape")
    return hmac.compare_digest(left, right) and bool(right)
