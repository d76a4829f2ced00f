"""Many histories at once through two running programs, which are posted the same at the same moments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

import aiohttp
from msgspec import Struct, field

from tests.compat.alerts import canonical
from tests.compat.history import Alerts, Event, Expire, History, Look, Posted, Silence
from tests.compat.setting import Matcher

_READERS = 4
"""Alertmanager answers 503 to more than so many GET requests at a time, or eight."""


class Seen(Struct, frozen=True):
    """One program's answers to one look: what it says of each alert, and how it groups them."""

    at: float
    alerts: dict[str, tuple[str, frozenset[str], frozenset[str], tuple[str, ...]]]
    """Labels → (state, silences by their keys, fingerprints of inhibitors, receivers)."""
    fingerprints: dict[str, str]
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], frozenset[str]]


class Trace(Struct):
    """What one program answered to one history. `late` is the most seconds between a moment and the end of its request."""

    seen: list[Seen] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    late: float = 0.0


class Client:
    """One program's API v2."""

    def __init__(self, name: str, url: str, session: aiohttp.ClientSession, begin: datetime) -> None:
        self.name = name
        self.traces: dict[str, Trace] = {}
        self._api = f"{url}/api/v2"
        self._session = session
        self._begin = begin
        self._silences: dict[tuple[str, str], str] = {}
        self._reading = asyncio.Semaphore(_READERS)

    async def do(self, history: str, event: Event) -> None:
        trace = self.traces.setdefault(history, Trace())
        try:
            if isinstance(event, Alerts):
                await self._call("POST", "/alerts", [self._alert(posted) for posted in event.alerts])
            elif isinstance(event, Silence):
                await self._silence(history, event, trace)
            elif isinstance(event, Expire):
                await self._call("DELETE", f"/silence/{self._silences[history, event.key]}")
            else:
                async with self._reading:
                    trace.seen.append(await self._look(history, event))
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
            trace.problems.append(f"{self.name}: {type(event).__name__} at {event.at}: {type(error).__name__} {error}")

    async def _call(self, method: str, path: str, body: object = None) -> object:
        async with self._session.request(method, self._api + path, json=body) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise ValueError(f"{answer.status} {text[:200]}")
            return await answer.json() if text.strip() else None

    def _time(self, at: float | None) -> str | None:
        return None if at is None else (self._begin + timedelta(seconds=at)).isoformat(timespec="milliseconds")

    def _alert(self, posted: Posted) -> dict[str, object]:
        times = {"startsAt": self._time(posted.starts), "endsAt": self._time(posted.ends)}
        return {
            "labels": dict(posted.labels),
            "annotations": dict(posted.annotations),
            "generatorURL": "http://prometheus.example/graph",
            **{name: value for name, value in times.items() if value is not None},
        }

    async def _silence(self, history: str, event: Silence, trace: Trace) -> None:
        old = self._silences[history, event.edits] if event.edits else ""
        starts = self._time(event.at if event.starts is None else event.starts)
        if old:  # as clients do: what is edited is first read
            async with self._reading:
                before = await self._call("GET", f"/silence/{old}")
            assert isinstance(before, dict)
            starts = before["startsAt"]
        body: dict[str, object] = {
            "matchers": [_matcher(matcher) for matcher in event.matchers],
            "startsAt": starts,
            "endsAt": self._time(event.ends),
            "createdBy": "compat",
            "comment": event.key,
        }
        answer = await self._call("POST", "/silences", {**body, **({"id": old} if old else {})})
        assert isinstance(answer, dict)
        self._silences[history, event.key] = answer["silenceID"]
        if old:
            trace.kept.append(answer["silenceID"] == old)

    async def _look(self, history: str, event: Look) -> Seen:
        query = "?filter=" + quote(f'history="{history}"')
        alerts, groups = await self._call("GET", f"/alerts{query}"), await self._call("GET", f"/alerts/groups{query}")
        assert isinstance(alerts, list)
        assert isinstance(groups, list)
        names = {identity: key for (_history, key), identity in self._silences.items()}
        return Seen(
            event.at,
            {canonical(alert["labels"]): _state(alert, names) for alert in alerts},
            {alert["fingerprint"]: canonical(alert["labels"]) for alert in alerts},
            {
                (group["receiver"]["name"], tuple(sorted(group["labels"].items()))): frozenset(
                    canonical(alert["labels"]) for alert in group["alerts"]
                )
                for group in groups
            },
        )


def _matcher(matcher: Matcher) -> dict[str, object]:
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": "~" in matcher.operator,
        "isEqual": not matcher.operator.startswith("!"),
    }


def _state(
    alert: dict,
    names: Mapping[str, str],  # type: ignore[type-arg]
) -> tuple[str, frozenset[str], frozenset[str], tuple[str, ...]]:
    status = alert["status"]
    return (
        status["state"],
        frozenset(names.get(identity, identity) for identity in status["silencedBy"]),
        frozenset(status["inhibitedBy"]),
        tuple(receiver["name"] for receiver in alert["receivers"]),
    )


async def play(histories: Mapping[str, History], clients: Iterable[Client], begin: float) -> None:
    """Post every event to every program at its moment. `begin` is the event loop's time of the beginning."""
    loop = asyncio.get_running_loop()
    clients = list(clients)

    async def tell(client: Client, name: str, event: Event) -> None:
        await client.do(name, event)
        trace = client.traces[name]
        trace.late = max(trace.late, loop.time() - begin - event.at)

    moments = sorted(
        ((event.at, name, event) for name, history in histories.items() for event in history.events),
        key=lambda moment: moment[:2],
    )
    async with asyncio.TaskGroup() as tasks:
        for at, name, event in moments:
            await asyncio.sleep(max(0.0, begin + at - loop.time()))
            for client in clients:
                tasks.create_task(tell(client, name, event))
    await asyncio.sleep(max(0.0, begin + max(history.end for history in histories.values()) - loop.time()))
