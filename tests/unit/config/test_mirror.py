"""What `mirror:` of a source takes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bridge.config.senders import SourceSettings

URL = "http://alertmanager.example:9093"


def test_stale_after_and_mirror_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="give one of them"):
        SourceSettings.model_validate({"stale_after": "1h", "mirror": {"alertmanager": URL}})


def test_the_address_alone_will_do_and_is_not_shown() -> None:
    settings = SourceSettings.model_validate({"mirror": {"alertmanager": URL}})
    assert settings.mirror is not None
    assert settings.mirror.alertmanager.reveal() == URL
    assert URL not in repr(settings)
