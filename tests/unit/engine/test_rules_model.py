"""A person with further rules against a small model: no text after an acknowledgement, and none is lost without one.

`ALERTBRIDGE_LIVES=N` scales the run.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.domain.message import Message
from tests.unit.engine.rules_model import RulesModel
from tests.unit.engine.test_life_model import LIVES, NAMES, Move, Played, configuration, play

WAYS = {"anna-chat": "chat", "anna-text": "text"}
MOVES = st.tuples(
    st.sampled_from(
        ("fire", "fire", "end", "acknowledge", "acknowledge", "unacknowledge", "snooze", "by_hand", "silence", "assign", "assign",
         "ask", "wait", "wait", "wait", "jump", "restart", "edit")
    ),
    st.sampled_from(NAMES),
    st.sampled_from(("anna", "bob")),
    st.sampled_from((1, 2, 3, 4, 5, 6, 7, 11, 16, 21, 61)),
)  # fmt: skip


class PlayedByRules(Played):
    """The engine, whose escalation calls anna: by chat at once, by text five minutes later."""

    model: RulesModel

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, RulesModel())

    def text(self) -> str:
        return (
            configuration(self.model.policy)
            .replace("notify: [pager]", "notify: [{person: anna}]")
            .replace("  pager: {type: console}", "  anna-chat: {type: console}\n  anna-text: {type: console}")
            .replace("escalations:", "people: {anna: {channels: {chat: anna-chat, text: anna-text}, "
                     "rules: [{notify: chat}, {after: 5m, notify: text}]}}\nescalations:")
        )  # fmt: skip

    def called(self, message: Message) -> str:
        return f"{message.group_labels['alertname']} {WAYS[message.channel]}"

    async def assign(self, name: str, by: str, minutes: int) -> None:
        """To anna or bob, by either."""
        if incident := await self.incident(name):
            to = "anna" if minutes % 2 else "bob"
            self.model.assign(name, to, by)
            await self.bench.operator.assign(incident, to, by, self.clock.now())

    async def ask(self, name: str, by: str, _minutes: int) -> None:
        if incident := await self.incident(name):
            self.model.ask(name)
            await self.bench.operator.add_responder(incident, "person/anna", by, self.clock.now())


@example([("fire", "A", "bob", 1), ("silence", "A", "bob", 21), ("ask", "A", "bob", 1), ("wait", "A", "bob", 11),
          ("ask", "A", "bob", 21), ("wait", "A", "bob", 7)])  # fmt: skip
@example([("silence", "A", "bob", 21), ("fire", "A", "bob", 1), ("assign", "A", "bob", 1), ("acknowledge", "A", "bob", 1),
          ("wait", "A", "bob", 61), ("unacknowledge", "A", "bob", 1)])  # fmt: skip
@example([("fire", "A", "bob", 1), ("acknowledge", "A", "bob", 1), ("ask", "A", "bob", 1), ("wait", "A", "bob", 11),
          ("unacknowledge", "A", "bob", 1)])  # fmt: skip
@settings(max_examples=LIVES, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(MOVES, min_size=4, max_size=16))
def test_a_person_is_told_by_their_rules_as_the_model_says(moves: list[Move]) -> None:
    asyncio.run(play(moves, PlayedByRules))
