"""What the benchmarks rest on: databases made as a bridge would have made them, a sink that misses nothing, fair judgement."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench import fill
from bench.lines import line, ratio
from bench.processes import WEBHOOK
from bench.sink import Receiver, Tally
from tests.running_bridge import BridgeProcess, bridge_process

CONFIG = f"""
server: {{listen: "127.0.0.1:PORT"}}
storage: {{url: "sqlite:FOLDER/bridge.db"}}
channels:
  sink: {WEBHOOK % "http://127.0.0.1:9/"}
route: {{receiver: sink}}
"""


def count(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(folder / "bridge.db")) as connection:
        found: int = connection.execute(query).fetchone()[0]
        return found


def test_a_made_past_is_one_that_a_bridge_verifies_and_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "_RECORDS", 10)
    fill.history(tmp_path, 30, 200)
    assert count(tmp_path, "SELECT count(*) FROM audit") > 200
    assert count(tmp_path, "SELECT count(*) FROM incidents WHERE state = 'open'") == 30
    assert count(tmp_path, "SELECT count(*) FROM deliveries WHERE state = 'sent'") == 30
    with bridge_process(tmp_path, CONFIG.replace("FOLDER", str(tmp_path))) as running:
        assert running.post("/webhook", {"version": "4", "alerts": []})[0] == 200
    verified = BridgeProcess(tmp_path, 0).command("audit", "verify", "--config", "routes")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_made_backlog_waits_to_be_planned_and_is_planned(tmp_path: Path) -> None:
    fill.backlog(tmp_path, 40)
    assert count(tmp_path, "SELECT count(*) FROM requests WHERE state = 'pending'") == 40
    with bridge_process(tmp_path, CONFIG.replace("FOLDER", str(tmp_path))) as running:
        answered, _body = running.post("/webhook", {"version": "4", "alerts": []})
        assert answered == 200
    assert count(tmp_path, "SELECT count(*) FROM requests WHERE state = 'poisoned'") == 0


class Transport:
    """Takes what is answered."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data


def body(at: int) -> bytes:
    return b'{"annotations":{"sent_at":"%d"}}' % at


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_the_sink_counts_requests_in_whatever_pieces_and_framing_they_come(piece: int) -> None:
    tally, transport = Tally(), Transport()
    receiver = Receiver(tally)
    receiver.connection_made(transport)  # type: ignore[arg-type]
    first, second, third = body(1), body(2), body(2)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (second[:5], second[5:])) + b"0\r\n\r\n"
    sent = (
        b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(first), first)
        + b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        + b"POST / HTTP/1.1\r\ncontent-length:%d\r\n\r\n%b" % (len(third), third)
    )  # fmt: skip
    for place in range(0, len(sent), piece):
        receiver.data_received(sent[place : place + piece])
    assert transport.written.count(b"200 OK") == tally.count == 3
    assert tally.told()["distinct"] >= 1


def test_a_ratio_is_judged_where_there_is_one_and_a_figure_where_there_is_none() -> None:
    assert line("p", "m", 3.0, "ms", beside=2.0, most=1.4).met is False
    assert line("p", "m", 3.0, "ms", beside=2.0, ratio=1.3, most=1.4).met is True
    assert line("p", "m", 30.0, "ms", most=25.0).met is False
    assert line("p", "m", 2.0, "1/s", beside=2.0, above=1.0).met is False
    assert line("p", "m", 2.0, "1/s", beside=2.0, least=1.0).met is True
    assert line("p", "m", 2.0, "1/s").met is None


def test_the_ratio_of_rounds_is_the_median_of_theirs() -> None:
    rounds = [({"x": 1.0}, {"x": 2.0}), ({"x": 30.0}, {"x": 20.0}), ({"x": 9.0}, {"x": 10.0})]
    assert ratio(rounds, "x") == 0.9
