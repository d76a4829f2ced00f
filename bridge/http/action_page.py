"""The page behind an action link: what the incident is, and one button. No script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import escape

from bridge.channels.sizes import clean, shorten
from bridge.domain.deed import Deed
from bridge.domain.duration import format_duration
from bridge.engine.deeds import name_of
from bridge.engine.link_acts import Linked
from bridge.engine.views import IncidentAlert, IncidentSummary

_STYLE = (
    "body{margin:0;padding:16px;background:#f6f8fa;color:#1f2328;font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:36rem;margin:0 auto;padding:20px;background:#fff;border:1px solid #d1d9e0;border-radius:8px}"
    "h1{margin:0 0 4px;font-size:1.25rem;overflow-wrap:anywhere}p,li{overflow-wrap:anywhere}"
    ".state{color:#59636e;margin:0 0 16px}.said{padding:10px 14px;background:#ddf4ff;border-radius:6px}"
    ".refused{background:#fff8c5}button{font:inherit;font-weight:600;padding:12px 24px;border:0;border-radius:6px;"
    "background:#0969da;color:#fff}input,select{font:inherit;padding:8px;margin:0 0 16px;display:block}"
    "footer{margin-top:20px;color:#59636e;font-size:.85rem}"
)
_DIGEST = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy."""
_MINUTE = timedelta(minutes=1)
_MOST_ALERTS = 10
_LONGEST = 300
_BUTTONS = {
    Deed.ACKNOWLEDGE: "Acknowledge",
    Deed.RESOLVE: "Resolve",
    Deed.SNOOZE: "Snooze",
    Deed.UNACKNOWLEDGE: "Give back",
    Deed.ESCALATE: "Escalate",
}
_PERIODS = (("30m", "30 minutes"), ("1h", "1 hour"), ("4h", "4 hours"), ("1d", "1 day"))


def page(linked: Linked, now: datetime) -> str:
    """The whole document: with a form where the deed can be done, or with what was done."""
    incident = linked.detail.incident
    name = name_of(incident)
    parts = [f"<h1>{_text(name)}</h1>", f'<p class="state">{_text(_state(incident, now))}</p>']
    if linked.said:
        kind = "said refused" if linked.refused else "said"
        parts.append(f'<p class="{kind}">{_text(linked.said)}</p>')
    if incident.state == "resolved":
        parts.append("" if linked.said else '<p class="said refused">This is over: there is nothing left to do.</p>')
    elif not linked.said or linked.refused:
        parts.append(_form(linked))
    parts.append(_alerts(linked.detail.alerts))
    others = " · ".join(f'<a href="{action.token}">{_text(action.label)}</a>' for action in linked.others)
    whose = f"This link is {linked.person}'s." if linked.person else f"This link is for whoever reads {linked.channel}."
    parts.append(
        f"<footer>{f'<p>{others}</p>' if others else ''}<p>{_text(whose)} Incident {_text(incident.id)}</p></footer>"
    )
    return _document(f"{_BUTTONS[linked.deed]}: {name}", "\n".join(parts))


def message_page(title: str, text: str) -> str:
    """A page that says one thing."""
    return _document(title, f"<h1>{_text(title)}</h1>\n<p>{_text(text)}</p>")


def _form(linked: Linked) -> str:
    fields = [f'<input type="hidden" name="seen" value="{escape(linked.seen)}">']
    if linked.deed is Deed.SNOOZE:
        options = "".join(
            f'<option value="{value}"{" selected" if value == "1h" else ""}>{text}</option>' for value, text in _PERIODS
        )
        fields.append(f'<label>For how long<select name="for">{options}</select></label>')
    if not linked.person:
        fields.append('<label>Your name<input name="name" maxlength="100" autocomplete="name"></label>')
    button = f'<button type="submit">{_BUTTONS[linked.deed]}</button>'
    return f'<form method="post">{"".join(fields)}{button}</form>'


def _state(incident: IncidentSummary, now: datetime) -> str:
    """`critical, acknowledged by alice, since 2026-03-01 12:00 UTC (2h)`."""
    age = max(timedelta(), now - incident.opened_at) // _MINUTE * _MINUTE
    words = [
        incident.severity,
        f"{incident.state} by {incident.acknowledged_by}" if incident.acknowledged_by else incident.state,
        f"since {incident.opened_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({format_duration(age)})",
    ]
    return ", ".join(word for word in words if word)


def _alerts(alerts: tuple[IncidentAlert, ...]) -> str:
    lines = [f"<li>{_text(_line(alert))}</li>" for alert in alerts[:_MOST_ALERTS]]
    if len(alerts) > _MOST_ALERTS:
        lines.append(f"<li>and {len(alerts) - _MOST_ALERTS} more</li>")
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _line(alert: IncidentAlert) -> str:
    annotations = alert.annotations
    name = alert.labels.get("alertname") or alert.fingerprint
    summary = annotations.get("summary") or annotations.get("description") or annotations.get("message") or ""
    where = ", ".join(f"{key}={value}" for key, value in alert.labels.items() if key != "alertname")
    return f"{alert.status}: {name}{f' ({where})' if where else ''}{f': {summary}' if summary else ''}"


def _text(text: str) -> str:
    """Text from alerts or people, harmless in a page and not endless."""
    return escape(shorten(clean(text), _LONGEST))


def _document(title: str, content: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n{content}\n</main></body></html>\n"
    )
