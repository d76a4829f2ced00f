"""The state of every alert of a history at any moment, as a function of what was posted until then."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from msgspec import Struct

from tests.compat.history import Alerts, Expire, History, Posted, Silence
from tests.compat.setting import Labels, Matcher, Rule, Setting, all_match

RESOLVE_TIMEOUT = 6.0
GRACE_SECONDS = 5.0
NEXT = 0.001
"""Between the alerts of one request: they are taken one after the other."""


class Version(Struct, frozen=True):
    """An alert as it was stored `at` a moment: `ends` is when it is over, `timeout` whether nobody had said so."""

    at: float
    starts: float
    ends: float
    annotations: tuple[tuple[str, str], ...]
    timeout: bool


class Span(Struct):
    """When a silence is in force."""

    key: str
    matchers: tuple[Matcher, ...]
    begins: float
    ends: float


class Ledger:
    """`grace`: an end that nobody sent is believed that much later. `unseen_ends`: ends of alerts that were not firing count."""

    def __init__(self, setting: Setting, history: History, *, grace: bool, unseen_ends: bool, ends_again: bool) -> None:
        self.labels: dict[str, Labels] = {}
        self.inserted: dict[str, list[float]] = {}
        self.spans: list[Span] = []
        self._versions: dict[str, list[Version]] = {}
        self._rules = setting.rules
        self._grace = GRACE_SECONDS if grace else 0.0
        self._unseen_ends = unseen_ends
        self._ends_again = ends_again
        for event in history.events:
            if isinstance(event, Alerts):
                for number, posted in enumerate(event.alerts):
                    self._post(event.at + number * NEXT, posted)
            elif isinstance(event, Silence):
                self._silence(event)
            elif isinstance(event, Expire):
                self._cut(event.key, event.at)

    def version(self, key: str, at: float) -> Version | None:
        versions = self._versions.get(key, [])
        index = bisect_right(versions, at, key=lambda version: version.at)
        return versions[index - 1] if index else None

    def firing(self, key: str, at: float) -> bool:
        version = self.version(key, at)
        return version is not None and self._over(version) > at

    def silenced(self, key: str, at: float) -> set[str]:
        labels = self.labels[key]
        return {span.key for span in self.spans if span.begins <= at < span.ends and all_match(span.matchers, labels)}

    def inhibitors(self, key: str, at: float) -> set[str]:
        """The firing alerts that inhibit this one."""
        return {source for source in self._sources(key) if self.firing(source, at)}

    def changes(self, key: str) -> Iterator[float]:
        """When something happens that could change how this alert is told."""
        for other in {key, *self._sources(key)}:
            versions = self._versions.get(other, [])
            for version, until in zip(versions, [*(later.at for later in versions[1:]), float("inf")], strict=True):
                yield version.at
                if version.at < self._over(version) < until:
                    yield self._over(version)
        for span in self.spans:
            if span.begins < span.ends and all_match(span.matchers, self.labels[key]):
                yield span.begins
                yield span.ends

    def _over(self, version: Version) -> float:
        by_itself = version.ends > version.at and not version.timeout
        return version.ends + self._grace if by_itself else version.ends

    def _sources(self, key: str) -> Iterator[str]:
        labels = self.labels[key]
        for rule in self._rules:
            if all_match(rule.target, labels):
                yield from (other for other, sides in self.labels.items() if _inhibits(rule, sides, labels))

    def _post(self, at: float, posted: Posted) -> None:
        labels = dict(posted.labels)
        key = canonical(labels)
        ends = at + RESOLVE_TIMEOUT if posted.ends is None else posted.ends
        starts = posted.starts if posted.starts is not None else at if posted.ends is None else ends
        new = Version(at, starts, ends, posted.annotations, posted.ends is None)
        was_firing = self.firing(key, at)
        if ends <= at and not was_firing and not (self._ends_again if key in self._versions else self._unseen_ends):
            return
        old = self.version(key, at)
        self.labels[key] = labels
        self._versions.setdefault(key, []).append(_merged(old, new) if old is not None else new)
        self.inserted.setdefault(key, []).append(at)

    def _silence(self, event: Silence) -> None:
        self._cut(event.edits, event.at)
        begins = event.at if event.starts is None else max(event.at, event.starts)
        self.spans.append(Span(event.key, event.matchers, begins, event.ends))

    def _cut(self, key: str, at: float) -> None:
        for span in self.spans:
            if span.key == key and span.ends > at:
                span.ends = at


def canonical(labels: Labels) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _merged(old: Version, new: Version) -> Version:
    """Alertmanager's merging: only spans that overlap."""
    overlap = old.starts < new.ends < old.ends or old.starts < new.starts < old.ends
    if not overlap:
        return new
    ends = new.ends
    if new.ends > new.at and old.ends > new.ends and not old.timeout:
        ends = old.ends
    return Version(new.at, min(old.starts, new.starts), ends, new.annotations, new.timeout)


def _inhibits(rule: Rule, source: Labels, target: Labels) -> bool:
    both = all_match(rule.source, target) and all_match(rule.target, source)
    equal = all(source.get(name, "") == target.get(name, "") for name in rule.equal)
    return equal and not both and all_match(rule.source, source)
