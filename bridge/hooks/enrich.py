"""Adds labels and annotations to alerts: from a table, from a service, from templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec.structs import replace
from pydantic import Field, field_validator, model_validator

from bridge.domain.alert import Alert
from bridge.domain.errors import BridgeError
from bridge.hooks.api import Forward, HookContext, HookOptions, Notification, Verdict
from bridge.hooks.enrich_http import HttpLookup, HttpOptions
from bridge.hooks.enrich_lookup import Found, LookupOptions, Table
from bridge.hooks.enrich_names import NAMES, TEMPLATES, checked_template, label_name
from bridge.templates import Template, TemplateFailed


class EnrichOptions(HookOptions):
    """What to add. In this order, each seeing what came before it: `lookup`, `http`, `labels`, `annotations`.

    The entries of one mapping do not see one another: a mapping has no order. Two `enrich` hooks do.
    """

    lookup: LookupOptions | None = None
    http: HttpOptions | None = None
    labels: dict[str, str] = Field(default={}, description="label: template of its value")
    annotations: dict[str, str] = Field(default={}, description="annotation: template of its value")

    @field_validator("labels", "annotations")
    @classmethod
    def _templates(cls, templates: dict[str, str]) -> dict[str, str]:
        return {label_name(name): checked_template(TEMPLATES, text) for name, text in templates.items()}

    @model_validator(mode="after")
    def _within_budget(self) -> EnrichOptions:
        if self.http is not None and self.http.timeout >= self.budget:
            raise ValueError("http.timeout must be shorter than the hook's budget, or nothing else of it is kept")
        return self


class EnrichFailed(BridgeError):  # noqa: N818 - reads as the event it is
    """Something could not be added. What could be is kept, unless the hook fails closed."""


class Enrich:
    """Adds what it finds to every alert. Empty values are not added; a label that is there is overwritten.

    If a part fails, the notification goes on with the rest, and the failure is recorded; with `on_error: closed` it
    is held. Waits for nothing unless it asks a service.
    """

    name: ClassVar[str] = "enrich"
    Options: ClassVar[type[HookOptions]] = EnrichOptions

    def __init__(self, options: EnrichOptions, context: HookContext) -> None:
        """Reads the lookup file.

        Raises:
            ConfigError: it cannot be used.
        """
        self.does_io = options.http is not None
        self._closed = options.on_error == "closed"
        self._table = Table(options.lookup) if options.lookup is not None else None
        self._service = HttpLookup(options.http, context.http) if options.http is not None else None
        self._labels = _compiled(options.labels)
        self._annotations = _compiled(options.annotations)

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        enriched, failure = await self._enriched(notification)
        if failure and self._closed:
            raise EnrichFailed(failure)
        verdict = await forward(enriched)
        if failure:
            raise EnrichFailed(failure)  # after going on: the chain keeps the verdict and records this
        return verdict

    async def _enriched(self, notification: Notification) -> tuple[Notification, str]:
        """The notification with what was found, and the first failure (empty if none)."""
        subjects = [_Subject(alert, notification) for alert in notification.alerts]
        failure = ""
        if self._table is not None:
            for subject in subjects:
                subject.add(self._table.find(subject.labels))
        if self._service is not None:
            found, failure = await self._service.find([subject.context for subject in subjects], notification.now)
            for subject, answer in zip(subjects, found, strict=True):
                subject.add(answer)
        for subject in subjects:
            problem = subject.render(self._labels, self._annotations)
            failure = failure or problem
        return _with(notification, subjects), failure


class _Subject:
    """One alert on its way through the hook: what its templates see, and what was added so far."""

    __slots__ = ("_annotations", "_labels", "added_annotations", "added_labels", "context", "fingerprint")

    def __init__(self, alert: Alert, notification: Notification) -> None:
        self.fingerprint = alert.fingerprint
        self.added_labels = dict(notification.labels.get(alert.fingerprint, {}))
        self.added_annotations = dict(notification.annotations.get(alert.fingerprint, {}))
        self._labels = {**alert.labels, **self.added_labels}
        self._annotations = {**alert.annotations, **self.added_annotations}
        self.context: Mapping[str, object] = {
            "labels": self._labels,
            "annotations": self._annotations,
            "fingerprint": alert.fingerprint,
            "generator_url": alert.generator_url,
            "starts_at": alert.starts_at,
            "status": alert.status,
            "group_labels": notification.group_labels,
            "incident": notification.incident,
            "now": notification.now,
            "receiver": notification.receiver,
            "route": notification.route,
            "severity": notification.severity,
            "source": notification.source,
            "transition": notification.transition,
        }

    @property
    def labels(self) -> Mapping[str, str]:
        return self._labels

    def add(self, found: Found) -> None:
        for target in (self._labels, self.added_labels):
            target.update(found.labels)
        for target in (self._annotations, self.added_annotations):
            target.update(found.annotations)

    def render(self, labels: Mapping[str, Template], annotations: Mapping[str, Template]) -> str:
        """Adds what the templates give; returns the first failure, empty if none."""
        values, failure = self._rendered("labels", labels)
        self.add(Found(values))
        values, other = self._rendered("annotations", annotations)
        self.add(Found({}, values))
        return failure or other

    def _rendered(self, where: str, templates: Mapping[str, Template]) -> tuple[dict[str, str], str]:
        values, failure = {}, ""
        for name, template in templates.items():
            try:
                value = TEMPLATES.render(template, **self.context).strip()
            except TemplateFailed as error:
                failure = failure or f"{where}.{name}: {error}"
            else:
                if value:
                    values[name] = value
        return values, failure


def _with(notification: Notification, subjects: Sequence[_Subject]) -> Notification:
    labels = {subject.fingerprint: subject.added_labels for subject in subjects if subject.added_labels}
    annotations = {subject.fingerprint: subject.added_annotations for subject in subjects if subject.added_annotations}
    return replace(
        notification,
        labels={**notification.labels, **labels},
        annotations={**notification.annotations, **annotations},
    )


def _compiled(templates: Mapping[str, str]) -> dict[str, Template]:
    return {name: TEMPLATES.compile(text, NAMES) for name, text in templates.items()}
