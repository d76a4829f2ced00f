"""Who may send to the bridge, and who may use its API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from bridge.config.values import Section, one_or_many
from bridge.domain.options import Duration
from bridge.domain.secret import PlainAllowed, Secret

SourceType = Literal["auto", "alertmanager", "grafana"]
Role = Literal["ingest", "viewer", "responder", "admin"]

Rotating = Annotated[
    tuple[Secret, ...],
    Field(min_length=1, max_length=4),
    BeforeValidator(one_or_many, json_schema_input_type=Secret | list[Secret]),
]
"""One secret, or several while it is being rotated: every one of them is accepted."""


class BasicAuth(Section):
    username: str = Field(min_length=1)
    password: Rotating


class SourceAuth(Section):
    """How a source proves who it is; of several ways one will do.

    `header` and `timestamp_header` are Grafana's for `hmac_secret`; with a timestamp header the time is signed too
    and may be off by `tolerance`.
    """

    bearer: Rotating | None = None
    basic: BasicAuth | None = None
    hmac_secret: Rotating | None = None
    header: str = Field(default="X-Grafana-Alerting-Signature", min_length=1)
    timestamp_header: str | None = Field(default=None, min_length=1)
    tolerance: Duration = timedelta(seconds=300)

    @model_validator(mode="after")
    def _proves_something(self) -> Self:
        if self.bearer is None and self.basic is None and self.hmac_secret is None:
            raise ValueError("name at least one of bearer, basic, hmac_secret")
        if self.timestamp_header is not None and self.hmac_secret is None:
            raise ValueError("timestamp_header belongs to hmac_secret, which is not given")
        return self


class Storm(Section):
    """More new incidents than this within the span are told to people in digests, to machines one by one."""

    new_incidents: int = Field(default=500, ge=1)
    per: Duration = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1), le=timedelta(days=1))


class MirrorSettings(Section):
    """The Alertmanager that the source sends for: there too an acknowledged incident is quiet, by a silence."""

    alertmanager: Annotated[Secret, PlainAllowed()] = Field(description="its base URL")
    bearer: Secret | None = Field(default=None, description="a token that it, or what stands before it, asks for")
    lasts: Duration = Field(
        default=timedelta(hours=4), ge=timedelta(minutes=10), le=timedelta(days=7),
        description="the silence's end if the bridge is gone; it is prolonged while somebody has the incident",
    )  # fmt: skip
    every: Duration = Field(
        default=timedelta(seconds=30), ge=timedelta(seconds=1), le=timedelta(minutes=10),
        description="how often it is asked there whether the alerts go on",
    )  # fmt: skip
    gone_after: Duration = Field(
        default=timedelta(minutes=3), ge=timedelta(seconds=1), le=timedelta(hours=1),
        description="an alert that it has not had for so long is over",
    )  # fmt: skip


class SourceSettings(Section):
    """A sender, or a pair that sends the same: its path is `/webhook/NAME`."""

    type: SourceType = Field(default="auto", description="auto tells the format by the payload")
    auth: SourceAuth | None = None
    settle: Duration = Field(
        default=timedelta(seconds=60), description="how long a firing that starts before a known end is held"
    )
    stale_after: Duration | None = Field(
        default=None, description="resolve what was not repeated for so long; off if absent"
    )
    storm: Storm | None = Field(default=None, description="off if absent")
    mirror: MirrorSettings | None = Field(default=None, description="off if absent")

    @model_validator(mode="after")
    def _is_heard_of(self) -> Self:
        if self.mirror is not None and self.stale_after is not None:
            raise ValueError("stale_after would end what mirror keeps from being repeated; give one of them")
        return self


class AccessToken(Section):
    name: str = Field(min_length=1, max_length=200)
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    token: Secret


class AccessSettings(Section):
    """Who may use the API. `anonymous` lists the roles of those without a token, in so many words."""

    tokens: tuple[AccessToken, ...] = ()
    anonymous: tuple[Role, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [token.name for token in self.tokens]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two tokens are called {', '.join(twice)}; a token's name is the actor in the audit")
        return self
