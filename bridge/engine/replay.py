"""Dead letters come back to life: page by page, each page a few short transactions, so that nothing else waits for it.

A page names what it left out and why. Replayed deliveries go behind the others of their channel, and no more of them
wait at a time than are soon sent: a replay of any size neither fills the memory nor outlives `give_up_after` in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.domain.delivery import DeliveryState
from bridge.domain.errors import Conflict, NotFound
from bridge.domain.message import Reason
from bridge.domain.moment import micros, moment
from bridge.engine.generation import Generation
from bridge.engine.revival import Fate, LeftOut, Pair, judge, judge_notice
from bridge.engine.transactions import Transactions
from bridge.engine.views import ChannelReplay, LeftOutLetter, ReplayPage
from bridge.engine.work import Work
from bridge.storage import deliveries, incidents, letters
from bridge.storage.deliveries import Live, Wanted
from bridge.storage.letters import About, Letter, pair_of
from bridge.storage.transaction import Tx

_UNIT = 100
_WAITING_AT_ONCE = 200
_LOOK_AGAIN = 0.1
_REFUSALS = {
    LeftOut.ACKNOWLEDGED: "its incident is acknowledged",
    LeftOut.SEND_ON: "its incident is over, and the channel does not take ends",
    LeftOut.CHANNEL_UNUSABLE: "its channel cannot be used",
    LeftOut.INCIDENT_GONE: "its incident is not kept any more",
    LeftOut.NOT_FIRING: "its incident is over",
    LeftOut.NOTICE: "it is a notice",
}


class Ask(Struct, frozen=True):
    """What is to be replayed. `everything` takes in what is no longer firing, and notices of the bridge itself."""

    wanted: Wanted
    parked: bool = False
    everything: bool = False


class Cursor(Struct, frozen=True):
    """Where a replay stands: ids up to `after` are done. It ends with `upto` and takes what was planned or last revived
    before `began` (µs since 1970), whatever dies meanwhile: what it revived and dies again is for the next replay.
    """

    after: int
    upto: int
    began: int

    def __str__(self) -> str:
        return f"{self.after}-{self.upto}-{self.began}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        after, upto, began = map(int, text.split("-"))
        return cls(after, upto, began)

    def within(self, wanted: Wanted) -> Wanted:
        """The filter, bounded by the beginning of the replay."""
        began = moment(self.began)
        return replace(wanted, until=began if wanted.until is None else min(wanted.until, began))


async def replay(
    transactions: Transactions, ask: Ask, by: str, now: datetime, *, cursor: str, limit: int, dry_run: bool
) -> ReplayPage:
    """Look at up to `limit` letters from `cursor` on (empty: from the first), and revive what is wanted.

    Raises:
        NotFound: no such incident, or neither such a channel nor a letter for it.
    """
    channel = ask.wanted.channel
    at = Cursor.parse(cursor) if cursor else await _begin(transactions, ask, now)
    ask = replace(ask, wanted=at.within(ask.wanted))
    waiting = 0 if dry_run else await transactions.read(lambda tx: letters.waiting(tx, channel))
    tally = Tally()
    while tally.looked < limit and (dry_run or waiting + tally.revived < _WAITING_AT_ONCE):
        size = min(_UNIT, limit - tally.looked)
        page = await transactions.read(partial(_page, ask=ask, at=at, limit=size))
        if dry_run:
            busy = transactions.in_flight.__contains__
            generation = transactions.generation()
            found = await transactions.read(
                partial(_fates, generation=generation, ask=ask, page=page, at=at, busy=busy)
            )
        else:
            found = await transactions.write(now, partial(_revive, ask=ask, page=page, at=at, by=by))
        tally.add(page, found)
        if len(page) < size:
            return tally.page(None)
        at = replace(at, after=page[-1].id)
    if dry_run:
        return tally.page(str(at))
    waiting += tally.revived
    return tally.page(str(at), wait=_LOOK_AGAIN if waiting >= _WAITING_AT_ONCE else 0.0, waiting=waiting)


async def retry(work: Work, delivery: int, by: str) -> None:
    """Give one dead or parked delivery a new life at once, or end it if what it had to say was told or will be.

    Raises:
        NotFound: no such delivery.
        Conflict: it is not dead or parked, or nobody is to hear it.
    """
    letter = await letters.get(work.tx, delivery)
    if letter is None:
        raise NotFound(f"no delivery {delivery}")
    if letter.state not in {DeliveryState.DEAD, DeliveryState.PARKED}:
        raise Conflict(f"delivery {delivery} is {letter.state}; only dead and parked ones are tried again")
    about = await letters.about(work.tx, [delivery])
    fate = _fate(work.generation, (letter,), about, work.is_in_flight, everything=True)
    for _letter, why in fate.left_out:
        raise Conflict(f"delivery {delivery} is not sent again: {_REFUSALS[why]}")
    await _carry_out(work, [fate], by, front=True)


class Tally:
    """What became of the letters of one page."""

    def __init__(self) -> None:
        self.looked = 0
        self.revived = 0
        self._replayed: Counter[str] = Counter()
        self._superseded: Counter[str] = Counter()
        self._left_out: list[LeftOutLetter] = []

    def add(self, page: list[Letter], fates: list[Fate]) -> None:
        self.looked += len(page)
        for fate in fates:
            if fate.revived is not None:
                self.revived += 1
                self._replayed[fate.revived.channel] += 1
            self._superseded.update(letter.channel for letter in fate.superseded)
            self._left_out += [
                LeftOutLetter(str(letter.id), letter.incident, letter.channel, why.value)
                for letter, why in fate.left_out
            ]

    def page(self, following: str | None, *, wait: float = 0.0, waiting: int = 0) -> ReplayPage:
        left_out = Counter(letter.channel for letter in self._left_out)
        names = sorted({*self._replayed, *self._superseded, *left_out})
        channels = tuple(
            ChannelReplay(name, self._replayed[name], self._superseded[name], left_out[name]) for name in names
        )
        return ReplayPage(channels, tuple(self._left_out), self.looked, following, wait, waiting)


async def _begin(transactions: Transactions, ask: Ask, now: datetime) -> Cursor:
    incident, channel = ask.wanted.incident, ask.wanted.channel
    configured = transactions.generation().channels

    async def look(tx: Tx) -> Cursor:
        at = Cursor(0, await letters.newest(tx), micros(now))
        if incident and await incidents.get(tx, incident) is None:
            raise NotFound(f"no incident {incident[:40]}")
        if channel and channel not in configured and not await _page(tx, ask=ask, at=at, limit=1):
            raise NotFound(f"no channel {channel[:40]}")
        return at

    return await transactions.read(look)


async def _page(tx: Tx, *, ask: Ask, at: Cursor, limit: int) -> list[Letter]:
    find = letters.parked if ask.parked else letters.dead
    return await find(tx, ask.wanted, at.after, at.upto, limit)


async def _fates(
    tx: Tx, *, generation: Generation, ask: Ask, page: list[Letter], at: Cursor, busy: Callable[[int], bool]
) -> list[Fate]:
    """What becomes of the letters of a page. A pair is judged whole, where its first letter stands."""
    state = DeliveryState.PARKED if ask.parked else DeliveryState.DEAD
    about = await letters.about(tx, [letter.id for letter in page])
    found = []
    for letter in page:
        beside = about.beside.get(pair_of(letter), ())
        group = tuple(one for one in beside if one.state is state and one.id <= at.upto and one.is_one(ask.wanted))
        if group and group[0].id == letter.id:
            found.append(_fate(generation, group, about, busy, everything=ask.everything))
    return found


async def _revive(work: Work, *, ask: Ask, page: list[Letter], at: Cursor, by: str) -> list[Fate]:
    found = await _fates(work.tx, generation=work.generation, ask=ask, page=page, at=at, busy=work.is_in_flight)
    await _carry_out(work, found, by)
    return found


def _fate(
    generation: Generation, group: tuple[Letter, ...], about: About, busy: Callable[[int], bool], *, everything: bool
) -> Fate:
    letter = group[0]
    configured = generation.channels.get(letter.channel)
    usable = configured is not None and configured.channel is not None
    if not letter.incident:
        return judge_notice(letter, everything=everything, usable=usable)
    key = pair_of(letter)
    asked_for = {one.id for one in group}
    waiting = [
        _under_way(one) if busy(one.id) else one
        for one in about.beside[key]
        if one.state is not DeliveryState.DEAD and one.id not in asked_for
    ]
    told_id, told_at = about.told.get(key, (0, None))
    wants_end = configured is None or (
        configured.options.send_resolved and Reason.RESOLVED in configured.options.send_on
    )
    pair = Pair(
        incident=about.incidents.get(letter.incident),
        letters=group,
        waiting=tuple(waiting),
        told_id=told_id,
        told_at=told_at,
        knows_firing=key in about.firing,
        wants_end=wants_end,
        usable=usable,
    )
    return judge(pair, everything=everything)


def _under_way(letter: Letter) -> Letter:
    """On a database of our own a delivery that is being tried looks as if it waited."""
    return replace(letter, state=DeliveryState.LEASED)


async def _carry_out(work: Work, fates: list[Fate], by: str, *, front: bool = False) -> None:
    """End and revive, in as few statements as there are kinds of change."""
    tellers = {letter.id: fate.revived or fate.heir for fate in fates for letter in fate.superseded}
    ended = await letters.supersede(work.tx, list(tellers), work.now) if tellers else set()
    reasons = {fate.revived.id: fate.reason for fate in fates if fate.revived is not None}
    revived = await letters.revive(work.tx, reasons, work.now) if reasons else set()
    for fate in fates:
        for letter in fate.superseded:
            if letter.id in ended:
                teller = tellers[letter.id]
                _record(work, Kind.REPLAYED, letter, by, letter.end_reason)
                detail = f"told by delivery {teller.id}" if teller else "told already"
                _record(work, Kind.SUPERSEDED, letter, "bridge", "newer_state", detail)
        await _hand_on(work, fate)
        if fate.revived is not None and fate.revived.id in revived:
            letter = fate.revived
            _record(work, Kind.REPLAYED, letter, by, letter.end_reason)
            live = Live(letter.id, letter.incident, letter.channel, work.now, replayed=not front)
            work.effects.live.append(live)


async def _hand_on(work: Work, fate: Fate) -> None:
    """What waits anyway takes over the reason of what it tells in place of others, and nothing else of them."""
    heir = fate.heir
    if heir is not None and heir.state is DeliveryState.PENDING and fate.reason is not heir.reason:
        await deliveries.inherit(work.tx, heir.id, fate.reason, heir.created_at, heir.created_at)


def _record(work: Work, kind: Kind, letter: Letter, actor: str, reason: str, detail: str = "") -> None:
    work.record(
        kind, actor=actor, incident=letter.incident, delivery=letter.id, channel=letter.channel, reason=reason,
        detail=detail,
    )  # fmt: skip
