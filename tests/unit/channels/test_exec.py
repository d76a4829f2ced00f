from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.channels.api import Context, FailureReason, Permanent, Reason, Refused, Retryable, Secret
from bridge.channels.exec import ExecChannel, ExecOptions, find_program
from bridge.channels.registry import ChannelRegistry
from bridge.net import Egress, HttpClient
from tests.contract.channels.messages import HOSTILE, NOW, alert, many, message, resolved

Script = Callable[[str], Path]


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    folder.mkdir()
    return folder


@pytest.fixture
def script(allowed: Path) -> Script:
    """Writes a shell script into the allowed directory."""

    def write(text: str) -> Path:
        path = allowed / "script"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


def channel(*command: object, directory: Path | None = None, **more: object) -> ExecChannel:
    options = ExecOptions.model_validate({"type": "exec", "command": [str(part) for part in command], **more})
    directories = (directory or Path(str(command[0])).parent,)
    return ExecChannel("the-script", options, exec_directories=directories)


def context(http: HttpClient, attempt: int = 1) -> Context:
    return Context(http=http, now=NOW, idempotency_key="key-1", attempt=attempt)


def written(program: Path, ending: str) -> str:
    """What the script wrote into the file beside it; empty if it is not there."""
    path = Path(f"{program}.{ending}")
    return path.read_bytes().decode() if path.exists() else ""


def gone(pid: int) -> bool:
    """A zombie that nobody has reaped yet is gone too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def ended(pid: int) -> bool:
    """Whether the process is gone within two seconds."""
    for _ in range(200):
        if gone(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def number_in(program: Path, ending: str) -> int:
    """The number that the script writes into the file beside it, once it is there."""
    for _ in range(500):
        if (text := written(program, ending)).endswith("\n"):
            return int(text)
        await asyncio.sleep(0.01)
    raise AssertionError(f"{ending} was not written")


def release(program: Path) -> None:
    Path(f"{program}.go").touch()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestWhatTheProgramGets:
    async def test_the_document_on_standard_input_then_its_end(self, script: Script, http: HttpClient) -> None:
        news = replace(message(*many(2), reason=Reason.ESCALATED), note="a note")
        program = script('cat > "$0.json"; echo end >> "$0.json"')
        await channel(program).send(news, context(http))
        text = written(program, "json")
        assert text.endswith("end\n")
        document = json.loads(text.removesuffix("end\n"))
        assert document["version"] == "4"
        assert [one["labels"]["alertname"] for one in document["alerts"]] == ["Alert0001", "Alert0002"]
        assert document["reason"] == "escalated"
        assert document["incident"] == "incident-1"
        assert document["note"] == "a note"

    async def test_five_thousand_alerts_reach_a_slow_reader_whole(self, script: Script, http: HttpClient) -> None:
        program = script('cat > "$0.json"')
        await channel(program).send(message(*many(5000)), context(http))
        assert len(json.loads(written(program, "json"))["alerts"]) == 5000

    async def test_its_environment_is_ours_and_the_options_and_nothing_else(
        self, script: Script, http: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET_OF_THE_BRIDGE", "must not be seen")
        program = script('cat /proc/$$/environ > "$0.env"')
        await channel(program, environment={"TOKEN": "opened"}).send(resolved(), context(http, attempt=3))
        pairs = written(program, "env").rstrip("\0").split("\0")
        found = dict(pair.split("=", 1) for pair in pairs)
        path = found.pop("PATH")
        assert path.startswith("/usr/local/sbin:")
        assert found == {
            "TOKEN": "opened",
            "ALERTBRIDGE_STATUS": "resolved",
            "ALERTBRIDGE_REASON": "resolved",
            "ALERTBRIDGE_INCIDENT": "incident-1",
            "ALERTBRIDGE_RECEIVER": "team.web",
            "ALERTBRIDGE_SOURCE": "alertmanager",
            "ALERTBRIDGE_ROUTE": "payments-critical",
            "ALERTBRIDGE_SEVERITY": "critical",
            "ALERTBRIDGE_CHANNEL": "the-script",
            "ALERTBRIDGE_ATTEMPT": "3",
            "ALERTBRIDGE_IDEMPOTENCY_KEY": "key-1",
            "ALERTBRIDGE_GROUP_KEY": message().dedup,
        }

    async def test_an_option_cannot_change_the_path_by_accident_but_on_purpose(
        self, script: Script, http: HttpClient
    ) -> None:
        program = script('/bin/cat /proc/$$/environ > "$0.env"')
        await channel(program, environment={"PATH": "/opt/bin"}).send(message(), context(http))
        assert "PATH=/opt/bin\0" in written(program, "env")

    async def test_its_arguments_are_the_configurations_word_for_word(self, script: Script, http: HttpClient) -> None:
        program = script('printf "%s|" "$@" > "$0.arguments"')
        hostile = alert(1, team="$(touch /tmp/pwned)")
        await channel(program, "a b", "$HOME", "; ls", "{{ labels.team }}").send(message(hostile), context(http))
        assert written(program, "arguments") == "a b|$HOME|; ls|{{ labels.team }}|"

    @pytest.mark.parametrize("hostile", HOSTILE)
    async def test_text_of_alerts_never_breaks_the_environment(
        self, script: Script, http: HttpClient, hostile: str
    ) -> None:
        program = script('cat > "$0.json"')
        news = replace(message(), severity=hostile * 1000, receiver=hostile, route=hostile)
        assert (await channel(program).send(news, context(http))).detail

    async def test_it_may_leave_standard_input_unread(self, script: Script, http: HttpClient) -> None:
        await channel(script("exec <&-; exit 0")).send(message(*many(5000)), context(http))

    async def test_what_it_prints_is_dropped(
        self, script: Script, http: HttpClient, capfd: pytest.CaptureFixture[str]
    ) -> None:
        receipt = await channel(script("echo hello; yes | head -c 10000000")).send(message(), context(http))
        assert "hello" not in receipt.detail
        assert capfd.readouterr() == ("", "")


class TestHowItEnds:
    async def test_0_is_delivered(self, script: Script, http: HttpClient) -> None:
        receipt = await channel(script("echo a warning >&2; exit 0")).send(message(), context(http))
        assert receipt.data == {}

    async def test_75_is_tried_again(self, script: Script, http: HttpClient) -> None:
        with pytest.raises(Retryable, match="ended with 75: the queue is full") as caught:
            await channel(script("echo the queue is full >&2; exit 75")).send(message(), context(http))
        assert caught.value.reason is FailureReason.TEMPORARY
        assert not caught.value.unknown

    @pytest.mark.parametrize("code", [1, 2, 64, 74, 76, 127, 255])
    async def test_every_other_code_is_for_good(self, script: Script, http: HttpClient, code: int) -> None:
        with pytest.raises(Permanent, match=f"ended with {code}: no such ticket"):
            await channel(script(f"echo no such ticket >&2; exit {code}")).send(message(), context(http))

    async def test_a_signal_from_elsewhere_leaves_it_open(self, script: Script, http: HttpClient) -> None:
        with pytest.raises(Retryable, match="signal 9") as caught:
            await channel(script("kill -KILL $$")).send(message(), context(http))
        assert caught.value.unknown

    async def test_the_last_4_kib_of_standard_error_are_kept(self, script: Script, http: HttpClient) -> None:
        noisy = "yes noise | head -c 3000000 >&2; printf 'the \\033[31mreason\\n' >&2; exit 1"
        with pytest.raises(Permanent) as caught:
            await channel(script(noisy)).send(message(), context(http))
        assert caught.value.detail.endswith("the [31mreason")
        assert 4000 < len(caught.value.detail) <= 4096 + len("it ended with 1: ")


class TestTimeLimit:
    async def test_over_it_term_is_sent_and_the_outcome_is_open(self, script: Script, http: HttpClient) -> None:
        program = script('trap "echo asked >&2; exit 0" TERM; sleep 60 & wait')
        with pytest.raises(Retryable, match="ran too long and was ended: asked") as caught:
            await channel(program, timeout="200ms").send(message(), context(http))
        assert caught.value.reason is FailureReason.TIMEOUT
        assert caught.value.unknown

    async def test_who_ignores_term_is_killed_with_the_whole_group(self, script: Script, http: HttpClient) -> None:
        program = script('trap "" TERM; sleep 60 & echo $! > "$0.child"; wait; sleep 60')
        with pytest.raises(Retryable):
            await channel(program, timeout="300ms").send(message(), context(http))
        assert await ended(await number_in(program, "child"))

    async def test_children_that_ignore_term_go_even_if_their_parent_heeds_it(
        self, script: Script, http: HttpClient
    ) -> None:
        program = script("""sh -c 'trap "" TERM; echo $$ > "$0"; sleep 60' "$0.child" & trap "exit 0" TERM; wait""")
        with pytest.raises(Retryable):
            await channel(program, timeout="300ms").send(message(), context(http))
        assert await ended(await number_in(program, "child"))

    async def test_cancelling_the_attempt_ends_the_program(self, script: Script, http: HttpClient) -> None:
        program = script('trap "" TERM; echo $$ > "$0.pid"; sleep 60; sleep 60')
        sending = asyncio.create_task(channel(program).send(message(), context(http)))
        pid = await number_in(program, "pid")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await ended(pid)

    async def test_who_is_cancelled_is_asked_before_it_is_killed(self, script: Script, http: HttpClient) -> None:
        program = script("""trap 'echo 15 > "$0.heard"; exit 0' TERM; echo $$ > "$0.pid"; sleep 60 & wait""")
        sending = asyncio.create_task(channel(program).send(message(), context(http)))
        await number_in(program, "pid")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await number_in(program, "heard") == 15

    async def test_it_has_ended_when_the_attempt_would_be_cut_off_from_outside(
        self, script: Script, http: HttpClient
    ) -> None:
        program = script('trap "" TERM; sleep 60; sleep 60')
        async with asyncio.timeout(3):
            with pytest.raises(Retryable, match="ran too long"):
                await channel(program, timeout="3s").send(message(), context(http))

    async def test_a_child_left_behind_is_neither_waited_for_nor_ended(self, script: Script, http: HttpClient) -> None:
        program = script('sleep 60 & echo $! > "$0.child"; exit 0')
        began = time.monotonic()
        await channel(program).send(message(*many(5000)), context(http))
        assert time.monotonic() - began < 5
        child = await number_in(program, "child")
        os.kill(child, 9)  # fails if it was ended

    async def test_no_descriptor_is_left_open(self, script: Script, http: HttpClient) -> None:
        slow = channel(script("sleep 60 & echo text >&2; wait"), timeout="50ms")
        counts = []
        for _ in range(4):
            with pytest.raises(Retryable):
                await slow.send(message(), context(http))
            counts.append(open_descriptors())
        assert counts[1:] == counts[:1] * 3


class TestHowManyRun:
    async def test_one_more_than_may_run_is_told_to_come_back(self, script: Script, http: HttpClient) -> None:
        program = script('echo $$ > "$0.pid"; while [ ! -e "$0.go" ]; do sleep 0.02; done')
        one = channel(program, max_running=1)
        first = asyncio.create_task(one.send(message(), context(http)))
        await number_in(program, "pid")
        with pytest.raises(Retryable) as caught:
            await one.send(message(), context(http))
        assert caught.value.reason is FailureReason.BUSY
        assert caught.value.retry_after == 1.0
        release(program)
        await first
        await one.send(message(), context(http))

    def test_no_more_are_claimed_than_may_run(self) -> None:
        def options(**more: object) -> ExecOptions:
            return ExecOptions.model_validate({"type": "exec", "command": ["/bin/true"], **more})

        assert options().max_in_flight == options().max_running == 4
        assert options(max_running=9).max_in_flight == 9
        assert options(max_running=9, max_in_flight=2).max_in_flight == 2


class TestWhichProgramMayRun:
    async def test_one_outside_the_allowed_directories_does_not(
        self, script: Script, http: HttpClient, tmp_path: Path
    ) -> None:
        program = script('echo ran > "$0.ran"')
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with pytest.raises(Refused, match=r"exec\.directories") as caught:
            await channel(program, directory=elsewhere).send(message(), context(http))
        assert caught.value.reason is FailureReason.DESTINATION_GONE
        assert written(program, "ran") == ""

    def test_a_link_counts_as_what_it_points_to(self, allowed: Path) -> None:
        (allowed / "link").symlink_to("/bin/sh")
        with pytest.raises(Refused, match=r"exec\.directories"):
            find_program(str(allowed / "link"), (allowed,))

    def test_a_way_out_through_dots_is_seen(self, allowed: Path) -> None:
        with pytest.raises(Refused, match=r"exec\.directories"):
            find_program(f"{allowed}/../../../../../../../../bin/sh", (allowed,))

    def test_a_directory_whose_name_begins_alike_is_another(self, script: Script, tmp_path: Path) -> None:
        with pytest.raises(Refused):
            find_program(str(script("")), (tmp_path / "allow",))

    def test_a_bare_name_is_looked_up_there_and_only_there(self, script: Script, allowed: Path) -> None:
        program = script("")
        assert find_program("script", (Path("/nowhere"), allowed)) == program.resolve()
        with pytest.raises(Refused, match="no program sh"):
            find_program("sh", (allowed,))

    def test_without_allowed_directories_nothing_runs(self, script: Script) -> None:
        with pytest.raises(Refused, match="allows no directory"):
            find_program(str(script("")), ())

    def test_what_is_not_executable_or_no_file_is_refused(self, script: Script, allowed: Path) -> None:
        program = script("")
        program.chmod(0o644)
        with pytest.raises(Refused, match="not executable"):
            find_program(str(program), (allowed,))
        with pytest.raises(Refused, match="no program"):
            find_program(str(allowed), (allowed,))

    async def test_a_file_that_is_no_program_is_refused(self, allowed: Path, http: HttpClient) -> None:
        program = allowed / "picture"
        program.write_bytes(b"\x89PNG")
        program.chmod(0o755)
        with pytest.raises(Refused, match="cannot be started"):
            await channel(program).send(message(), context(http))

    def test_the_registry_hands_the_directories_over(self, allowed: Path) -> None:
        options = ExecOptions.model_validate({"type": "exec", "command": ["script"]})
        built = ChannelRegistry.load().create("x", options, exec_directories=[allowed])
        assert isinstance(built, ExecChannel)
        assert built._directories == (allowed,)


class TestOptions:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"command": []}, "at least 1"),
            ({"command": [" "]}, "begins with the program"),
            ({"command": "/bin/true --flag"}, "tuple"),
            ({"command": ["/bin/true", "a\0b"]}, "pattern"),
            ({"environment": {"ALERTBRIDGE_STATUS": "x"}}, "set by the channel"),
            ({"environment": {"A=B": "x"}}, "pattern"),
            ({"max_running": 0}, "greater"),
        ],
    )
    def test_what_cannot_work_is_refused(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            ExecOptions.model_validate({"type": "exec", "command": ["/bin/true"], **change})

    def test_values_of_the_environment_are_not_shown(self) -> None:
        given = {"type": "exec", "command": ["/bin/true"], "environment": {"TOKEN": "canary"}}
        options = ExecOptions.model_validate(given)
        assert options.environment["TOKEN"] == Secret("canary")
        assert "canary" not in repr(options) + options.model_dump_json()
