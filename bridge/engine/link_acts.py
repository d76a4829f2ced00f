"""What signed links show and do."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.act import Via
from bridge.domain.deed import Deed
from bridge.domain.errors import Conflict
from bridge.domain.message import Action
from bridge.engine import deeds, offers
from bridge.engine.asks import stranger
from bridge.engine.incident_acts import IncidentActs
from bridge.engine.links import BadLink, Opened, links_of
from bridge.engine.transactions import Transactions
from bridge.engine.views import IncidentDetail
from bridge.secrets.instance import InstanceKeys


class Linked(Struct, frozen=True):
    """What a link leads to. `person` is whom it was given to, empty if to all who read `channel`.

    `seen` names the state that is shown: an act that is sent with it counts only while that lasts. `said` is what an
    act did; `refused` says that it did nothing. `others` is what else may be done, by the same person for as long.
    """

    deed: Deed
    detail: IncidentDetail
    person: str
    channel: str
    seen: str
    others: tuple[Action, ...] = ()
    said: str = ""
    refused: bool = False


class LinkActs:
    """Opens links, and acts on them."""

    def __init__(self, transactions: Transactions, keys: InstanceKeys, acts: IncidentActs) -> None:
        self._transactions = transactions
        self._links = links_of(keys)
        self._acts = acts

    async def look(self, token: str, now: datetime) -> Linked:
        """What a link is for; changes nothing.

        Raises:
            BadLink: it is none, or no longer.
            NotFound: the incident is gone.
        """
        opened, recipient = self._open(token, now)
        return self._linked(opened, recipient, await self._acts.incident(opened.incident))

    async def act(
        self, token: str, now: datetime, *, name: str = "", seen: str = "", lasting: timedelta | None = None
    ) -> Linked:
        """Do what a link is for; again, it changes nothing. `name` is what somebody calls himself where it matters.

        Raises:
            BadLink: it is none, or no longer.
            NotFound: the incident is gone.
            StorageError: not now.
        """
        opened, recipient = self._open(token, now)
        before = await self._acts.incident(opened.incident)
        if seen and seen != _seen(before):
            said = "This has changed since the page was shown, so nothing was done. Look again."
            return self._linked(opened, recipient, before, said, refused=True)
        by = offers.person_in(recipient) or stranger(name or "somebody", offers.channel_in(recipient))
        try:
            after = await deeds.do(self._acts, opened.deed, opened.incident, by, now, Via.LINK, lasting)
        except Conflict as error:
            now_is = await self._acts.incident(opened.incident)
            return self._linked(opened, recipient, now_is, f"Nothing was done: {error}.", refused=True)
        return self._linked(opened, recipient, after, deeds.sentence(opened.deed, after, by, now))

    def _open(self, token: str, now: datetime) -> tuple[Opened, str]:
        opened = self._links.open(token, now)
        config = self._transactions.generation().config
        recipient = self._links.named(opened.recipient, offers.recipients(config.people, config.channels))
        if not recipient:
            raise BadLink("whom this link was given to is not known any more")
        return opened, recipient

    def _linked(
        self, opened: Opened, recipient: str, detail: IncidentDetail, said: str = "", *, refused: bool = False
    ) -> Linked:
        others = tuple(
            Action(
                deed, offers.LABELS[deed], self._links.token(deed, opened.incident, recipient, opened.expires_at), ""
            )
            for deed in offers.deeds_for(detail.incident.state)
            if deed is not opened.deed
        )
        person = offers.person_in(recipient)
        channel = "" if person else offers.channel_in(recipient)
        return Linked(opened.deed, detail, person, channel, _seen(detail), others, said, refused)


def _seen(detail: IncidentDetail) -> str:
    incident = detail.incident
    return f"{incident.state} {incident.acknowledged_by or ''}".strip()
