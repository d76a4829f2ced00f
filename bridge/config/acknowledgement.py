"""How long an acknowledgement holds, and links to acknowledge."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from bridge.config.values import Section
from bridge.domain.options import Duration


class AcknowledgementSettings(Section):
    """Whether what somebody has and does not end is given back, and when he hears that it will be; how long links act."""

    expires_after: Duration | None = Field(
        default=None, ge=timedelta(minutes=1), description="then the incident is open again; never if absent"
    )
    remind_before: Duration = Field(
        default=timedelta(minutes=15), description="how long before that a reminder is told; 0 for none"
    )
    links_last: Duration = Field(
        default=timedelta(days=7),
        ge=timedelta(minutes=1),
        le=timedelta(days=366),
        description="action links in messages",
    )

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.expires_after is not None and self.remind_before >= self.expires_after:
            raise ValueError("remind_before must be shorter than expires_after")
        return self
