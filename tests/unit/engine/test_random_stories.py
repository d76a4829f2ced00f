"""Random stories: whatever happens in whatever order, the promises hold.

An onlooker who sees only what goes in and what reaches the channels judges each story when it is over.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.domain.alert import Status
from bridge.domain.message import Reason
from bridge.storage.deliveries import Wanted
from bridge.storage.transaction import Tx
from tests.unit.engine.story import ALERTS, FAILURES, NOISE, RECEIVER, Story, Try

Step = tuple[str, *tuple[object, ...]]
STORIES = 80
"""Of each kind; which they are is fixed by their numbers."""
_MEMORY = Path("/dev/shm")
_CHANNELS = ("people", "chat", "pager")


def written(number: int, *, wild: bool) -> list[Step]:
    """The story of that number. A wild one has failures in it."""
    rng = random.Random(number)
    return [_step(rng, wild=wild) for _ in range(rng.randint(5, 16))]


def _step(rng: random.Random, *, wild: bool) -> Step:
    kinds = ("report", "wait", "act", "change", "trouble")
    (kind,) = rng.choices(kinds, (45, 17, 13, 7, 18) if wild else (45, 17, 28, 10, 0))
    if kind == "report":
        what = rng.choice(("fire", "fire", "resolve", "again"))
        names = tuple(rng.choice("aaabcdw") for _ in range(rng.randint(1, 2)))
        return ("again", rng.randint(0, 3)) if what == "again" else (what, names)
    if kind == "wait":
        return ("wait", rng.choice((2, 20, 61, 330, 1300, 3700)))
    if kind == "act":
        return (rng.choice(("acknowledge", "unacknowledge", "by_hand", "snooze")), rng.randint(0, 2))
    if kind == "change":
        return rng.choice((("restart",), ("reload", True), ("reload", False)))
    return rng.choice(
        (
            ("trouble", rng.choice(_CHANNELS), rng.choice(FAILURES), rng.randint(1, 4)),
            ("trouble", rng.choice(_CHANNELS), rng.choice(("hang", "permanent+hang")), 1),
            ("release", rng.choice(("well", *FAILURES))),
            ("kill",),
        )
    )


async def tell(story: Story, step: Step) -> None:
    story.moment += 1
    story.clock.turn(milliseconds=10)
    what, *arguments = step
    tellers: dict[str, Callable[..., Awaitable[None]]] = {
        "fire": story.fire,
        "resolve": story.resolve,
        "again": story.again,
        "wait": story.wait,
        "trouble": story.trouble,
        "release": story.release,
        "kill": story.kill,
        "restart": story.restart,
        "reload": story.reload,
    }
    await tellers.get(what, partial(story.act, what))(*arguments)
    await story.settle()


async def play(steps: list[Step], story: Story) -> list[str]:
    """Tell the story, let everything come to its end, and say what was wrong."""
    await story.begin()
    for step in steps:
        await tell(story, step)
    story.moods.clear()
    await story.release("well")
    await story.reload(True)
    await story.settle()
    for _quarter in range(6):
        await story.wait(900)
    wrongs = promises(story)
    story.moment += 1
    story.clock.turn(seconds=1)
    await story.resolve(story.known)
    await story.settle()
    for _hour in range(3):
        await story.wait(3600)
    await story.wait(30 * 3600)
    wrongs += story.wrongs + order(story) + await rest(story)
    if not story.troubled:
        wrongs += once(story)
    await story.end()
    return wrongs + await asyncio.to_thread(story.audited)


def promises(story: Story) -> list[str]:
    """Channels have been well for a while: what fires and was not acknowledged has been told, and escalated."""
    wrongs = []
    for name, known in story.known.items():
        if known.end is not None or not known.promised:
            continue
        for channel in RECEIVER:
            if channel == "chat" and story.chatless:
                continue
            if not any(_told(one, name, known.since, {channel, "desk"}) for one in story.tries):
                wrongs.append(f"{name} fires and {channel} does not know")
        if ALERTS[name][0] not in story.touched and not any(_still_paged(story, one, name) for one in story.tries):
            wrongs.append(f"{name} fires and nobody was paged")
    return wrongs


def _told(one: Try, name: str, since: int, where: set[str]) -> bool:
    return one.outcome == "told" and one.channel in where and one.moment >= since and one.fires(name)


def _still_paged(story: Story, one: Try, name: str) -> bool:
    """Its incident was escalated to the pager, or over the fallback, and has not ended since."""
    if not one.fires(name) or not one.heard:
        return False
    paged = [
        other
        for other in story.tries
        if other.incident == one.incident and other.channel in {"pager", "desk"} and other.outcome == "told"
    ]
    return any(other.status is Status.FIRING for other in paged[-2:])


def ends(story: Story) -> list[str]:
    """Whoever may have heard of a firing has heard of its end, unless the message was refused for good."""
    wrongs = []
    for (incident, channel), tries in _conversations(story).items():
        heard = [one for one in tries if one.heard]
        if not heard or not any(one.status is Status.FIRING for one in heard):
            continue
        last = heard[-1]
        if last.status is Status.FIRING and (incident, channel) not in story.excused:
            wrongs.append(f"{channel} heard {last.reason} of {last.group} and not its end")
    return wrongs


def order(story: Story) -> list[str]:
    """No end before its opening, no end that is none."""
    wrongs = []
    for (_incident, channel), tries in _conversations(story).items():
        for number, one in enumerate(tries):
            if one.reason is Reason.RESOLVED and one.status is Status.FIRING:
                wrongs.append(f"{one.moment}: {channel} is told an end of what fires")
            if one.reason in NOISE and one.status is Status.RESOLVED:
                wrongs.append(f"{one.moment}: {channel} is told {one.reason} of what is over")
            before = any(other.outcome == "told" and other.status is Status.FIRING for other in tries[:number])
            if one.status is Status.RESOLVED and one.fired_and_resolved and before:
                wrongs.append(f"{one.moment}: {channel} is told that it fired unheard")
    return wrongs


def once(story: Story) -> list[str]:
    """Without failures nobody is told the same state twice."""
    wrongs = []
    for (_incident, channel), tries in _conversations(story).items():
        for before, after in pairwise(tries):
            if after.reason in {Reason.OPENED, Reason.CHANGED, Reason.RESOLVED} and _state(before) == _state(after):
                if after.group in story.touched and after.reason is not Reason.RESOLVED:
                    continue
                if channel == "chat" and story.chatless and after.reason is Reason.CHANGED:
                    continue  # what ended and fired anew while the channel was gone is news to it
                wrongs.append(f"{after.moment}: {channel} is told {after.reason} of {after.group} again")
    return wrongs


def _state(one: Try) -> tuple[Status, str, tuple[tuple[str, Status], ...]]:
    """What people learn: of an incident that is over, that it is over."""
    if one.status is Status.RESOLVED:
        return one.status, "", ()
    return one.status, one.severity, tuple(sorted(one.alerts.items()))


def _conversations(story: Story) -> dict[tuple[str, str], list[Try]]:
    found: dict[tuple[str, str], list[Try]] = {}
    for one in story.tries:
        if one.incident and one.reason is not Reason.ACKNOWLEDGED:
            found.setdefault((one.incident, one.channel), []).append(one)
    return found


async def rest(story: Story) -> list[str]:
    """Every incident and delivery is over, and every delivery's end is recorded once."""

    async def load(tx: Tx) -> tuple[list[tuple[int, str, str]], Counter[str]]:
        wanted = '["pending","leased","parked","sent","dead","superseded","cancelled","expired"]'
        rows = await tx.all("deliveries_page", 2**62, wanted, *Wanted().values(), 100_000)
        audit = await tx.all("audit_since", 0, "", "", "", "", 100_000)
        kinds = {"sent", "dead", "superseded", "cancelled", "expired"}
        story.excused = {
            (row[1], row[2]) for row in rows if row[4] == "resolved" and (row[5] == "dead" or row[6] == "rerouted")
        }
        return [(row[0], row[5], row[2]) for row in rows], Counter(str(row[7]) for row in audit if row[3] in kinds)

    deliveries, endings = await story.bench.database.read(load)
    wrongs = ends(story)
    wrongs += [
        f"delivery {number} for {channel} is {state}"
        for number, state, channel in deliveries
        if state in {"pending", "leased", "parked"}
    ]
    wrongs += [
        f"delivery {n} ({state}) ended {endings[str(n)]} times" for n, state, _ in deliveries if endings[str(n)] != 1
    ]
    views = (await story.bench.operator.incidents()).incidents
    return wrongs + [f"{view.group_labels} is {view.state}" for view in views if view.state != "resolved"]


def judge(steps: list[Step]) -> list[str]:
    """What was wrong with the story. In memory where there is such a place: a sync takes as long as a story."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as place:
        (Path(place) / "bridge-0").mkdir()
        return asyncio.run(play(steps, Story(Path(place) / "bridge-0")))


def shortest(steps: list[Step]) -> list[Step]:
    """The story without every step that it goes wrong without."""
    for number in reversed(range(len(steps))):
        shorter = steps[:number] + steps[number + 1 :]
        if shorter and judge(shorter):
            return shortest(shorter)
    return steps


def hold(numbers: range, *, wild: bool) -> None:
    for number in numbers:
        if judge(written(number, wild=wild)):
            story = shortest(written(number, wild=wild))
            raise AssertionError("\n".join([f"story {number}:", *map(str, story), *judge(story)]))


HARD: dict[str, list[Step]] = {
    "reopened by a late firing, it escalates anew": [("fire", "a"), ("resolve", "a"), ("again", 1)],
    "reopened in every incident it was in": [("fire", "w"), ("resolve", "w"), ("again", 1)],
    "a new alert beside the repeat of one resolved by hand": [("fire", "a"), ("by_hand", 0), ("fire", "ac")],
    "told of its end by hand, and away while it reopened": [
        ("fire", "a"), ("by_hand", 1), ("reload", False), ("wait", 3700), ("fire", "a"),
    ],
    "a change whose outcome is unknown": [("fire", "a"), ("trouble", "people", "unknown", 1), ("fire", "b")],
    "worse after an acknowledgement that could not be shown": [
        ("fire", "a"), ("trouble", "people", "network", 1), ("acknowledge", 0), ("fire", "c"),
    ],
    "worse while what was under way at the acknowledgement fails": [
        ("trouble", "people", "hang", 1), ("fire", "a"), ("acknowledge", 0), ("wait", 2), ("fire", "c"), ("release", "network"),
    ],
    "what was under way at the acknowledgement dies": [
        ("trouble", "people", "permanent+hang", 1), ("fire", "a"), ("acknowledge", 0), ("release", "permanent"),
    ],
    "reopened while its end still waits to be told": [
        ("fire", "a"), ("wait", 330), ("trouble", "pager", "busy", 1), ("resolve", "a"), ("again", 1), ("wait", 61), ("wait", 61),
    ],
    "a second end for who heard of the first life alone": [
        ("fire", "a"), ("wait", 330), ("resolve", "a"), ("again", 1), ("wait", 61), ("resolve", "a"),
    ],
    "resolved by hand while a channel is gone": [("fire", "a"), ("reload", False), ("by_hand", 0), ("wait", 330)],
    "killed while it was told, and acknowledged": [
        ("trouble", "chat", "hang", 1), ("fire", "a"), ("acknowledge", 0), ("kill",),
    ],
    "killed while it was told, and refused for good ever after": [
        ("trouble", "chat", "hang+permanent+permanent", 1), ("fire", "a"), ("kill",), ("wait", 2), ("resolve", "a"),
    ],
    "killed while it was told, refused after an orderly restart": [
        ("trouble", "chat", "hang+busy+permanent+permanent", 1), ("fire", "a"), ("kill",), ("restart",), ("wait", 330),
        ("resolve", "a"),
    ],
    "killed while it was told, and acknowledged before it is told again": [
        ("trouble", "chat", "hang+hang", 1), ("fire", "a"), ("kill",), ("acknowledge", 0), ("kill",), ("resolve", "a"),
    ],
    "killed while it was told, and one of it over before it is told again": [
        ("trouble", "chat", "hang+network", 1), ("fire", "ab"), ("kill",), ("resolve", "a"), ("wait", 61), ("resolve", "b"),
    ],
    "killed while it was told, and worse before it is refused for good": [
        ("trouble", "chat", "hang+network+permanent+permanent", 1), ("fire", "a"), ("kill",), ("fire", "c"), ("wait", 61),
        ("resolve", "ac"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_a_story_that_is_hard_to_tell_is_told_to_its_end(name: str) -> None:
    assert judge(HARD[name]) == []


def test_a_story_without_failures_is_told_once_and_to_its_end() -> None:
    hold(range(STORIES), wild=False)


def test_a_story_with_failures_is_told_to_its_end_and_nothing_is_left_over() -> None:
    hold(range(STORIES), wild=True)
