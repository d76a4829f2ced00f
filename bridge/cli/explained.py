"""A dry run for people: the tree, and below it each group with what stops it and what would be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo

import typer

from bridge.cli.tables import pairs
from bridge.engine.explaining_views import (
    Called,
    Explained,
    ExplainedAlert,
    ExplainedGroup,
    HookVerdict,
    Obstacle,
    RouteVisit,
    Told,
)
from bridge.observe.logs import escape

_INDENT = "  "
_WORDS: Mapping[str, str] = {
    "inhibited": "inhibited",
    "muted": "muted by a time interval",
    "silenced": "silenced",
    "duplicate": "it is no news",
    "stale": "it is older than what is known of the alert",
    "late": "it comes after an end that is no older, which may be on its way",
    "ended_untold": "it ends before anybody was told",
    "never_fired": "it ends what nobody here heard of",
    "nothing_new": "it is no news",
    "acknowledged": "somebody has acknowledged it",
    "no_channel_wants_it": "no channel of the receiver wants it",
    "send_on": "not in its send_on",
    "send_resolved": "it has send_resolved: false",
    "channel_unusable": "it cannot be used",
    "no_such_channel": "there is no such channel",
}
_OF_A_CHANNEL = frozenset({"send_on", "send_resolved", "channel_unusable", "no_such_channel"})


def show(found: Explained, zone: tzinfo | None) -> None:
    """Print it; times are by the clocks of the zone, or by those here."""
    for line in _Page(zone).lines(found):
        typer.echo(line)


class _Page:
    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone

    def lines(self, found: Explained) -> Iterator[str]:
        yield f"At {self._time(found.at)}: {'somebody would be told' if found.told else 'nobody would be told'}"
        for alert in found.alerts:
            yield ""
            yield from self._alert(alert)
        for group in found.groups:
            yield ""
            yield from self._group(group)
        if found.notes:
            yield ""
        for note in found.notes:
            yield escape(f"Note: {note}")

    def _alert(self, alert: ExplainedAlert) -> Iterator[str]:
        yield escape(f"Alert {pairs(alert.labels)} ({alert.status}, from {alert.source})")
        yield from _indented(self._hooks(alert.hooks))
        if alert.tree is None:
            until = f", judged again at {self._time(alert.until)}" if alert.until else ""
            yield escape(f"{_INDENT}It is not routed: {_WORDS.get(alert.why, alert.why)}{until}")
        else:
            yield from _indented(_drawn(alert.tree, "", "", ""))

    def _group(self, group: ExplainedGroup) -> Iterator[str]:
        named = pairs(group.group_labels) or "no labels"
        yield escape(f"Group ({named}) on route {group.route}, receiver {group.receiver}: {self._verdict(group)}")
        line = group.timeline
        joins = f"joins incident {group.incident}" if group.incident else "a new incident"
        timing = f"group_wait {line.group_wait}, group_interval {line.group_interval}"
        reminder = f"; reminder at {self._time(line.reminder_at)}" if line.reminder_at else ""
        yield escape(
            f"{_INDENT}{group.transition}: {joins}; looked at {self._time(line.looked_at)} ({timing}){reminder}"
        )
        for alert in group.alerts:
            for obstacle in alert.obstacles:
                yield escape(f"{_INDENT}{alert.fingerprint} is {self._obstacle(obstacle)}")
        yield from _indented(self._hooks(group.hooks))
        for channel in group.channels:
            yield from _indented(_channel(channel))
        yield from _indented(_called(group.called))
        if group.escalation:
            yield escape(f"{_INDENT}Escalation {group.escalation}, unless somebody acknowledges:")
        for step in group.steps:
            at = f", {self._time(step.at)}" if step.at else ""
            repeat = f", and every {step.every}, {step.times} times" if step.times else ""
            when = f", if: {step.when}" if step.when else ""
            does = [", ".join(step.notify), f"runs {', '.join(step.run)}" if step.run else ""]
            yield escape(f"{_INDENT * 2}after {step.after}{at}{repeat}{when}: {'; '.join(filter(None, does))}")
            for channel in step.channels:
                yield from _indented(_indented(_indented(_channel(channel))))
            yield from _indented(_indented(_indented(_called(step.called))))

    def _verdict(self, group: ExplainedGroup) -> str:
        if group.told:
            return f"told at {self._time(group.told_at)}"
        by = f" ({group.by})" if group.by else ""
        why = f"not told: {_WORDS.get(group.why, group.why)}{by}"
        return f"{why}; not before {self._time(group.told_at)}" if group.told_at else why

    def _obstacle(self, obstacle: Obstacle) -> str:
        until = f", until {self._time(obstacle.until)}" if obstacle.until else ""
        return f"{obstacle.why} by {obstacle.by} ({obstacle.detail}){until}"

    def _hooks(self, hooks: Iterable[HookVerdict]) -> Iterator[str]:
        for hook in hooks:
            words = [hook.verdict.replace("_", " "), *([hook.reason] if hook.reason else [])]
            words += [f"({hook.detail})"] if hook.detail else []
            words += [f"until {self._time(hook.until)}"] if hook.until else []
            for what, added in (("label", hook.labels), ("annotation", hook.annotations)):
                words += [f"adds {what} {name}={value}" for each in added.values() for name, value in each.items()]
            words += [f"escalation {hook.escalation}"] if hook.escalation else []
            took = f" [{hook.seconds * 1000:.1f} ms]" if hook.seconds else ""
            yield escape(f"hook {hook.hook}: {', '.join(words)}{took}")

    def _time(self, moment: datetime | None) -> str:
        return "" if moment is None else moment.astimezone(self._zone).isoformat(" ", "seconds")


def _called(called: Called) -> Iterator[str]:
    for word, people in called.on_call.items():
        yield escape(f"{word}: {', '.join(people)}")
    for rule in called.rules:
        yield escape(f"{rule.person}, {rule.after} later unless somebody acknowledges: {', '.join(rule.channels)}")


def _channel(channel: Told) -> Iterator[str]:
    own = channel.why in _OF_A_CHANNEL
    said = f": not told, {_WORDS[channel.why]}" if own else ""
    problem = f" ({channel.problem})" if channel.problem else ""
    whom = f" for {channel.person}" if channel.person else ""
    yield escape(f"channel {channel.channel} [{channel.type}] {channel.reason}{whom}{said}{problem}")
    if not own:
        yield escape(f"{_INDENT}{channel.title}")
        yield from (escape(f"{_INDENT}{line}") for line in channel.text.splitlines())
        yield from (escape(f"{_INDENT}({line})") for line in channel.note.splitlines())


def _drawn(visit: RouteVisit, indent: str, branch: str, below: str) -> Iterator[str]:
    matchers = f"{{{','.join(visit.matchers)}}}" if visit.matchers else "default-route"
    more = "  continue: true" if visit.continues else ""
    yield escape(f"{indent}{branch}{matchers}{more}  receiver: {visit.receiver}  id: {visit.route}  {_outcome(visit)}")
    for place, child in enumerate(visit.routes, 1):
        last = place == len(visit.routes) and not visit.left_out
        yield from _drawn(child, indent + below, "└── " if last else "├── ", "    " if last else "│   ")
    if visit.left_out:
        yield f"{indent}{below}└── {visit.left_out} more did not take it"


def _outcome(visit: RouteVisit) -> str:
    if visit.verdict == "taken":
        return "← takes it"
    if visit.verdict == "refused":
        has = f"the label is {visit.value!r}" if visit.value else "there is no such label"
        return f"✗ {visit.refused_by}: {has}"
    if visit.verdict == "not_reached":
        return f"– not asked: {visit.ended_by} took it and does not continue"
    return "↓"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"{_INDENT}{line}" for line in lines)
