"""A report of an alert over one that is known of it already, where an Alertmanager would make one of the two.

Source: prometheus/alertmanager `Alert.Merge` and its memory provider's `Put`; contracts of API v2, `POST /alerts`.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Span(Struct, frozen=True):
    """From when to when an alert fires. `ends_at` is always set: while it fires, when it ends by itself.

    `timeout`: nobody named the end, it is only when patience is over. The texts are the senders' own writing.
    """

    starts_at: datetime
    ends_at: datetime
    timeout: bool = False
    starts_text: str = ""
    ends_text: str = ""

    def is_over(self, now: datetime) -> bool:
        """Whether the alert is resolved: from its end on."""
        return self.ends_at <= now


def merge(old: Span, new: Span, now: datetime) -> Span:
    """What holds once `new` is reported of an alert of which `old` is known.

    Without overlap it is `new` as it is. Where they overlap the earlier start counts; the end is the new one's, unless
    the old end is later and either both are over, or the new one still fires and the old end was named by its sender.
    So a new end in the past always ends the alert. `timeout` is the new one's, whosever end is taken.
    """
    if not _overlap(old, new):
        return new
    start = old if old.starts_at < new.starts_at else new
    end = old if _old_end_stays(old, new, now) else new
    return Span(start.starts_at, end.ends_at, new.timeout, start.starts_text, end.ends_text)


def _overlap(old: Span, new: Span) -> bool:
    return old.starts_at < new.ends_at < old.ends_at or old.starts_at < new.starts_at < old.ends_at


def _old_end_stays(old: Span, new: Span, now: datetime) -> bool:
    if old.ends_at <= new.ends_at:
        return False
    return old.is_over(now) if new.is_over(now) else not old.timeout
