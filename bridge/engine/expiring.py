"""The notice before a recurring silence ends: who answers for it, and what it hides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from bridge.domain.duration import format_duration
from bridge.engine import outbox
from bridge.engine.occurrence import Occurrence
from bridge.engine.silences import find
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.routing.matchers import Matcher, match_all
from bridge.routing.recurring import Recurring
from bridge.routing.silences import Silence
from bridge.storage import muting

_PAGE = 1000
_NAMED = 5
_SECOND = timedelta(seconds=1)


class Hidden(Struct, frozen=True):
    """How many alerts fire behind a silence, and the names of the first of them."""

    number: int = 0
    names: tuple[str, ...] = ()
    more: bool = False


async def count_hidden(transactions: Transactions, matchers: Sequence[Matcher]) -> Hidden:
    """What fires and matches. Page by page, beside everything else.

    Raises:
        StorageError: not now.
    """
    number, names, more, after = 0, dict[str, None](), False, 0
    while True:
        page = await transactions.read(lambda tx, after=after: muting.firing_page(tx, after, _PAGE))  # type: ignore[misc]
        if not page:
            return Hidden(number, tuple(names), more)
        for _id, _fingerprint, labels in page:
            if match_all(matchers, labels):
                number += 1
                name = labels.get("alertname") or "an alert without a name"
                if len(names) < _NAMED:
                    names[name] = None
                more = more or name not in names
        after = page[-1][0]


async def tell(work: Work, entry: Recurring, occurrence: Occurrence, hidden: Hidden) -> None:
    """Queue the notice, unless somebody ended the silence meanwhile."""
    silence = await find(work.tx, occurrence.silence)
    if silence is None or silence.state(work.now) == "expired" or entry.notice is None:
        return
    left = (silence.ends_at - work.now) // _SECOND * _SECOND
    await outbox.notice(work, text_of(entry, silence, left, hidden), to=entry.notice.to)


def text_of(entry: Recurring, silence: Silence, left: timedelta, hidden: Hidden) -> str:
    """What people read; the comment stands last, as it may be long."""
    ends = f"{format_duration(left)}, at {silence.ends_at:%Y-%m-%d %H:%M:%S} UTC"
    text = f"The silence {entry.name} of {entry.owner} ends in {ends}. {_hides(hidden)}"
    return f"{text} Comment: {entry.comment}" if entry.comment else text


def _hides(hidden: Hidden) -> str:
    if not hidden.number:
        return "It hides nothing that fires."
    names = ", ".join((*hidden.names, "…") if hidden.more else hidden.names)
    alerts = "1 firing alert" if hidden.number == 1 else f"{hidden.number} firing alerts"
    return f"It hides {alerts} ({names}); what still fires then is told."
