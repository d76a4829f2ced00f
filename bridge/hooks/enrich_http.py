"""A question to a service, for `enrich`: one GET for each alert, answered in JSON.

The host is fixed by the configuration; alert data is only ever quoted into path and query. Answers are kept for a
while, "unknown" (404, 410) too, and failures for a few seconds, so that a service that is down costs one timeout and
not one for each alert.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.domain.errors import BridgeError, ConfigError
from bridge.domain.options import Duration
from bridge.domain.secret import PlainAllowed, Secret
from bridge.hooks.enrich_lookup import NOTHING, Found
from bridge.hooks.enrich_names import NAMES, checked_template, label_name
from bridge.net import HttpClient, outcome_of
from bridge.templates import TemplateFailed, Templates

FAILURE_KEPT = timedelta(seconds=10)
"""How long a failure answers for the same URL."""
_AT_ONCE = 8
_MAX_URL = 4096
_DOTS = frozenset({".", ".."})
_UNKNOWN = frozenset({404, 410})
_REFERENCE = re.compile(r"(sealed|env|file|credential):")
_AUTHORITY = re.compile(r"https?://(?P<host>[^/?#\\{}@\s]+)(?:[/?#].*)?", re.DOTALL)


class _NothingToAsk(Exception):  # noqa: N818 - reads as the event it is
    pass


def _quoted(text: str) -> str:
    """An alert's value as one piece of a URL. An empty one would ask a different question."""
    if not text:
        raise _NothingToAsk
    return quote(text, safe="")


URLS = Templates(encode=_quoted)


class HttpOptions(BaseModel):
    """`http: {url: "https://cmdb.example/hosts/{{ labels.instance }}", labels: {team: owner.team}}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="a template; every expression in it is quoted")
    headers: dict[str, Annotated[Secret, PlainAllowed()]] = Field(default={}, description="sent with every request")
    labels: dict[str, str] = Field(default={}, description="label: where it stands in the answer (`owner.team`)")
    annotations: dict[str, str] = Field(default={}, description="annotation: where it stands in the answer")
    timeout: Duration = Field(default=timedelta(seconds=2), description="for all requests of one notification")
    cache: Duration = Field(default=timedelta(minutes=5), description="how long an answer is kept")
    max_entries: int = Field(default=10_000, ge=1, le=1_000_000, description="answers that are kept")

    @field_validator("url")
    @classmethod
    def _fixed_host(cls, url: str) -> str:
        if _AUTHORITY.fullmatch(url) is None:
            raise ValueError("write http(s)://host[:port]/…, with no template, user or password in the host part")
        return checked_template(URLS, url)

    @field_validator("labels", "annotations")
    @classmethod
    def _names(cls, paths: dict[str, str]) -> dict[str, str]:
        for name, path in paths.items():
            label_name(name)
            if not all(path.split(".")):
                raise ValueError(f"{path!r} is no path: write keys and list positions with dots between, `owner.team`")
        return paths

    @model_validator(mode="after")
    def _something(self) -> HttpOptions:
        if not self.labels and not self.annotations:
            raise ValueError("http names what to take from the answer under `labels` or `annotations`")
        return self


class _Answer(Struct, frozen=True):
    """What a URL gave at a time: `failure` is empty if it is an answer."""

    at: datetime
    found: Found
    failure: str = ""


class HttpLookup:
    """Asks, remembers, and never asks the same twice at once for one notification."""

    def __init__(self, options: HttpOptions, client: HttpClient) -> None:
        """Takes opened secrets.

        Raises:
            ConfigError: a header still holds a reference.
        """
        for name, value in options.headers.items():
            if _REFERENCE.match(value.reveal()):
                raise ConfigError(f"enrich: the secret of the header {name!r} was not opened")
        self._options = options
        self._client = client
        self._url = URLS.compile(options.url, NAMES)
        self._host = urlsplit(options.url).netloc
        self._answers: dict[str, _Answer] = {}

    async def find(self, contexts: Sequence[Mapping[str, object]], now: datetime) -> tuple[list[Found], str]:
        """What the answers add, in the order of the contexts, and the first failure (empty if none)."""
        urls, failures = [], []
        for context in contexts:
            url, failure = self._url_for(context)
            urls.append(url)
            failures.append(failure)
        answers = {url: answer for url in urls if (answer := self._kept(url, now)) is not None}
        missing = [url for url in dict.fromkeys(urls) if url and url not in answers]
        if missing:
            answers |= await self._ask(missing, now)
        failures += [answer.failure for answer in answers.values()]
        return [answers[url].found if url else NOTHING for url in urls], next(filter(None, failures), "")

    def _url_for(self, context: Mapping[str, object]) -> tuple[str, str]:
        """(the URL, or empty if there is nothing to ask; what failed, or empty)."""
        try:
            url = URLS.render(self._url, **context)
        except TemplateFailed as error:
            return "", "" if isinstance(error.__cause__, _NothingToAsk) else f"http.url: {error}"
        if len(url) > _MAX_URL:
            return "", f"http.url: the alert's values make it longer than {_MAX_URL} characters"
        if not _DOTS.isdisjoint(urlsplit(url).path.split("/")):
            return "", "http.url: the alert's values would lead to another place"
        return url, ""

    def _kept(self, url: str, now: datetime) -> _Answer | None:
        answer = self._answers.get(url)
        if answer is None:
            return None
        keep = min(FAILURE_KEPT, self._options.cache) if answer.failure else self._options.cache
        return answer if abs(now - answer.at) < keep else None

    async def _ask(self, urls: Sequence[str], now: datetime) -> dict[str, _Answer]:
        answers: dict[str, _Answer] = {}
        pending = iter(urls)

        async def work() -> None:
            for url in pending:
                answers[url] = await self._get(url, now)

        try:
            async with asyncio.timeout(self._options.timeout.total_seconds()), asyncio.TaskGroup() as group:
                for _ in range(min(_AT_ONCE, len(urls))):
                    group.create_task(work())
        except TimeoutError:
            late = _Answer(now, NOTHING, f"{self._host} did not answer in time")
            answers = {url: answers.get(url, late) for url in urls}
        self._keep(answers)
        return answers

    async def _get(self, url: str, now: datetime) -> _Answer:
        headers = {name: value.reveal() for name, value in self._options.headers.items()}
        try:
            response = await self._client.request(
                "GET",
                url,
                headers={"Accept": "application/json", **headers},
                timeout=self._options.timeout.total_seconds(),
            )
            if response.status in _UNKNOWN:
                return _Answer(now, NOTHING)
            outcome_of(response, now)
            return _Answer(now, self._taken_from(msgspec.json.decode(response.body)))
        except BridgeError as error:
            return _Answer(now, NOTHING, f"{self._host}: {error}")
        except (msgspec.DecodeError, RecursionError):
            return _Answer(now, NOTHING, f"{self._host} answered with no JSON, or with too much of it")

    def _taken_from(self, data: object) -> Found:
        return Found(_taken(data, self._options.labels), _taken(data, self._options.annotations))

    def _keep(self, answers: Mapping[str, _Answer]) -> None:
        for url, answer in answers.items():
            self._answers.pop(url, None)  # so that the newest stand last
            self._answers[url] = answer
        while len(self._answers) > self._options.max_entries:
            del self._answers[next(iter(self._answers))]


def _taken(data: object, paths: Mapping[str, str]) -> dict[str, str]:
    values = {name: _text_at(data, path) for name, path in paths.items()}
    return {name: value for name, value in values.items() if value}


def _text_at(data: object, path: str) -> str:
    """The scalar at the path as text; empty if there is none."""
    for part in path.split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return ""
    if isinstance(data, str):
        return data.strip()
    return msgspec.json.encode(data).decode() if isinstance(data, bool | int | float) else ""
