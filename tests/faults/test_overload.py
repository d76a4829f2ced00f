"""More than the bridge can take: it turns away at the door, keeps what it needs for itself, and leaks nothing.

The oracle is outside: what got a 2xx, and what the receiver saw. Whatever got another answer, or none, was not accepted.
"""

from __future__ import annotations

import asyncio
import io
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.faults.serving import alert, troubles
from tests.faults.witness import Town, slowly, town, witnesses_of
from tests.running_bridge import eventually

MEBIBYTE = 2**20
CONFIG = """
channels:
  good: {type: webhook, url: "<good>/"}
  slow: {type: webhook, url: "<slow>/"}
receivers: {all: [good, slow]}
route: {receiver: all}
"""


def open_files(place: Town) -> int:
    return len(list(Path(f"/proc/{place.bridge.pid}/fd").iterdir()))


def memory(place: Town, what: str) -> int:
    """`what`: VmRSS, VmHWM (the most that was resident) or VmSize; in MiB."""
    text = Path(f"/proc/{place.bridge.pid}/status").read_text()
    assert what in text, "the bridge has ended"
    return int(text.partition(f"{what}:")[2].split()[0]) // 1024


def may_open(number: int) -> None:
    """Let this process open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))


@asynccontextmanager
async def connections(place: Town, number: int, sent: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections that have sent this much and no more; the readers of their answers."""
    may_open(number + 500)
    opened = []
    for first in range(0, number, 100):
        asked = (
            asyncio.open_connection("127.0.0.1", place.bridge.port) for _ in range(first, min(first + 100, number))
        )
        opened += await asyncio.gather(*asked)
    for _reader, writer in opened:
        writer.write(sent)
    try:
        yield [reader for reader, _writer in opened]
    finally:
        for _reader, writer in opened:
            writer.close()


async def post(place: Town, body: bytes) -> int:
    """The answer's status; 0 if none came."""
    timeout = aiohttp.ClientTimeout(total=60)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                f"{place.bridge.url}/webhook", data=io.BytesIO(body), headers={"Content-Type": "application/json"}
            ) as answer,
        ):
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


async def insist(place: Town, body: bytes) -> None:
    """As every sender does: a 503 is asked again. Fails after twenty seconds of them, and at any other answer."""
    end = time.monotonic() + 20
    while (status := await post(place, body)) != 200:
        assert status in {0, 503}
        assert time.monotonic() < end, f"still {status}"
        await asyncio.sleep(0.1)


HEADER = b"POST /webhook HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
DRIPS = {"headers": HEADER, "bodies": HEADER + b"Content-Length: 100000\r\n\r\n{"}


async def test_two_thousand_connections_that_drip_keep_nobody_out(tmp_path: Path) -> None:
    async with witnesses_of("good", "slow") as at, town(tmp_path, CONFIG, at) as place:
        before = open_files(place)
        for what, sent in DRIPS.items():
            async with connections(place, 2000, sent):
                await insist(place, alert(f"{what}-first"))  # by then the bridge has taken every connection before it
                await asyncio.sleep(1.2)  # whoever drips for a second gives way
                names = [f"{what}{number}" for number in range(40)]
                answers = [await post(place, alert(name)) for name in names]
                assert set(answers) == {200}
                await eventually(lambda names=names: set(names) <= at["good"].names)

        await eventually(lambda: open_files(place) <= before + 8)


async def test_with_few_open_files_the_database_and_the_channels_come_first(tmp_path: Path) -> None:
    """256 files: connections are turned away before the process has none left for what it must do."""
    async with witnesses_of("good", "slow") as at, town(tmp_path, CONFIG, at) as place:
        await asyncio.to_thread(place.bridge.stop)
        await asyncio.to_thread(place.bridge.start, ready=False)
        resource.prlimit(place.bridge.pid, resource.RLIMIT_NOFILE, (256, 256))
        await asyncio.to_thread(place.bridge.wait_ready)
        before = open_files(place)
        at["slow"].badly(slowly(2.0, at["slow"]))
        accepted: set[str] = set()
        refused: Counter[int] = Counter()

        for turn in range(5):
            async with connections(place, 600, DRIPS["bodies"]):
                for number in range(60):
                    name = f"Alert{turn}-{number}"
                    status = await post(place, alert(name))
                    if status == 200:
                        accepted.add(name)
                    else:
                        refused[status] += 1
                assert open_files(place) <= 256 - 64  # the rest is for the database and the channels

        assert set(refused) <= {0, 503}
        await insist(place, alert("AfterThat"))  # the bridge may not have heard yet that the six hundred have gone
        await eventually(lambda: {*accepted, "AfterThat"} <= at["good"].names)
        at["slow"].behave()
        await eventually(lambda: {*accepted, "AfterThat"} <= at["slow"].names, within=90)
        await eventually(lambda: open_files(place) <= before + 8)
        log = place.bridge.log.read_text()
        assert "Too many open files" not in log
        assert "few_open_files" in log
        sys.stderr.write(f"256 open files: {len(accepted)} accepted, turned away {dict(refused)}\n")


def large(name: str) -> bytes:
    """A group of 600 alerts in 9.5 MB."""
    payload = json.loads(alert(name, note="x" * 15_800))
    entry = payload["alerts"][0]
    payload["alerts"] = [{**entry, "labels": {"alertname": name, "n": str(n)}} for n in range(600)]
    return json.dumps(payload).encode()


async def test_many_large_bodies_at_once_stay_within_their_memory(tmp_path: Path) -> None:
    """Sixty requests of 10 MB, a gigabyte of address space less than that: what does not fit is 503, the rest is kept."""
    async with witnesses_of("good", "slow") as at, town(tmp_path, CONFIG, at) as place:
        before = memory(place, "VmRSS")
        room = (memory(place, "VmSize") + 700) * MEBIBYTE
        resource.prlimit(place.bridge.pid, resource.RLIMIT_AS, (room, room))
        bodies = {name: large(name) for name in (f"Large{number}" for number in range(60))}

        answers = dict(zip(bodies, await asyncio.gather(*(post(place, body) for body in bodies.values())), strict=True))

        counted = Counter(answers.values())
        grown = memory(place, "VmHWM") - before
        sys.stderr.write(f"60 bodies of 9.5 MB: {dict(counted)}, +{grown} MiB at most\n")
        assert counted[200] >= 1
        assert set(counted) <= {200, 503, 0}
        assert grown <= 256 * 2
        await insist(place, alert("AfterThat"))
        accepted = {name for name, status in answers.items() if status == 200} | {"AfterThat"}
        await eventually(lambda: accepted <= at["good"].names, within=60)
        assert await asyncio.to_thread(troubles, place.bridge) == {}
