"""How a bridge starts, follows its configuration, and ends: as a process, with real files and signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from tests.faults.receiver import Receiver, receiving
from tests.faults.serving import (
    MAIN,
    alert,
    ask,
    audit,
    bridge_of,
    ended,
    metric,
    post,
    refused,
    troubles,
    until,
    verified,
    write_main,
)
from tests.running_bridge import BridgeProcess

BAD = MAIN.replace("receiver: sink", "receiver: nobody")
TEAM = 'channels:\n  team: {type: webhook, url: "SINK/team"}\nroutes:\n  - {receiver: team, matchers: [\'team="t"\']}\n'


def kinds(bridge: BridgeProcess) -> list[str]:
    return [record["kind"] for record in audit(bridge)]


def with_port(text: str, bridge: BridgeProcess) -> str:
    return text.replace("PORT", str(bridge.port))


def test_a_second_bridge_on_the_same_file_refuses_and_names_the_first(tmp_path: Path, receiver: Receiver) -> None:
    """Commands that read work beside the first; its lock is free as soon as it is killed."""
    with bridge_of(tmp_path, MAIN, receiver.url) as first:
        assert post(first, "A").status == 200
        code, error = refused(first)
        assert code == 3
        assert f"bridge.db.lock is locked by process {first.pid}" in error
        assert "storage.url" in error
        assert "Traceback" not in error

        assert "received" in kinds(first)
        verified(first)
        assert post(first, "B").status == 200

        first.kill()
        first.start()
        until(lambda: receiver.names() == {"A", "B"})
        assert first.stop() == 0


class Load:
    """Posts alerts over and over from several threads; keeps what was accepted."""

    def __init__(self, bridge: BridgeProcess) -> None:
        self.accepted: set[str] = set()
        self.odd: list[int] = []
        self._bridge = bridge
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(6)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            name = f"L{number}x{count}"
            status = post(self._bridge, name).status
            if status == 200:
                self.accepted.add(name)
            elif status not in {0, 503}:
                self.odd.append(status)
            count += 1


def test_sigterm_under_load_loses_nothing_and_signs_the_end(tmp_path: Path, receiver: Receiver) -> None:
    with bridge_of(tmp_path, MAIN, receiver.url) as bridge:
        with Load(bridge) as load:
            until(lambda: len(load.accepted) > 60)
            assert bridge.stop() == 0
        assert load.odd == []
        records = audit(bridge)
        assert records[-1]["kind"] == "stopped"
        assert f"signed through record {records[-1]['seq']}" in verified(bridge)
        head = (tmp_path / "bridge.db.audit-head").read_text()
        assert f" {records[-1]['seq']} " in head

        bridge.start()
        until(lambda: load.accepted <= receiver.names())
        assert bridge.stop() == 0


def test_a_second_sigterm_ends_at_once(tmp_path: Path) -> None:
    """The first waits for an attempt that hangs; the second does not. What was accepted is still there."""
    hanging = threading.Event()

    class Hanging(Receiver):
        def finish_request(self, request: object, client_address: object) -> None:
            del request, client_address
            hanging.set()
            hanging_over.wait(20)

    hanging_over = threading.Event()
    server = Hanging()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with bridge_of(tmp_path, MAIN, server.url) as bridge:
            assert post(bridge, "A").status == 200
            assert hanging.wait(10)
            bridge.signal(signal.SIGTERM)
            until(lambda: '"stopping"' in bridge.log.read_text())
            bridge.signal(signal.SIGTERM)
            assert ended(bridge, 3) == 1
    finally:
        hanging_over.set()
        server.shutdown()
        thread.join()
        server.server_close()
    with receiving() as receiver, bridge_of(tmp_path, MAIN, receiver.url) as bridge:
        until(lambda: receiver.names() == {"A"})


def test_a_sighup_during_the_start_does_not_end_it_and_a_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    """Supervisors signal when they like. The lock file appears when the start is half done."""
    with bridge_of(tmp_path, MAIN, "http://127.0.0.1:9", start=False) as bridge:
        bridge.start(ready=False)
        until((tmp_path / "bridge.db.lock").exists)
        bridge.signal(signal.SIGHUP)
        bridge.wait_ready()
        assert bridge.stop() == 0
        (tmp_path / "bridge.db.lock").unlink()
        bridge.start(ready=False)
        until((tmp_path / "bridge.db.lock").exists)
        assert bridge.stop() == 0
        assert kinds(bridge)[-1] == "stopped"


def test_a_new_configuration_is_in_force_without_a_restart_however_it_comes(tmp_path: Path, receiver: Receiver) -> None:
    """A changed file, a signal, a request, and links that are swapped as Kubernetes does."""
    with bridge_of(tmp_path, MAIN, f"{receiver.url}/start") as bridge:
        for number, way in enumerate(("file", "signal", "request", "configmap"), start=2):
            text = with_port(MAIN.replace("SINK", f"{receiver.url}/{way}"), bridge)
            if way == "configmap":
                as_configmap(tmp_path / "routes", (tmp_path / "routes" / "main.yml").read_text(), "one")
                as_configmap(tmp_path / "routes", text, "two")
            else:
                write_main(tmp_path, text)
            if way == "signal":
                bridge.signal(signal.SIGHUP)
            if way == "request":
                assert ask(bridge, "POST", "/-/reload").status == 200
            until(lambda number=number: loads(bridge) == number)
            assert post(bridge, way).status == 200
            until(lambda way=way: receiver.names(f"/{way}/") == {way})
        assert bridge.stop() == 0
        verified(bridge)


def loads(bridge: BridgeProcess) -> int:
    """How many configurations have been in force, read from the database beside the running bridge."""
    with closing(sqlite3.connect(f"file:{bridge.folder}/bridge.db?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM audit WHERE kind = 'config_loaded'").fetchone()[0])


def as_configmap(folder: Path, text: str, generation: str) -> None:
    """The way Kubernetes mounts it: links into `..data`, which is swapped by a rename."""
    (folder / f"..{generation}").mkdir()
    (folder / f"..{generation}" / "main.yml").write_text(text)
    (folder / "..data_tmp").symlink_to(f"..{generation}")
    os.replace(folder / "..data_tmp", folder / "..data")  # noqa: PTH105 - the link itself, not what it leads to
    if not (folder / "main.yml").is_symlink():
        (folder / "main.yml").unlink()
        (folder / "main.yml").symlink_to("..data/main.yml")


def test_a_bad_main_file_changes_nothing_and_is_seen_everywhere_until_a_good_one_comes(
    tmp_path: Path, receiver: Receiver
) -> None:
    with bridge_of(tmp_path, MAIN, receiver.url) as bridge:
        write_main(tmp_path, with_port(BAD, bridge), receiver.url)
        answer = ask(bridge, "POST", "/-/reload")
        assert answer.status == 500
        assert "nobody" in answer.body
        assert "main.yml:6" in troubles(bridge)["config_refused"]
        assert metric(bridge, "alertbridge_config_last_reload_successful") == 0
        assert "nobody" in next(record["detail"] for record in audit(bridge, "config_refused"))
        assert post(bridge, "A").status == 200
        until(lambda: receiver.names() == {"A"})

        write_main(tmp_path, with_port(MAIN, bridge), receiver.url)
        assert ask(bridge, "POST", "/-/reload").status == 200
        assert troubles(bridge) == {}
        assert metric(bridge, "alertbridge_config_last_reload_successful") == 1
        assert bridge.stop() == 0

        write_main(tmp_path, with_port(BAD, bridge), receiver.url)
        code, error = refused(bridge)
        assert code == 1
        assert "main.yml:6" in error


def test_a_team_file_that_broke_while_the_bridge_was_down_is_in_force_as_it_was(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Its last good text stands in, the fallback hears of it once, and `--strict` would not have it."""
    main = MAIN.replace("route:", "  people: {type: webhook, url: SINK/people}\nfallback: people\nroute:")
    with bridge_of(tmp_path, main, receiver.url, start=False) as bridge:
        team = tmp_path / "routes" / "team.yml"
        team.write_text(TEAM.replace("SINK", receiver.url))
        bridge.start()
        assert bridge.stop() == 0
        team.write_text("channels: {team: {type: webhook, urll: x}}")

        code, error = refused(bridge, "--strict")
        assert code == 1
        assert "team.yml:1" in error

        bridge.start()
        assert post(bridge, "A", team="t").status == 200
        until(lambda: receiver.names("/team") == {"A"})
        assert "file_refused routes/team.yml" in {name.replace(f"{tmp_path}/", "") for name in troubles(bridge)}
        until(lambda: receiver.told.get("/people"))
        assert bridge.stop() == 0
        assert receiver.told["/people"] == ["AlertbridgeNotice"]


def test_a_sealed_secret_that_does_not_open_parks_its_channel_alone_until_the_keyring_comes(
    tmp_path: Path, receiver: Receiver
) -> None:
    with bridge_of(tmp_path, MAIN, receiver.url, start=False) as bridge:
        assert bridge.command("secrets", "keygen", "--keyring", "keyring.json").returncode == 0
        words = ["secrets", "seal", "--for", "channels/locked/signing_secret", "--config", "routes"]
        keyring = MAIN + "secrets: {keyring: keyring.json}\n"
        write_main(tmp_path, with_port(keyring, bridge), receiver.url)
        sealed = bridge.command(*words, stdin="whsec_dGhlIGtleSBvZiB0aGUgcmVjZWl2ZXI=")
        assert sealed.returncode == 0, sealed.stderr
        (tmp_path / "keyring.json").rename(tmp_path / "elsewhere.json")
        channel = f'  locked: {{type: webhook, url: "SINK/locked", signing_secret: "{sealed.stdout.strip()}"}}\n'
        text = keyring.replace(
            "route: {receiver: sink}", channel + "receivers: {both: [sink, locked]}\nroute: {receiver: both}"
        )
        write_main(tmp_path, with_port(text, bridge), receiver.url)
        bridge.start()
        assert post(bridge, "A").status == 200
        until(lambda: receiver.names() == {"A"})
        until(lambda: "deliveries_parked locked" in troubles(bridge))
        assert "channel_unusable locked" in troubles(bridge)
        assert receiver.names("/locked") == set()

        (tmp_path / "elsewhere.json").rename(tmp_path / "keyring.json")
        until(lambda: receiver.names("/locked") == {"A"})
        until(lambda: troubles(bridge) == {})
        assert {"parked", "unparked"} <= set(kinds(bridge))
        assert bridge.stop() == 0
        verified(bridge)


def test_a_missing_variable_parks_its_channel_alone_and_a_start_with_it_sends_what_waited(
    tmp_path: Path, receiver: Receiver
) -> None:
    channel = '  locked: {type: webhook, url: "SINK/locked", bearer: "env:TOKEN_OF_LOCKED"}\n'
    text = MAIN.replace(
        "route: {receiver: sink}", channel + "receivers: {both: [sink, locked]}\nroute: {receiver: both}"
    )
    with bridge_of(tmp_path, text, receiver.url) as bridge:
        assert post(bridge, "A").status == 200
        until(lambda: receiver.names() == {"A"})
        until(lambda: "deliveries_parked locked" in troubles(bridge))
        assert "TOKEN_OF_LOCKED" in troubles(bridge)["channel_unusable locked"]
        assert bridge.stop() == 0

        bridge._environment["TOKEN_OF_LOCKED"] = "opens"
        bridge.start()
        until(lambda: receiver.names("/locked") == {"A"})
        assert receiver.told["/locked"] == ["A"]
        assert troubles(bridge) == {}
        assert bridge.stop() == 0


def test_a_source_whose_proof_cannot_be_opened_is_closed_alone_and_opens_with_its_secret(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Its senders are told to try again, the others are served, and whoever asks for troubles hears of it."""
    token = tmp_path / "token"
    sources = f'{{am: {{type: alertmanager, auth: {{bearer: "file:{token}"}}}}, default: {{}}}}'
    with bridge_of(tmp_path, MAIN + f"sources: {sources}\n", receiver.url) as bridge:
        assert ask(bridge, "POST", "/webhook/am", alert("A")).status == 503
        assert post(bridge, "B").status == 200
        until(lambda: receiver.names() == {"B"})
        assert "source_closed am" in troubles(bridge)

        token.write_text("test-key-of-the-source")
        assert ask(bridge, "POST", "/-/reload").status == 200
        assert ask(bridge, "POST", "/webhook/am", alert("A")).status == 401
        assert troubles(bridge) == {}


@pytest.mark.parametrize("how", ["older", "deleted"])
def test_a_database_that_is_not_the_one_that_was_signed_is_used_and_said_to_be_restored(
    tmp_path: Path, receiver: Receiver, how: str
) -> None:
    """Taking alerts goes before everything; that history is missing is told, recorded and found by `audit verify`."""
    main = MAIN.replace("route:", "  people: {type: webhook, url: SINK/people}\nfallback: people\nroute:")
    database = tmp_path / "bridge.db"
    with bridge_of(tmp_path, main, receiver.url) as bridge:
        assert post(bridge, "A").status == 200
        assert bridge.stop() == 0
        older = database.read_bytes()
        bridge.start()
        assert post(bridge, "B").status == 200
        until(lambda: receiver.names() == {"A", "B"})
        assert bridge.stop() == 0

        if how == "older":
            database.write_bytes(older)
        else:
            database.unlink()
        bridge.start()
        assert "audit-head" in troubles(bridge)["database_restored bridge.db"]
        assert len(audit(bridge, "restored")) == 1
        assert post(bridge, "C").status == 200
        until(lambda: "C" in receiver.names())
        until(lambda: any("restored" in summary for summary in receiver.summaries))
        assert bridge.stop() == 0
        bridge.start()
        assert troubles(bridge) == {}


def test_a_damaged_database_refuses_the_start_and_is_not_replaced(tmp_path: Path) -> None:
    with bridge_of(tmp_path, MAIN, "http://127.0.0.1:9") as bridge:
        assert bridge.stop() == 0
        damaged = (tmp_path / "bridge.db").read_bytes()[:9000]
        (tmp_path / "bridge.db").write_bytes(damaged)
        code, error = refused(bridge)
        assert code == 3
        assert "bridge.db" in error
        assert "malformed" in error
        assert (tmp_path / "bridge.db").read_bytes() == damaged


def test_an_address_that_is_in_use_refuses_the_start_and_is_named(tmp_path: Path) -> None:
    with bridge_of(tmp_path, MAIN, "http://127.0.0.1:9") as bridge:
        other = (tmp_path / "routes" / "main.yml").read_text().replace("bridge.db", "other.db")
        (tmp_path / "routes" / "main.yml").rename(tmp_path / "main.kept")
        (tmp_path / "routes" / "main.yml").write_text(other)
        code, error = refused(bridge)
        assert code == 3
        assert str(bridge.port) in error
        assert "in use" in error
        assert "Traceback" not in error


def test_send_works_and_fails_with_a_clear_text(tmp_path: Path, receiver: Receiver) -> None:
    locked = '  locked: {type: webhook, url: "SINK/", bearer: "env:NO_SUCH_TOKEN"}\nroute:'
    with bridge_of(tmp_path, MAIN.replace("route:", locked), receiver.url, start=False) as bridge:
        sent = bridge.command("send", "sink", "--config", "routes")
        assert (sent.returncode, sent.stderr) == (0, "")
        assert sent.stdout.startswith("sink: sent")
        assert receiver.told["/"] == ["AlertbridgeTest"]
        assert "TEST" in receiver.summaries[0]

        for channel, words in {"nobody": ("no such channel", "sink"), "locked": ("NO_SUCH_TOKEN",)}.items():
            failed = bridge.command("send", channel, "--config", "routes")
            assert failed.returncode == 1
            assert all(word in failed.stderr for word in words), failed.stderr
            assert "Traceback" not in failed.stderr

        receiver.closed = True
        failed = bridge.command("send", "sink", "--config", "routes")
        assert failed.returncode == 1
        assert "503" in failed.stderr
        assert not (tmp_path / "bridge.db").exists()
