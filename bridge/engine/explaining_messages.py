"""What each channel would be told: the words, and why a channel would get none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import Status
from bridge.domain.duration import format_duration
from bridge.domain.message import AlertView, Reason
from bridge.engine.explaining_views import EscalationStep, Told
from bridge.engine.generation import Generation
from bridge.engine.outbox import refusal
from bridge.engine.render import IncidentView, render


class Teller(Struct, frozen=True):
    """`view` is what there is to say, to no channel yet; `ended` are the alerts that those hear of who wants ends.

    `sealed` says that credentials of channels are not expected to open here: one that does not is no reason to say that a
    channel would not be told.
    """

    generation: Generation
    view: IncidentView
    ended: tuple[AlertView, ...]
    sealed: bool

    def channels(self, names: Iterable[str], reason: Reason) -> tuple[Told, ...]:
        """Those of a receiver, each once."""
        return tuple(self._channel(name, reason) for name in dict.fromkeys(names))

    def steps(self, escalation: str, start: datetime | None) -> tuple[EscalationStep, ...]:
        """The escalation's timeline, if the first word goes out at `start`."""
        found = []
        for step in self.generation.escalations.get(escalation, ()):
            names = [channel for name in step.notify for channel in self.generation.channels_of(name)]
            found.append(
                EscalationStep(
                    after=format_duration(step.after),
                    at=None if start is None else start + step.after,
                    notify=step.notify,
                    channels=self.channels(names, Reason.ESCALATED),
                    every=format_duration(step.repeat.every) if step.repeat else "",
                    times=step.repeat.times if step.repeat else 0,
                )
            )
        return tuple(found)

    def _channel(self, name: str, reason: Reason) -> Told:
        configured = self.generation.channels.get(name)
        if configured is None:
            return Told(name, "", reason.value, told=False, why="no_such_channel")
        entry = self.generation.config.channels[name]
        alerts = self.view.alerts
        if self.ended and (configured.options.send_resolved or self.view.status is Status.RESOLVED):
            alerts = (*alerts, *self.ended)
        view = replace(self.view, reason=reason, channel=name, alerts=alerts)
        message = render(view, configured.options, self.generation.templates)
        why = refusal(configured, reason) or ("channel_unusable" if configured.problem and not self.sealed else "")
        return Told(
            name, entry.type, reason.value, not why, why, configured.problem, message.title, message.text, message.note
        )
