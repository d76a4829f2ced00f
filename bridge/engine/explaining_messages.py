"""What each channel would be told: the words, and why a channel would get none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import Status
from bridge.domain.duration import format_duration
from bridge.domain.message import AlertView, Reason
from bridge.engine.explaining_views import Called, EscalationStep, LaterRule, Told
from bridge.engine.generation import Generation
from bridge.engine.notified import whom
from bridge.engine.on_call import Shifts
from bridge.engine.outbox import refusal
from bridge.engine.render import IncidentView, render


class Teller(Struct, frozen=True):
    """`view` is what there is to say, to no channel yet; `ended` are the alerts that those hear of who wants ends. `shifts`
    are what calendars say.

    `sealed` says that credentials of channels are not expected to open here: one that does not is no reason to say that a
    channel would not be told.
    """

    generation: Generation
    view: IncidentView
    ended: tuple[AlertView, ...]
    sealed: bool
    shifts: Shifts = {}

    def channels(self, names: Iterable[str], reason: Reason) -> tuple[Told, ...]:
        """These channels, each once."""
        return tuple(self._channel(name, reason) for name in dict.fromkeys(names))

    def called(self, words: Iterable[str], reason: Reason, at: datetime) -> tuple[tuple[Told, ...], Called]:
        """The channels that the words come to at that moment, and the people behind them."""
        config = self.generation.config
        route, root = self.generation.routes.get(self.view.route, self.generation.root), self.generation.root
        otherwise = (self.view.receiver, route.receiver, root.receiver)
        page = reason if reason is Reason.ESCALATED else None
        found = whom(config, self.shifts, words, at, otherwise, page)
        told = tuple(
            replace(self._channel(name, reason, found.instead.get(name, "")), person=person)
            for name, person in found.channels.items()
        )
        rules = tuple(
            LaterRule(one.person, format_duration(one.after), config.people[one.person].told(one.kinds))
            for one in found.later
        )
        return told, Called(found.called, rules)

    def steps(self, escalation: str, start: datetime | None, now: datetime) -> tuple[EscalationStep, ...]:
        """The escalation's timeline, if the first word goes out at `start`; where nobody knows when, as if it were `now`."""
        found = []
        for step in self.generation.escalations.get(escalation, ()):
            channels, called = self.called(step.notify, Reason.ESCALATED, (start or now) + step.after)
            found.append(
                EscalationStep(
                    after=format_duration(step.after),
                    at=None if start is None else start + step.after,
                    notify=step.notify,
                    channels=(*channels, *self.channels(step.run, Reason.ESCALATED)),
                    every=format_duration(step.repeat.every) if step.repeat else "",
                    times=step.repeat.times if step.repeat else 0,
                    called=called,
                    run=step.run,
                    when=str(step.condition),
                )
            )
        return tuple(found)

    def _channel(self, name: str, reason: Reason, why_here: str = "") -> Told:
        configured = self.generation.channels.get(name)
        if configured is None:
            return Told(name, "", reason.value, told=False, why="no_such_channel")
        entry = self.generation.config.channels[name]
        alerts = self.view.alerts
        if self.ended and (configured.options.send_resolved or self.view.status is Status.RESOLVED):
            alerts = (*alerts, *self.ended)
        view = replace(self.view, reason=reason, channel=name, alerts=alerts, note=why_here)
        message = render(view, configured.options, self.generation.templates)
        why = refusal(configured, reason) or ("channel_unusable" if configured.problem and not self.sealed else "")
        return Told(
            name, entry.type, reason.value, not why, why, configured.problem, message.title, message.text, message.note
        )
