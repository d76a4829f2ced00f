"""The HTML part of a mail: one column, inline styles, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

from datetime import UTC, datetime

from jinja2 import Environment, StrictUndefined

from bridge.channels.links import links_of
from bridge.channels.sizes import body_lines, clean, notes, shorten, whole_lines
from bridge.domain.alert import Status
from bridge.domain.message import Message
from bridge.domain.standing import hour

_MOST_ALERTS = 20
_LONGEST_VALUE = 500
_LONGEST_TEXT = 50_000
_GREEN, _BLUE, _RED, _AMBER = "#1a7f37", "#0969da", "#cf222e", "#9a6700"

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ message.title }}</title></head>
<body style="margin:0;padding:16px;background:#f6f8fa;color:#1f2328;
 font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:14px;line-height:1.5">
<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;max-width:640px;margin:0 auto;
 background:#ffffff;border:1px solid #d1d9e0;border-radius:6px;border-collapse:separate">
<tr><td style="padding:12px 20px;background:{{ colour }};color:#ffffff;border-radius:5px 5px 0 0;font-weight:600">
{{ state }}</td></tr>
<tr><td style="padding:16px 20px">
<h1 style="margin:0 0 12px;font-size:18px;line-height:1.3">{{ message.title }}</h1>
{% for note in notes %}<p style="margin:0 0 12px;padding:8px 12px;background:#fff8c5">{{ note }}</p>
{% endfor %}
<div style="white-space:pre-wrap;overflow-wrap:anywhere">{{ text }}</div>
{% if actions %}<p style="margin:16px 0 0">
{% for action in actions %}<a href="{{ action.url }}" rel="nofollow" style="display:inline-block;margin:0 8px 8px 0;padding:6px 14px;
 border:1px solid #d1d9e0;border-radius:6px;background:#f6f8fa;color:#0969da;text-decoration:none">{{ action.label }}</a>
{% endfor %}</p>{% endif %}
{% for alert in alerts %}
<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;margin-top:16px;border-collapse:collapse;
 border-left:4px solid {{ green if alert.status == 'resolved' else colour }}">
<tr><td colspan="2" style="padding:2px 12px;font-weight:600">{{ alert.name }}
<span style="font-weight:400;color:#59636e">{{ alert.status.value }} · {{ alert.starts_at|moment }}</span></td></tr>
{% for name, value in alert.labels.items() if name != 'alertname' %}
<tr><td style="padding:1px 12px;color:#59636e;white-space:nowrap;vertical-align:top">{{ name }}</td>
<td style="padding:1px 0;width:99%;overflow-wrap:anywhere">{{ value|short }}</td></tr>
{% endfor %}
</table>
{% endfor %}
{% if more %}<p style="margin:12px 0 0;color:#59636e">{{ more }} more alerts are not listed here.</p>{% endif %}
{% if links %}<p style="margin:16px 0 0">
{% for link in links %}<a href="{{ link.url }}" style="color:#0969da">{{ link.label }}</a>{{ ' · ' if not loop.last }}
{% endfor %}</p>{% endif %}
</td></tr>
<tr><td style="padding:10px 20px;border-top:1px solid #d1d9e0;color:#59636e;font-size:12px">
Incident {{ message.incident }} since {{ message.opened_at|moment }} · sent to {{ message.receiver }}</td></tr>
</table>
</body>
</html>
"""


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cleaned(value: object) -> object:
    """What stands in the page besides the template itself, before it is escaped."""
    return clean(value) if type(value) is str else value


_ENVIRONMENT = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_cleaned
)
_ENVIRONMENT.filters.update(moment=_moment, short=lambda text: shorten(text, _LONGEST_VALUE))
_TEMPLATE = _ENVIRONMENT.from_string(_PAGE)


def state_of(message: Message) -> str:
    """One line that says where the incident stands: `RESOLVED`, `ACKNOWLEDGED by alice`, `FIRING (critical)`."""
    if message.status is Status.RESOLVED:
        return "FIRED AND RESOLVED" if message.fired_and_resolved else "RESOLVED"
    if message.snoozed_until and message.acknowledged_by:
        return f"SNOOZED by {message.acknowledged_by} until {hour(message.snoozed_until)}"
    if message.acknowledged_by:
        return f"ACKNOWLEDGED by {message.acknowledged_by}"
    return f"FIRING ({message.severity})" if message.severity else "FIRING"


def page(message: Message) -> str:
    """The whole HTML document; at most 20 alerts are listed."""
    shown = message.alerts[:_MOST_ALERTS]
    return _TEMPLATE.render(
        message=message,
        text=whole_lines(body_lines(message), _LONGEST_TEXT),
        notes=notes(message),
        state=state_of(message),
        colour=_colour(message),
        green=_GREEN,
        alerts=shown,
        more=len(message.alerts) - len(shown),
        links=links_of(message),
        actions=[action for action in message.actions if action.url],
    )


def _colour(message: Message) -> str:
    if message.status is Status.RESOLVED:
        return _GREEN
    if message.acknowledged_by:
        return _BLUE
    return _AMBER if message.severity.lower() == "warning" else _RED
