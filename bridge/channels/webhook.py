"""The `webhook` channel: Alertmanager's payload, or one of your own, to any HTTP endpoint.

Every request has a `webhook-id`, the same for every attempt of one delivery. With a `signing_secret` it is signed
as Standard Webhooks (https://www.standardwebhooks.com) lay down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.channels import webhook_v4
from bridge.channels.api import ChannelOptions, Context, Idempotency, Message, PlainAllowed, Receipt, Secret
from bridge.channels.endpoints import WebAddress
from bridge.channels.standard_webhooks import Signer
from bridge.domain.errors import BridgeError, ConfigError
from bridge.net import Network, basic_authorization, outcome_of

if TYPE_CHECKING:
    from bridge.templates import Template, Templates

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OURS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)


class Basic(BaseModel):
    """HTTP Basic authentication."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str
    password: Secret


class WebhookOptions(ChannelOptions):
    """Where to post, and how to prove who we are."""

    url: WebAddress
    signing_secret: Secret | None = Field(None, description="`whsec_` and base64, or any text, used as it is")
    headers: Mapping[str, Annotated[Secret, PlainAllowed()]] = Field(default_factory=dict)
    bearer: Secret | None = None
    basic: Basic | None = None
    method: Literal["POST", "PUT"] = "POST"
    template: str | None = Field(None, description="of the whole body; Alertmanager's version 4 payload if absent")
    allow: tuple[Network, ...] = Field((), description="networks this channel may reach besides those of `egress`")

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: Mapping[str, Secret]) -> Mapping[str, Secret]:
        for name in headers:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is no header name")
            if name.lower() in _OURS:
                raise ValueError(f"the header {name} is set by the channel itself")
        return headers

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str | None) -> str | None:
        if template:
            try:
                _Body(template)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return template

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        given = [self.bearer is not None, self.basic is not None, "authorization" in map(str.lower, self.headers)]
        if sum(given) > 1:
            raise ValueError("give one of bearer, basic and an Authorization header")
        return self


class WebhookChannel:
    """Any 2xx means delivered; the answer's body is not looked at."""

    Options: ClassVar[type[ChannelOptions]] = WebhookOptions
    idempotency: ClassVar[Idempotency] = "native"
    people: ClassVar[bool] = False
    follows_acknowledgement: ClassVar[bool] = False

    def __init__(self, name: str, options: WebhookOptions) -> None:
        """Takes opened secrets.

        Raises:
            SecretError: the signing secret is not what its prefix says.
        """
        self._name = name
        self._options = options
        self._timeout = options.timeout.total_seconds()
        self._headers = _fixed_headers(options)
        self._signer = Signer(options.signing_secret) if options.signing_secret else None
        self._template = _Body(options.template) if options.template else None
        self.reads_words = self._template is not None
        """Alertmanager's payload has neither title nor text, so nobody need write them."""

    async def send(self, message: Message, context: Context) -> Receipt:
        """One request. As `Channel.send`."""
        body, note = self._body(message, context)
        headers = {**self._headers, "webhook-id": context.idempotency_key}
        if self._signer is not None:
            timestamp = int(context.now.timestamp())
            headers["webhook-timestamp"] = str(timestamp)
            headers["webhook-signature"] = self._signer.sign(context.idempotency_key, timestamp, body)
        response = await context.http.request(
            self._options.method,
            self._options.url,
            body=body,
            headers=headers,
            timeout=self._timeout,
            allow=self._options.allow,
        )
        outcome_of(response, context.now)
        return Receipt(detail=f"HTTP {response.status}{note}", digest=sha256(body).hexdigest())

    def _body(self, message: Message, context: Context) -> tuple[bytes, str]:
        """The body, and a remark for the receipt. A template that fails does not lose the alert."""
        if self._template is None:
            return webhook_v4.encode(message, context.now), ""
        try:
            text = self._template.render(webhook_v4.variables(message, context.now))
        except BridgeError as error:
            return webhook_v4.encode(
                message, context.now
            ), f"; the template failed, the usual payload was sent: {error}"
        return text.encode("utf-8", "replace"), ""


class _Body:
    """A compiled body template. Jinja is imported only where one is configured."""

    def __init__(self, text: str) -> None:
        from bridge.templates import Templates

        self._templates: Templates = Templates()
        self._template: Template = self._templates.compile(text, webhook_v4.VARIABLES)

    def render(self, variables: Mapping[str, object]) -> str:
        return self._templates.render(self._template, **variables)


def _fixed_headers(options: WebhookOptions) -> dict[str, str]:
    headers = {name: value.reveal() for name, value in options.headers.items()}
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    if options.bearer:
        headers["Authorization"] = f"Bearer {options.bearer.reveal()}"
    elif options.basic:
        headers["Authorization"] = basic_authorization(options.basic.username, options.basic.password)
    return headers
