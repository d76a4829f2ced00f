"""Workflows whose code does what it should not."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from bridge import Action, Hook, Plugin
from bridge.channels.api import Channel, FailureReason, Permanent, Receipt, Refused, Retryable
from bridge.channels.workflow import WorkflowChannel, WorkflowOptions
from bridge.domain.errors import ChannelError, ConfigError
from bridge.net import HttpClient
from bridge.workflows.threads import left_behind, left_behind_ever
from tests.contract.channels.messages import alert, message
from tests.running_bridge import eventually
from tests.unit.channels.sending import context

Do = Callable[[dict[str, Any]], object]


class Does(Plugin):
    def __init__(self, do: Do) -> None:
        self.do = do

    def execute(self, context: Mapping[str, Any]) -> object:
        assert isinstance(context, dict)
        return self.do(context)


def workflow(*does: Do, name: str = "", **options: object) -> WorkflowChannel:
    """Each with a name of its own: threads are counted by name over the whole process."""
    actions = tuple(Action(f"step-{number}", Does(do)) for number, do in enumerate(does, start=1))
    return of_actions(*actions, name=name, **options)


def of_actions(*actions: Action, name: str = "", **options: object) -> WorkflowChannel:
    name = name or f"W{uuid4().hex}"
    return WorkflowChannel(
        name, WorkflowOptions.model_validate({"type": "workflow", **options}), workflows={name: actions}
    )


async def attempt(http: HttpClient, channel: Channel, number: int = 1, key: str = "key-1") -> Receipt | ChannelError:
    try:
        return await channel.send(message(), context(http, key=key, attempt=number))
    except ChannelError as error:
        return error


def raising(error: BaseException) -> Do:
    def do(_context: dict[str, Any]) -> object:
        raise error

    return do


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end, so that no thread outlives its test by much."""
    event = threading.Event()
    yield event
    event.set()


async def test_the_actions_are_done_in_order_in_one_thread_that_is_not_the_loops(http: HttpClient) -> None:
    seen: list[tuple[str, str]] = []

    def note(word: str) -> Do:
        return lambda _context: seen.append((word, threading.current_thread().name))

    channel = workflow(note("a"), note("b"), note("c"))
    assert await attempt(http, channel) == Receipt(detail="3 actions done")
    assert [word for word, _ in seen] == ["a", "b", "c"]
    assert {thread for _, thread in seen} == {f"workflow {channel.workflow}"}


async def test_a_coroutine_is_waited_for(http: HttpClient) -> None:
    class Waits(Hook):
        async def execute(self, context: Mapping[str, Any]) -> None:
            await asyncio.sleep(0)
            seen.append(context["reason"])

    seen: list[str] = []
    await of_actions(Action("waits", Waits())).send(message(), context(http))
    assert seen == ["opened"]


async def test_a_coroutine_that_takes_too_long_is_cancelled_and_leaves_no_thread(http: HttpClient) -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    channel = workflow(lambda _context: forever(), timeout="2s")
    failure = await attempt(http, channel)
    assert isinstance(failure, Retryable)
    assert (failure.reason, failure.unknown) == (FailureReason.TIMEOUT, True)
    assert cancelled.is_set()
    assert channel.workflow not in left_behind_ever()


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseException("base"),
        StopIteration(),
        TimeoutError(),
        RecursionError(),
    ],
    ids=repr,
)
async def test_whatever_is_raised_is_a_failed_attempt(http: HttpClient, error: BaseException) -> None:
    failure = await attempt(http, workflow(raising(error)))
    assert type(failure) is Retryable
    assert (failure.reason, failure.unknown) == (FailureReason.PLUGIN_ERROR, False)
    assert f"the action 'step-1': {type(error).__name__}" in failure.detail
    assert failure.__cause__ is failure.__context__ is None


async def test_what_a_coroutine_raises_is_a_failed_attempt_too(http: HttpClient) -> None:
    async def leave() -> None:
        raise SystemExit(2)

    failure = await attempt(http, workflow(lambda _context: leave()))
    assert type(failure) is Retryable
    assert "SystemExit: 2" in failure.detail


async def test_an_error_without_a_text_is_told_by_its_type(http: HttpClient) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise SystemExit

    failure = await attempt(http, workflow(raising(MuteError())))
    assert type(failure) is Retryable
    assert "MuteError: its text raised SystemExit" in failure.detail


async def test_an_endless_error_text_is_cut(http: HttpClient) -> None:
    failure = await attempt(http, workflow(raising(ValueError("x\n" * 1_000_000))))
    assert isinstance(failure, Retryable)
    assert len(failure.detail) < 600
    assert "\n" not in failure.detail


@pytest.mark.parametrize(
    "verdict",
    [
        Permanent(FailureReason.TOO_LARGE, "no"),
        Refused(FailureReason.UNAUTHORIZED, "no"),
        Retryable(FailureReason.RATE_LIMITED, "no", retry_after=7.0, unknown=True),
    ],
)
async def test_a_verdict_of_the_action_stands(http: HttpClient, verdict: ChannelError) -> None:
    failure = await attempt(http, workflow(raising(verdict)))
    assert type(failure) is type(verdict)
    assert (failure.reason, failure.detail) == (verdict.reason, "the action 'step-1': no")
    assert getattr(failure, "retry_after", None) == getattr(verdict, "retry_after", None)
    assert getattr(failure, "unknown", None) == getattr(verdict, "unknown", None)


async def test_a_verdict_full_of_garbage_is_a_failed_attempt(http: HttpClient) -> None:
    class Odd(Retryable):
        def __init__(self) -> None:
            Exception.__init__(self)
            self.reason = self.detail = self.retry_after = self.unknown = object()  # type: ignore[assignment]

    failure = await attempt(http, workflow(raising(Odd())))
    assert type(failure) is Retryable
    assert failure.reason is FailureReason.PLUGIN_ERROR


@pytest.mark.parametrize(
    "garbage", [None, 1, object(), b"\xff", [1], iter(()), type, NotImplemented], ids=lambda each: type(each).__name__
)
async def test_what_an_action_returns_is_not_looked_at(http: HttpClient, garbage: object) -> None:
    assert isinstance(await attempt(http, workflow(lambda _context: garbage)), Receipt)


async def test_an_awaitable_of_another_loop_is_a_failed_attempt(http: HttpClient) -> None:
    future = asyncio.get_running_loop().create_future()
    assert isinstance(await attempt(http, workflow(lambda _context: future, timeout="3s")), Retryable)


async def test_later_actions_are_not_done_and_the_next_attempt_goes_on_with_the_one_that_failed(
    http: HttpClient,
) -> None:
    done: list[str] = []

    def first(context: dict[str, Any]) -> None:
        done.append("first")
        context["ticket"] = 17

    def second(context: dict[str, Any]) -> None:
        done.append(f"second {context['ticket']} {context['attempt']}")
        if context["attempt"] < 3:
            raise ConnectionError("not yet")

    channel = workflow(first, second, lambda _context: done.append("third"))
    assert isinstance(await attempt(http, channel, 1), Retryable)
    assert isinstance(await attempt(http, channel, 2), Retryable)
    assert isinstance(await attempt(http, channel, 3), Receipt)
    assert done == ["first", "second 17 1", "second 17 2", "second 17 3", "third"]
    assert isinstance(await attempt(http, channel, 3, key="key-2"), Receipt)
    assert done[5:] == ["first", "second 17 3", "third"]
    assert not channel._progress


async def test_what_is_remembered_of_failed_deliveries_is_bounded(http: HttpClient) -> None:
    channel = workflow(raising(ValueError()))
    for number in range(1100):
        channel._progress_of(str(number))
    assert isinstance(await attempt(http, channel), Retryable)
    assert len(channel._progress) == 1000


async def test_the_context_is_plain_and_each_attempt_has_its_own(http: HttpClient) -> None:
    seen: list[dict[str, Any]] = []

    def spoil(context: dict[str, Any]) -> None:
        seen.append(json.loads(json.dumps(context)))
        context["alerts"].clear()
        context["labels"]["alertname"] = "spoilt"
        context.clear()

    news = message(alert(1), alert(2))
    channel = workflow(spoil, lambda _context: None)
    await channel.send(news, context(http))
    await channel.send(news, context(http, key="key-2", attempt=2))
    first, second = seen
    assert first["message"] == {"title": news.title, "text": news.text, "note": ""}
    assert [entry["name"] for entry in second["alerts"]] == ["Alert0001", "Alert0002"]
    assert second["labels"] == dict(news.common_labels)
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert (first["idempotency_key"], second["idempotency_key"]) == ("key-1", "key-2")
    assert first["incident"]["id"] == "incident-1"
    assert first["now"] == "2026-03-01T10:05:00Z"


async def test_the_message_as_a_text_is_all_of_it(http: HttpClient) -> None:
    seen: list[str] = []
    await attempt(http, workflow(lambda context: seen.append(f"{context['message']}")))
    assert seen == [f"{message().title}\n{message().text}"]


async def test_a_thread_that_never_ends_is_left_behind_and_counted_until_it_does(
    http: HttpClient, release: threading.Event
) -> None:
    done: list[str] = []

    def hang(_context: dict[str, Any]) -> None:
        release.wait(60)

    channel = workflow(hang, lambda _context: done.append("after"), timeout="200ms")
    failure = await attempt(http, channel)
    assert isinstance(failure, Retryable)
    assert (failure.reason, failure.unknown) == (FailureReason.TIMEOUT, True)
    assert "the action 'step-1' did not end within" in failure.detail
    assert left_behind()[channel.workflow] == 1
    release.set()
    await eventually(lambda: left_behind()[channel.workflow] == 0)
    assert left_behind_ever()[channel.workflow] == 1
    assert done == []


async def test_a_cancelled_attempt_leaves_its_thread_behind(http: HttpClient, release: threading.Event) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_context: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(began.set)
        release.wait(60)

    channel = workflow(hang)
    task = asyncio.create_task(attempt(http, channel))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_behind()[channel.workflow] == 1


async def test_a_workflow_that_hangs_again_and_again_gets_no_more_threads_and_others_go_on(
    http: HttpClient, release: threading.Event
) -> None:
    hanging = workflow(lambda _context: release.wait(60), timeout="100ms", max_in_flight=2)
    before = threading.active_count()
    outcomes = [await attempt(http, hanging, key=str(number)) for number in range(6)]
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Retryable)]
    assert reasons == [FailureReason.TIMEOUT] * 2 + [FailureReason.BUSY] * 4
    assert threading.active_count() - before <= 2
    again = workflow(lambda _context: None, name=hanging.workflow, max_in_flight=2)  # as after a reload
    assert isinstance(await attempt(http, again), Retryable)
    others = [workflow(lambda _context: None) for _ in range(20)]
    assert all(isinstance(given, Receipt) for given in await asyncio.gather(*(attempt(http, one) for one in others)))
    release.set()
    await eventually(lambda: left_behind()[hanging.workflow] == 0)
    assert isinstance(await attempt(http, again), Receipt)


async def test_an_endless_loop_does_not_hold_the_event_loop(http: HttpClient, release: threading.Event) -> None:
    def spin(_context: dict[str, Any]) -> None:
        while not release.is_set():
            pass

    channel = workflow(spin, timeout="300ms")
    began = time.monotonic()
    spinning = asyncio.create_task(attempt(http, channel))
    assert isinstance(await attempt(http, workflow(lambda _context: None)), Receipt)
    failure = await spinning
    assert isinstance(failure, Retryable)
    assert failure.reason is FailureReason.TIMEOUT
    assert time.monotonic() - began < 60


async def test_a_coroutine_that_never_yields_is_left_behind_too(http: HttpClient, release: threading.Event) -> None:
    async def block() -> None:
        release.wait(60)

    channel = workflow(lambda _context: block(), timeout="200ms")
    failure = await attempt(http, channel)
    assert isinstance(failure, Retryable)
    assert left_behind()[channel.workflow] == 1


async def test_a_system_without_threads_is_a_failed_attempt(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    failure = await attempt(http, workflow(lambda _context: None))
    assert isinstance(failure, Retryable)
    assert failure.reason is FailureReason.BUSY


async def test_what_looks_like_a_credential_is_known_as_one(http: HttpClient) -> None:
    class Speaks(Plugin):
        def __init__(self) -> None:
            self.webhook_url = "https://chat.example/services/T0/B0"
            self.headers = {"Authorization": "Bearer canary-1", "Accept": "application/json"}
            self.password = "canary-2"
            self.pin_key = "1"
            self.subject = "Disk full"
            self.tokens = ["canary-3", 4]

        def execute(self, context: Mapping[str, Any]) -> None: ...

    revealed = {secret.reveal() for secret in of_actions(Action("speaks", Speaks())).secrets}
    assert revealed == {"https://chat.example/services/T0/B0", "Bearer canary-1", "canary-2", "canary-3"}


def test_a_workflow_that_is_not_there_cannot_be_built() -> None:
    with pytest.raises(ConfigError, match="there is no workflow 'Missing'"):
        WorkflowChannel("x", WorkflowOptions(type="workflow", workflow="Missing"), workflows={})
