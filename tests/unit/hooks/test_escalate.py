from __future__ import annotations

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.hooks.api import Pass, Transition
from bridge.hooks.chain import Chain
from bridge.hooks.escalate import Escalate, EscalateOptions
from tests.contract.hooks.notifications import make, notification


@pytest.mark.parametrize("transition", list(Transition))
def test_the_escalation_is_named_and_nothing_else_changed(transition) -> None:
    given = notification(transition)
    judged = Chain([make(Escalate, "payments")]).judge(given)
    assert judged.verdict == Pass(replace(given, escalation="payments"))


def test_the_last_of_a_chain_wins() -> None:
    judged = Chain([make(Escalate, "first"), make(Escalate, {"escalation": "second"})]).judge(notification())
    assert isinstance(judged.verdict, Pass)
    assert judged.verdict.notification.escalation == "second"


@pytest.mark.parametrize("options", ["", {}, {"escalation": ""}, {"name": "payments"}, 5])
def test_an_escalation_must_be_named(options) -> None:
    with pytest.raises(ValidationError):
        EscalateOptions.model_validate(options)


def test_the_common_options_stand_beside_the_name() -> None:
    options = EscalateOptions.model_validate({"escalation": "payments", "on_error": "closed"})
    assert (options.escalation, options.on_error) == ("payments", "closed")
