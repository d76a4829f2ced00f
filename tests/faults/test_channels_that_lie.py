"""Channels that lie: an error in a 200, endless answers, a time to wait that nobody waits, redirects.

The oracle is outside: what got a 2xx, and what each receiver saw.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.faults.serving import audit, troubles
from tests.faults.witness import Town, endless_header, flooding, status, town, truncated, witnesses_of
from tests.running_bridge import eventually

LIARS = """
secrets: {allow_plaintext: true}
fallback: home
channels:
  home: {type: webhook, url: "<home>/"}
  good: {type: webhook, url: "<good>/"}
  headers: {type: webhook, url: "<headers>/", timeout: 2s, max_in_flight: 2}
  flood: {type: webhook, url: "<flood>/", timeout: 2s, max_in_flight: 2}
  cut: {type: webhook, url: "<cut>/", timeout: 2s, max_in_flight: 2}
  moved: {type: webhook, url: "<moved>/", max_in_flight: 2}
  never: {type: webhook, url: "<never>/", max_in_flight: 2}
  chat: {type: slack, token: "xoxb-example", channel: "#ops", url: "<chat>", max_in_flight: 2}
receivers: {all: [good, headers, flood, cut, moved, never, chat]}
route: {receiver: all}
"""
NAMES = ("home", "good", "headers", "flood", "cut", "moved", "never", "chat")
MEBIBYTE = 1024


def memory(town: Town) -> int:
    """The most memory that the bridge has had, in KiB."""
    text = Path(f"/proc/{town.bridge.pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0])


async def test_channels_that_lie_cost_little_are_found_out_and_catch_up(tmp_path: Path) -> None:
    async with witnesses_of(*NAMES) as witnesses, town(tmp_path, LIARS, witnesses) as place:
        at, names = place.at, [f"Alert{number}" for number in range(20)]
        at["headers"].badly(endless_header())
        at["flood"].badly(flooding(at["flood"]))
        at["cut"].badly(truncated())
        at["moved"].badly(status(307, Location=at["home"].url + "/elsewhere"))
        at["never"].badly(status(429, Retry_After="1000000000"))
        at["chat"].badly(status(200, b'{"ok": false, "error": "invalid_auth"}', Content_Type="application/json"))
        before = memory(place)

        await place.storm(names)
        await place.all_at("good")
        await eventually(lambda: len(at["headers"].requests) >= 4)  # tried, and tried again
        await eventually(lambda: len(at["flood"].requests) == len(at["cut"].requests) == len(names))
        await eventually(lambda: any("channel never" in text for text in at["home"].notices))
        await eventually(lambda: any("channel chat" in text for text in at["home"].notices))

        assert memory(place) - before < 64 * MEBIBYTE
        assert at["flood"].written < 2**28  # of twenty times a gibibyte; what is written stands in the kernel's buffers
        assert not at["home"].heard  # no redirect was followed
        assert len(at["never"].requests) <= 2  # what was under way when it said so
        assert await asyncio.to_thread(troubles, place.bridge) != {}
        assert not at["headers"].heard
        assert not at["moved"].heard

        for name in ("headers", "moved"):
            at[name].behave()
        at["chat"].badly(status(200, b'{"ok": true, "ts": "1.2", "channel": "C1"}', Content_Type="application/json"))
        posted = len(at["chat"].requests)
        await place.all_at("headers", "moved", within=120)
        await eventually(lambda: len(at["chat"].requests) >= posted + len(names), within=120)

        assert max(at["moved"].copies().values()) == 1
        sent = await asyncio.to_thread(audit, place.bridge, "sent")
        for channel in ("good", "flood", "cut", "moved", "chat"):  # each has its end, once
            assert len([record for record in sent if record["channel"] == channel and record["incident"]]) == len(names)
        assert len(at["never"].requests) <= 2
        for channel in ("chat", "never"):
            opened = [text for text in at["home"].notices if f"channel {channel} does not" in text]
            assert len(opened) == 1
