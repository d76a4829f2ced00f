"""Messages as the sender hands them to channels."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from bridge.channels.api import Message, Reason
from bridge.domain.alert import Status, fingerprint
from bridge.domain.message import AlertView, common

NOW = datetime(2026, 3, 1, 10, 5, tzinfo=UTC)
_START = datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)

HOSTILE = (
    "<script>alert(1)</script><b>bold</b>&amp;",
    "<!channel> <!here> <@U0EXAMPLE> @everyone @here",
    "<https://evil.example/|click> [click](https://evil.example/) *b* _i_ `c` ~s~",
    "{{ 7*7 }} {% raw %} ${HOME} $(id) `id`",
    "a\r\nBcc: victim@example.com\r\n\r\nDATA",
    "bell\x07 null\x00 escape\x1b[31mred\x1b[0m",
    "\u202egnirts\u202c \u2066isolate\u2069 \ufeff",
    "quote\" apostrophe' back\\slash </td></tr>",
)
"""Label and annotation texts that some service would act on if they were not escaped."""


def alert(number: int = 1, *, status: Status = Status.FIRING, **labels: str) -> AlertView:
    named = {"alertname": f"Alert{number:04}", "instance": f"web-{number}:9100", "severity": "critical", **labels}
    ended = _START + timedelta(minutes=4) if status is Status.RESOLVED else None
    return AlertView(
        fingerprint=fingerprint(named),
        status=status,
        labels=named,
        annotations={"summary": f"CPU above 90% on web-{number}"},
        starts_at=_START,
        ends_at=ended,
        starts_text="2026-03-01T10:00:00.123456789Z",
        ends_text="" if ended is None else "2026-03-01T10:04:00.123456789Z",
        generator_url="http://prometheus.example:9090/graph?g0.expr=cpu",
    )


def message(
    *alerts: AlertView, reason: Reason = Reason.OPENED, title: str | None = None, text: str | None = None
) -> Message:
    """A message about `alerts` (one firing alert if none is given), one line of text for each."""
    views = alerts or (alert(),)
    firing = sum(view.status is Status.FIRING for view in views)
    status = Status.FIRING if firing and reason is not Reason.RESOLVED else Status.RESOLVED
    lines = (f"{view.status.upper()} {view.name}: {view.annotations.get('summary', '')}" for view in views)
    return Message(
        reason=reason,
        status=status,
        incident="incident-1",
        channel="channel-1",
        receiver="team.web",
        source="alertmanager",
        route="payments-critical",
        title=title if title is not None else f"[{status.upper()}:{len(views)}] {views[0].name}",
        text=text if text is not None else "\n".join(lines),
        alerts=views,
        group_labels={"alertname": views[0].name},
        common_labels=common([view.labels for view in views]),
        common_annotations=common([view.annotations for view in views]),
        severity="critical",
        opened_at=_START,
        dedup="9f2a099adf99adbf3e1d24abbd84835468e75b8b96fca010db3f2b763340e4c1",
        group_key='{}/{severity="critical"}:{alertname="HighCPU"}',
        external_url="http://bridge.example:9099",
    )


def many(count: int) -> tuple[AlertView, ...]:
    return tuple(alert(number) for number in range(1, count + 1))


def resolved(views: Iterable[AlertView] = ()) -> Message:
    """The end of what `message()` told."""
    ended = tuple(alert(number, status=Status.RESOLVED) for number, _ in enumerate(views or (None,), start=1))
    return message(*ended, reason=Reason.RESOLVED)
