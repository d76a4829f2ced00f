"""Sample notifications as Alertmanager sends them (webhook version 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import typer

from bridge.domain.alert import fingerprint

GROUPED_BY = "alertname"
_OPEN = "0001-01-01T00:00:00Z"
_LONG_AGO = "1970-01-01T00:00:01Z"
"""The start of an alert whose firing nobody knows: before every end, so that a repeated resolve is a duplicate."""


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping; the value may contain `=`.

    Raises:
        BadParameter: one has no `=` or no name.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
        found[name] = value
    return found


def sample_labels(texts: Sequence[str]) -> dict[str, str]:
    """The labels of a command line. A first word without `=` is the alertname, which is TestAlert if nobody says."""
    first, rest = (texts[:1], texts[1:]) if texts and "=" not in texts[0] else ((), texts)
    labels = {GROUPED_BY: first[0] if first else "TestAlert", **pairs(rest)}
    empty = [name for name, value in labels.items() if not value]
    if empty:
        raise typer.BadParameter(f"the label {empty[0]} is empty, which means no label at all")
    return labels


def sample(
    labels: Mapping[str, str], annotations: Mapping[str, str], *, now: datetime, resolved: bool, started: str = ""
) -> dict[str, object]:
    """The body for one alert, grouped by its name. `started` is when it began, if that is known."""
    moment = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = {"summary": "A sample alert; nothing is wrong.", **annotations}
    status = "resolved" if resolved else "firing"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": shown,
        "startsAt": (started or _LONG_AGO) if resolved else moment,
        "endsAt": moment if resolved else _OPEN,
        "generatorURL": "",
        "fingerprint": fingerprint(labels),
    }
    group = {GROUPED_BY: labels[GROUPED_BY]}
    return {
        "receiver": "alertbridge-fire",
        "status": status,
        "alerts": [alert],
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": shown,
        "externalURL": "",
        "version": "4",
        "groupKey": f'{{}}:{{{GROUPED_BY}="{labels[GROUPED_BY]}"}}',
        "truncatedAlerts": 0,
    }
