"""Random stories in which letters die and are replayed: the promises hold all the same, and a replay mends what it can."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.engine.replay import Ask
from bridge.engine.views import ReplayPage
from bridge.secrets.instance import InstanceKeys
from bridge.storage.deliveries import Wanted
from bridge.storage.transaction import Tx
from tests.unit.engine.story import RECEIVER, Story
from tests.unit.engine.test_random_stories import Step, _told, ends, order, tell, written

STORIES = 120
_MEMORY = Path("/dev/shm")


def deadly(number: int) -> list[Step]:
    """A wild story with more letters that die in it, and replays now and then.

    It is not killed in the middle of an attempt: that one dies afterwards as if it had never been heard.
    """
    rng = random.Random(number)
    steps: list[Step] = []
    for step in written(number, wild=True):
        if rng.random() < 0.4:
            steps.append(("trouble", rng.choice(("people", "chat", "pager")), "permanent", 2))
        if step != ("kill",):
            steps.append(step)
        if rng.random() < 0.25:
            steps.append(("replay", rng.random() < 0.3))
    return steps


async def replay(story: Story, *, everything: bool) -> ReplayPage:
    story.moment += 1
    now = story.clock.turn(milliseconds=10)
    page = await story.bench.operator.replay(Ask(Wanted(), everything=everything), "alice", now, limit=1000)
    assert page.next is None
    await story.settle()
    return page


async def play(steps: list[Step], folder: Path) -> list[str]:
    """Tell the story, let everything come to its end, replay what died, and say what was wrong."""
    story = Story(folder)
    await story.begin()
    for step in steps:
        if step[0] == "replay":
            await replay(story, everything=bool(step[1]))
        else:
            await tell(story, step)
    story.moods.clear()
    await story.release("well")
    await story.reload(True)
    await story.settle()
    for _quarter in range(6):
        await story.wait(900)
    await replay(story, everything=False)
    wrongs = unheard(story)
    story.moment += 1
    story.clock.turn(seconds=1)
    await story.resolve(story.known)
    await story.settle()
    for _hour in range(3):
        await story.wait(3600)
    await story.wait(30 * 3600)
    await replay(story, everything=False)
    second = await replay(story, everything=False)
    wrongs += [f"a second replay: {one}" for one in second.channels if one.replayed or one.superseded]
    wrongs += await left_over(story)
    wrongs += story.wrongs + order(story) + ends(story)
    await story.end()
    keys = InstanceKeys.load_or_create(story.folder / "bridge.db.keys")
    report = verify(story.folder / "bridge.db", Trust(keys.verifiers))
    return wrongs + [str(finding) for finding in report.findings]


def unheard(story: Story) -> list[str]:
    """What fires and was not acknowledged has been told to the receiver itself, though its letters had died."""
    wrongs = []
    for name, known in story.known.items():
        for channel in RECEIVER if known.end is None and known.promised else ():
            told = any(_told(one, name, known.since, {channel}) for one in story.tries)
            if not told and not (channel == "chat" and story.chatless):
                wrongs.append(f"{name} fires and {channel} does not know")
    return wrongs


async def left_over(story: Story) -> list[str]:
    """What still waits; and who cannot be held to hear of an end: his channel was gone."""

    async def load(tx: Tx) -> list[str]:
        waiting = '["pending","leased","parked","superseded"]'
        rows = await tx.all("deliveries_page", 2**62, waiting, *Wanted().values(), 100_000)
        story.excused = {(row[1], row[2]) for row in rows if row[6] == "rerouted"}
        return [f"delivery {row[0]} for {row[2]} is {row[5]}" for row in rows if row[5] != "superseded"]

    return await story.bench.database.read(load)


def judge(steps: list[Step]) -> list[str]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as place:
        (Path(place) / "bridge-0").mkdir()
        return asyncio.run(play(steps, Path(place) / "bridge-0"))


def shortest(steps: list[Step]) -> list[Step]:
    """The story without every step that it goes wrong without."""
    for number in reversed(range(len(steps))):
        shorter = steps[:number] + steps[number + 1 :]
        if shorter and judge(shorter):
            return shortest(shorter)
    return steps


def test_whatever_dies_and_is_replayed_the_promises_hold() -> None:
    for number in range(STORIES):
        if judge(deadly(number)):
            story = shortest(deadly(number))
            raise AssertionError("\n".join([f"story {number}:", *map(str, story), *judge(story)]))
