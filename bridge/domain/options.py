"""Types that option models share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

from bridge.domain.duration import parse_duration


def _parse(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_parse, json_schema_input_type=str)]
"""An option written as Prometheus writes durations (`30s`, `5m`)."""
