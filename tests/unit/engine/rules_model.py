"""What a person is told who has further rules, as a small model of its own: a chat at once, a text if nobody acknowledges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.unit.engine.life_model import REOPEN_WITHIN, Life, Model, Step

TEXT_AFTER = 300


@dataclass
class Called:
    """Of one incident: the text that waits, if one does, whose it is, and whether help was asked for."""

    text: Step | None = None
    owner: str = ""
    asked: bool = False


@dataclass
class RulesModel(Model):
    """`pages` name the alert and the way: `A chat`, `A text`. anna is whom steps call, and who can be called by hand."""

    called: dict[str, Called] = field(default_factory=dict)

    def assign(self, name: str, to: str, by: str) -> None:
        """It is somebody's from now on, who hears of it unless it was theirs, they took it themselves or it is hidden."""
        life, called = self.lives.get(name), self.called.get(name)
        if life is None or called is None or life.state == "resolved" or called.owner == to:
            return
        called.owner = to
        if to == "anna" != by and not life.hidden:
            self._tell(life)

    def ask(self, name: str) -> None:
        """Anna is asked for help; asking again is nothing new. While all is hidden nobody is."""
        life, called = self.lives.get(name), self.called.get(name)
        if life is None or called is None or life.state == "resolved" or life.hidden:
            return
        if not called.asked:
            called.asked = True
            self._tell(life)

    def _open(self, name: str) -> None:
        before = self.lives.get(name)
        super()._open(name)
        same = before is not None and self.now - before.ended < REOPEN_WITHIN
        kept = self.called[name] if same else Called()
        self.called[name] = Called(None, kept.owner, kept.asked)

    def _over(self, life: Life) -> None:
        super()._over(life)
        self.called[life.name].text = None

    def _set(self, life: Life) -> None:
        super()._set(life)
        text = self.called[life.name].text
        if text is not None:
            self._run(text, runs=life.state == "open" and not life.hidden)

    def _run(self, text: Step, *, runs: bool) -> None:
        if runs and text.left is not None:
            text.due, text.left = self.now + text.left, None
        elif not runs and text.left is None:
            text.left = max(0, text.due - self.now)

    def _coming(self) -> Iterator[tuple[int, object]]:
        yield from super()._coming()
        for name, called in self.called.items():
            if called.text is not None and called.text.left is None:
                yield called.text.due, (self.lives[name], called.text)

    def _call(self, life: Life, step: Step) -> None:
        if step is self.called[life.name].text:
            self.called[life.name].text = None
            self.pages.append((self.now, f"{life.name} text"))
            return
        before = len(self.pages)
        super()._call(life, step)
        del self.pages[before:]
        self._tell(life)

    def _tell(self, life: Life) -> None:
        """The chat, now; the text later, unless one waits already."""
        self.pages.append((self.now, f"{life.name} chat"))
        called = self.called[life.name]
        if called.text is None:
            called.text = Step(self.now + TEXT_AFTER, 0, 0)
            self._set(life)
