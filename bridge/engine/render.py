"""Makes the words of a message: the channel's templates, or the built-in title and text.

The built-in words are plain Python, because every delivery needs them. A template that fails never loses the alert:
the built-in words go out, and the message's `note` says what failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.channels.api import ChannelOptions
from bridge.domain.alert import Status
from bridge.domain.duration import format_duration
from bridge.domain.errors import BridgeError
from bridge.domain.message import Action, AlertView, Message, Reason, common
from bridge.domain.standing import ended, held, hour
from bridge.templates import MESSAGE_NAMES, Templates

MAX_LISTED = 20
"""Alerts the built-in text lists of each kind; the rest are counted."""
_MAX_TITLE = 250
_MAX_NAME = 100
_MAX_SUMMARY = 500
_MAX_NOTICE = 5000
_MAX_LABEL = 100
_MAX_NAMES = 3
_KEY_LABELS = ("cluster", "namespace", "service", "job", "instance", "pod", "host")
_LINKS = (("Runbook", ("runbook_url", "runbook")), ("Dashboard", ("dashboard_url", "dashboard")))
_OPENINGS = {
    Reason.REMINDER: "Still firing.",
    Reason.ESCALATED: "Nobody has acknowledged this yet.",
    Reason.UNACKNOWLEDGED: "Nobody has this any more.",
    Reason.TEST: "This is a test: nothing is wrong.",
}


_STORMY = frozenset({Reason.OPENED, Reason.DIGEST, Reason.REMINDER})


class IncidentView(Struct, frozen=True):
    """What a message says, before there are words for it. Fields as in `Message`.

    `note` is a line of the engine's own; of a notice, and of the digest of a storm, it is the text.
    """

    reason: Reason
    status: Status
    incident: str
    channel: str
    receiver: str
    source: str
    route: str
    alerts: tuple[AlertView, ...]
    group_labels: Mapping[str, str]
    severity: str
    opened_at: datetime
    dedup: str
    group_key: str = ""
    external_url: str = ""
    note: str = ""
    acknowledged_by: str = ""
    truncated: int = 0
    fired_and_resolved: bool = False
    digest: bool = False
    actions: tuple[Action, ...] = ()
    resolved_by: str = ""
    snoozed_until: datetime | None = None
    via: str = ""

    @property
    def standing(self) -> str:
        """Who has it, or ended it, and by which way; empty if nobody."""
        by = _line(self.acknowledged_by, _MAX_NAME)
        if self.status is not Status.RESOLVED or not self.resolved_by:
            return held(by, self.via, self.snoozed_until) if by else ""
        over = ended(_line(self.resolved_by, _MAX_NAME), self.via)
        return f"{over}; acknowledged by {by}" if by and self.acknowledged_by != self.resolved_by else over


def render(view: IncidentView, options: ChannelOptions, templates: Templates | None, *, words: bool = True) -> Message:
    """The message for one channel. Without `templates` the built-in words are used. A bad template raises nothing.

    Without `words` title and text are empty, for a channel that reads neither.
    """
    message = _built_in(view, words=words)
    if not words or templates is None or (options.title is None and options.text is None):
        return message
    return _templated(message, options, templates)


def _built_in(view: IncidentView, *, words: bool) -> Message:
    common_labels = common([alert.labels for alert in view.alerts])
    if view.digest:
        return _digest(view, common_labels)
    title = text = ""
    if words:
        firing = [alert for alert in view.alerts if alert.status is Status.FIRING]
        resolved = [alert for alert in view.alerts if alert.status is not Status.FIRING]
        title, text = _title(view, len(firing), common_labels), _text(view, firing, resolved)
    return Message(
        view.reason,
        view.status,
        view.incident,
        view.channel,
        view.receiver,
        view.source,
        view.route,
        title,
        text,
        view.alerts,
        view.group_labels,
        common_labels,
        common([alert.annotations for alert in view.alerts]),
        view.severity,
        view.opened_at,
        view.dedup,
        view.group_key,
        view.external_url,
        "" if view.reason is Reason.NOTICE else view.note,
        view.acknowledged_by,
        view.truncated,
        view.fired_and_resolved,
        view.actions,
        view.standing,
        view.snoozed_until,
    )


def _digest(view: IncidentView, common_labels: Mapping[str, str]) -> Message:
    """What is told of a storm: the first line of its note is the title. The alert that stands for it says the same."""
    text = view.note or "\n".join(alert.annotations.get("summary", "") for alert in view.alerts)
    first, _, rest = text.partition("\n")
    alerts = tuple(replace(alert, annotations={"summary": first, "description": rest}) for alert in view.alerts)
    return Message(
        view.reason, view.status, view.incident, view.channel, view.receiver, view.source, view.route,
        _line(f"[{_state(view, 1) if view.reason not in _STORMY else 'STORM'}] {first}", _MAX_TITLE), rest or first,
        alerts, view.group_labels, common_labels, common([alert.annotations for alert in alerts]), view.severity,
        view.opened_at, view.dedup, view.group_key, view.external_url, acknowledged_by=view.acknowledged_by,
        actions=view.actions,
        standing=view.standing, snoozed_until=view.snoozed_until,
    )  # fmt: skip


def _title(view: IncidentView, firing: int, common_labels: Mapping[str, str]) -> str:
    """`[FIRING:2] HighCPU (web, critical)`: state, name, what tells it from others of that name."""
    where = [value for name, value in view.group_labels.items() if name not in {"alertname", "severity"}]
    if not where:
        where = [common_labels[name] for name in _KEY_LABELS if name in common_labels][-1:]
    if view.severity:
        where.append(view.severity)
    title = f"[{_state(view, firing)}] {_name(view, common_labels)}"
    if where:
        title = f"{title} ({', '.join(where)})"
    return _line(title, _MAX_TITLE)


def _state(view: IncidentView, firing: int) -> str:
    reason = view.reason
    if reason is Reason.TEST or reason is Reason.NOTICE:
        return reason.name
    if reason is Reason.ACKNOWLEDGED:
        return _held(view)
    if view.status is Status.RESOLVED:
        return "RESOLVED"
    return "ESCALATED" if reason is Reason.ESCALATED else f"FIRING:{firing}"


def _held(view: IncidentView) -> str:
    if not view.acknowledged_by:
        return "ACKNOWLEDGED"
    until = view.snoozed_until
    return (
        f"{'SNOOZED' if until else 'ACKNOWLEDGED'} by {view.acknowledged_by}{f' until {hour(until)}' if until else ''}"
    )


def _name(view: IncidentView, common_labels: Mapping[str, str]) -> str:
    name = common_labels.get("alertname") or view.group_labels.get("alertname")
    if name:
        return name
    names = list(dict.fromkeys(_line(alert.name, _MAX_NAME) for alert in view.alerts))
    if not names:
        return "Alertbridge"
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _text(view: IncidentView, firing: Sequence[AlertView], resolved: Sequence[AlertView]) -> str:
    lines: list[str] = []
    if view.reason is Reason.NOTICE and (words := _lines_of(view)):
        return words
    opening = _opening(view)
    if opening:
        lines.append(opening)
    _list(lines, "Firing:" if resolved else "", firing)
    _list(lines, "Resolved:" if firing else "", resolved)
    if view.truncated:
        lines.append(f"The sender left out {view.truncated} more.")
    return "\n".join(lines)


def _lines_of(view: IncidentView) -> str:
    """What a notice says where it has several lines, which stay lines."""
    text = "\n".join(alert.annotations.get("summary", "") for alert in view.alerts)
    return text[:_MAX_NOTICE] if "\n" in text.strip() else ""


def _opening(view: IncidentView) -> str:
    if view.reason is Reason.NOTICE:
        return view.note
    if view.fired_and_resolved:
        return "This fired and was resolved before it could be told here."
    if view.reason is Reason.ACKNOWLEDGED:
        return f"{view.standing or 'Acknowledged by somebody'}."
    if view.status is Status.RESOLVED and view.resolved_by:
        return f"{view.standing}."
    if view.reason is Reason.ESCALATED and view.acknowledged_by:
        return f"{_line(view.acknowledged_by, _MAX_NAME)} has this, and more people are called."
    return _OPENINGS.get(view.reason, "") if view.status is Status.FIRING or view.reason is Reason.TEST else ""


def _list(lines: list[str], heading: str, alerts: Sequence[AlertView]) -> None:
    if heading and alerts:
        lines.append(heading)
    for alert in alerts[:MAX_LISTED]:
        lines.append(_summary(alert))
        _links(lines, alert)
    if len(alerts) > MAX_LISTED:
        lines.append(f"and {len(alerts) - MAX_LISTED} more")


def _summary(alert: AlertView) -> str:
    """`- HighCPU (instance=web-1, severity=critical): summary, since 2026-01-02 03:04:05 UTC`."""
    labels, annotations = alert.labels, alert.annotations
    named = [name for name in (*_KEY_LABELS, "severity") if name in labels]
    if not named:
        named = [name for name in labels if name != "alertname" and not name.startswith("__")][:_MAX_NAMES]
    line = f"- {_line(alert.name, _MAX_NAME)}"
    if named:
        line = f"{line} ({', '.join([f'{name}={_line(labels[name], _MAX_LABEL)}' for name in named])})"
    summary = annotations.get("summary") or annotations.get("description") or annotations.get("message")
    if summary:
        line = f"{line}: {_line(summary, _MAX_SUMMARY)}"
    return line + _when(alert)


def _when(alert: AlertView) -> str:
    if alert.status is Status.FIRING:
        since = alert.starts_at.isoformat(" ", "seconds")
        return f", since {since[:-6]} UTC" if since.endswith("+00:00") else f", since {since}"
    if alert.ends_at is None or alert.ends_at < alert.starts_at:
        return ", resolved"
    return f", resolved after {format_duration(alert.ends_at - alert.starts_at)}"


def _links(lines: list[str], alert: AlertView) -> None:
    annotations = alert.annotations
    for word, names in _LINKS:
        for name in names:
            if name in annotations and _is_link(annotations[name]):
                lines.append(f"  {word}: {annotations[name]}")
                break
    if alert.generator_url and _is_link(alert.generator_url):
        lines.append(f"  Source: {alert.generator_url}")


def _is_link(text: str) -> bool:
    """Only the web: no `javascript:`, no `file:`, nothing that ends where the reader does not see it."""
    return text.startswith(("https://", "http://")) and text.isprintable() and " " not in text


def _line(text: str, limit: int) -> str:
    """The text on one line, no longer than `limit`; control characters have no place in it."""
    if not text.isprintable():
        text = " ".join("".join([one if one.isprintable() else " " for one in text]).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _templated(message: Message, options: ChannelOptions, templates: Templates) -> Message:
    context = _context(message)
    notes = [message.note] if message.note else []
    title, text = message.title, message.text
    if options.title is not None:
        title = _rendered("title", options.title, templates, context, notes) or title
    if options.text is not None:
        rendered = _rendered("text", options.text, templates, context, notes)
        text = text if rendered is None else rendered
    return replace(message, title=_line(title.strip(), _MAX_TITLE) or message.title, text=text, note="\n".join(notes))


def _rendered(
    what: str, template: str, templates: Templates, context: Mapping[str, object], notes: list[str]
) -> str | None:
    """None, and a note, if the template failed."""
    try:
        return templates.render(templates.compile(template, MESSAGE_NAMES), **context)
    except BridgeError as error:
        notes.append(
            f"The {what} template of this channel failed, so the built-in {what} is shown: {_line(str(error), 250)}"
        )
        return None


def _context(message: Message) -> dict[str, object]:
    """What `MESSAGE_NAMES` promises."""
    own = {name: getattr(message, name) for name in MESSAGE_NAMES if not name.startswith("default_")}
    return {**own, "default_title": message.title, "default_text": message.text}
