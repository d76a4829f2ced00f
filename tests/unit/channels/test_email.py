from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from bridge.channels import email as email_module
from bridge.channels.api import Context, FailureReason, Permanent, Receipt, Refused, Retryable
from bridge.channels.email import EmailChannel
from bridge.channels.email_options import EmailOptions, address_of
from bridge.domain.errors import ChannelError
from bridge.net import Egress, HttpClient
from tests.contract.channels.leaks import assert_no_secret
from tests.contract.channels.messages import NOW, message
from tests.simulators.smtp import MailServer, certificates

PASSWORD = "mail-canary-password"
BASE = {"type": "email", "smarthost": "smtp.example.com:587", "from": "alerts@example.com", "to": ["ops@example.com"]}


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Egress())
    yield client
    await client.close()


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as running:
        yield running


def channel(server: MailServer, **more: object) -> EmailChannel:
    to = ["one@example.com", "two@example.com"]
    options = {**BASE, "smarthost": server.smarthost, "tls": "none", "to": to, **more}
    return EmailChannel("mail", EmailOptions.model_validate(options))


def encrypted(server: MailServer, **more: object) -> EmailChannel:
    given = {"tls": "starttls", "ca_file": str(certificates().ca_file), "username": "bridge", "password": PASSWORD}
    return channel(server, **{**given, **more})


def context(http: HttpClient, key: str = "key-1", previous: Receipt | None = None, *, plain: bool = False) -> Context:
    return Context(http=http, now=NOW, idempotency_key=key, previous=previous, plain=plain)


class TestConversation:
    async def test_by_default_the_mail_goes_encrypted_and_authenticated(self, http: HttpClient) -> None:
        async with MailServer(tls="starttls", user="bridge", password=PASSWORD) as server:
            receipt = await encrypted(server).send(message(), context(http))
        (mail,) = server.mails
        assert mail.encrypted
        assert mail.user == "bridge"
        assert mail.sender == "alerts@example.com"
        assert mail.recipients == ("one@example.com", "two@example.com")
        assert mail.parsed["Message-ID"] == receipt.data["message_id"]
        assert "accepted for 2 of 2 recipients: 250" in receipt.detail

    async def test_tls_can_begin_at_once(self, http: HttpClient) -> None:
        async with MailServer(tls="implicit", user="bridge", password=PASSWORD) as server:
            await encrypted(server, tls="implicit").send(message(), context(http))
        assert server.mails[0].encrypted

    async def test_the_next_mail_of_the_incident_repeats_the_subject(
        self, server: MailServer, http: HttpClient
    ) -> None:
        first = await channel(server).send(message(title="[FIRING:1] HighCPU"), context(http))
        await channel(server).send(message(title="[FIRING:2] more"), context(http, "key-2", first))
        assert [mail.parsed["Subject"] for mail in server.mails] == ["HighCPU", "HighCPU"]

    async def test_the_greeting_can_be_chosen(self, server: MailServer, http: HttpClient) -> None:
        await channel(server, helo="bridge.example.com").send(message(), context(http))
        assert set(server.greeted) == {"bridge.example.com"}

    async def test_a_server_without_starttls_gets_neither_password_nor_mail(self, http: HttpClient) -> None:
        async with MailServer(tls="none", user="bridge", password=PASSWORD) as server:
            with pytest.raises(Retryable) as caught:
                await encrypted(server).send(message(), context(http))
        assert caught.value.reason is FailureReason.TLS
        assert server.authentications == 0
        assert server.mails == []

    @pytest.mark.parametrize("tls", ["starttls", "implicit"])
    @pytest.mark.parametrize(
        "presented", [{"authority": "A stranger"}, {"name": "127.0.0.9"}, {"name": "mail.example.com"}], ids=str
    )
    async def test_a_certificate_that_proves_nothing_ends_it(
        self, http: HttpClient, tls: str, presented: dict[str, str]
    ) -> None:
        certificate = certificates(**presented)
        async with MailServer(tls=tls, user="bridge", password=PASSWORD, certificate=certificate) as server:
            with pytest.raises(Retryable, match=r"certificate|mismatch|not valid") as caught:
                await encrypted(server, tls=tls).send(message(), context(http))
        assert caught.value.reason is FailureReason.TLS
        assert server.authentications == 0

    async def test_a_ca_file_that_cannot_be_read_is_said(self, server: MailServer, http: HttpClient) -> None:
        with pytest.raises(Retryable, match="ca_file") as caught:
            await encrypted(server, ca_file="/nowhere/ca.pem").send(message(), context(http))
        assert caught.value.reason is FailureReason.TLS

    async def test_a_refused_password_is_refused_and_not_shown(self, http: HttpClient) -> None:
        async with MailServer(tls="starttls", user="bridge", password="another") as server:
            with pytest.raises(Refused) as caught:
                await encrypted(server).send(message(), context(http))
        assert caught.value.reason is FailureReason.UNAUTHORIZED
        assert_no_secret((PASSWORD,), caught.value)

    async def test_a_server_that_takes_no_credentials_is_refused(self, http: HttpClient) -> None:
        async with MailServer(tls="starttls") as server:
            with pytest.raises(Refused, match="AUTH"):
                await encrypted(server).send(message(), context(http))

    async def test_a_mail_server_under_egress_rules_is_judged_like_any_other_address(self, server: MailServer) -> None:
        strict = HttpClient(Egress(deny_private=True))
        with pytest.raises(Retryable) as caught:
            await channel(server).send(message(), context(strict))
        await strict.close()
        assert caught.value.reason is FailureReason.EGRESS_DENIED
        assert server.greeted == []

    async def test_nobody_listening_is_tried_again_and_surely_not_sent(self, http: HttpClient) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            unused = f"127.0.0.1:{bound.getsockname()[1]}"
            options = EmailOptions.model_validate({**BASE, "smarthost": unused, "tls": "none"})
            with pytest.raises(Retryable) as caught:
                await EmailChannel("mail", options).send(message(), context(http))
        assert caught.value.reason is FailureReason.NETWORK
        assert not caught.value.unknown

    async def test_a_name_that_does_not_exist_is_tried_again(self, http: HttpClient) -> None:
        options = EmailOptions.model_validate({**BASE, "smarthost": "nobody.invalid:25", "tls": "none"})
        with pytest.raises(Retryable) as caught:
            await EmailChannel("mail", options).send(message(), context(http))
        assert caught.value.reason is FailureReason.DNS


class TestReplies:
    @pytest.mark.parametrize("at", ["data", "mail"])
    @pytest.mark.parametrize(
        ("reply", "kind", "reason"),
        [
            ("421 4.3.2 shutting down", Retryable, FailureReason.TEMPORARY),
            ("450 4.2.1 try later", Retryable, FailureReason.TEMPORARY),
            ("451 4.3.0 local error", Retryable, FailureReason.TEMPORARY),
            ("452 4.3.1 no room", Retryable, FailureReason.TEMPORARY),
            ("454 4.7.0 not now", Retryable, FailureReason.TEMPORARY),
            ("530 5.7.0 authenticate first", Refused, FailureReason.UNAUTHORIZED),
            ("535 5.7.8 bad credentials", Refused, FailureReason.UNAUTHORIZED),
            ("550 5.7.1 policy", Permanent, FailureReason.CONTENT_REFUSED),
            ("552 5.3.4 too big", Permanent, FailureReason.TOO_LARGE),
            ("554 5.6.0 no", Permanent, FailureReason.CONTENT_REFUSED),
        ],
    )
    async def test_the_reply_decides(
        self, server: MailServer, http: HttpClient, at: str, reply: str, kind: type[ChannelError], reason: FailureReason
    ) -> None:
        server.reply(at, reply)
        with pytest.raises(kind) as caught:
            await channel(server).send(message(), context(http))
        assert caught.value.reason is reason
        assert reply[:3] in caught.value.detail
        assert not getattr(caught.value, "unknown", False)

    @pytest.mark.parametrize("code", ["550", "551", "553"])
    async def test_a_recipient_refused_for_good_is_left_out_and_named(
        self, server: MailServer, http: HttpClient, code: str
    ) -> None:
        server.reply("one@example.com", f"{code} 5.1.1 unknown")
        receipt = await channel(server).send(message(), context(http))
        assert server.mails[0].recipients == ("two@example.com",)
        assert "accepted for 1 of 2" in receipt.detail
        assert f"one@example.com ({code}" in receipt.detail

    @pytest.mark.parametrize(("reply", "kind"), [("530 5.7.0 authenticate first", Refused), ("421 bye", Retryable)])
    async def test_a_reply_that_is_not_about_the_recipient_ends_it_for_all(
        self, server: MailServer, http: HttpClient, reply: str, kind: type[ChannelError]
    ) -> None:
        server.reply("two@example.com", reply)
        with pytest.raises(kind):
            await channel(server).send(message(), context(http))
        assert server.mails == []

    async def test_nobody_accepted_for_good_is_permanent(self, server: MailServer, http: HttpClient) -> None:
        server.reply("one@example.com", "550 5.1.1 unknown")
        server.reply("two@example.com", "553 5.1.3 odd")
        with pytest.raises(Permanent) as caught:
            await channel(server).send(message(), context(http))
        assert caught.value.reason is FailureReason.RECIPIENT_REFUSED
        assert server.mails == []

    async def test_a_recipient_refused_for_now_is_tried_again_alone(self, server: MailServer, http: HttpClient) -> None:
        mailer = channel(server)
        server.reply("one@example.com", "450 4.2.1 grey", "450 4.2.1 grey")
        for _ in range(2):
            with pytest.raises(Retryable, match=r"one@example\.com \(450"):
                await mailer.send(message(), context(http))
        receipt = await mailer.send(message(), context(http))
        assert [mail.recipients for mail in server.mails] == [("two@example.com",), ("one@example.com",)]
        assert len({mail.parsed["Message-ID"] for mail in server.mails}) == 1
        assert "accepted for 2 of 2" in receipt.detail
        assert server.offered == ["one@example.com", "two@example.com", "one@example.com", "one@example.com"]

    async def test_what_one_delivery_settled_does_not_touch_the_next(
        self, server: MailServer, http: HttpClient
    ) -> None:
        mailer = channel(server)
        server.reply("one@example.com", "450 4.2.1 grey")
        with pytest.raises(Retryable):
            await mailer.send(message(), context(http))
        await mailer.send(message(), context(http, "key-2"))
        assert server.mails[-1].recipients == ("one@example.com", "two@example.com")

    async def test_refused_for_now_then_for_good_ends_with_the_others_served(
        self, server: MailServer, http: HttpClient
    ) -> None:
        mailer = channel(server)
        server.reply("one@example.com", "450 4.2.1 grey", "550 5.1.1 unknown")
        with pytest.raises(Retryable):
            await mailer.send(message(), context(http))
        receipt = await mailer.send(message(), context(http))
        assert "accepted for 1 of 2" in receipt.detail

    async def test_what_is_remembered_of_unfinished_deliveries_is_bounded(
        self, server: MailServer, http: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(email_module, "_REMEMBERED", 2)
        mailer = channel(server)
        server.reply("one@example.com", *["450 4.2.1 grey"] * 3)
        for number in range(3):
            with pytest.raises(Retryable):
                await mailer.send(message(), context(http, f"key-{number}"))
        assert list(mailer._settled) == ["key-1", "key-2"]


class TestLostConnections:
    async def test_lost_before_the_final_word_leaves_it_open_and_the_next_try_is_the_same_mail(
        self, server: MailServer, http: HttpClient
    ) -> None:
        server.lose = 1
        with pytest.raises(Retryable) as caught:
            await channel(server).send(message(), context(http))
        assert caught.value.reason is FailureReason.NETWORK
        assert caught.value.unknown
        await channel(server).send(message(), context(http))
        assert len({mail.parsed["Message-ID"] for mail in server.mails}) == 1

    @pytest.mark.parametrize(("command", "unknown"), [("EHLO", False), ("RCPT", False), ("DATA", True)])
    async def test_silence_is_a_timeout_and_open_only_once_the_mail_had_left(
        self, server: MailServer, http: HttpClient, command: str, unknown: bool
    ) -> None:
        server.mute = command
        with pytest.raises(Retryable) as caught:
            await channel(server, timeout="400ms").send(message(), context(http))
        assert caught.value.reason is FailureReason.TIMEOUT
        assert caught.value.unknown is unknown

    async def test_it_ends_before_the_sender_would_cut_it_off_who_could_not_know(
        self, server: MailServer, http: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.mute = "EHLO"
        limits: list[float | None] = []
        limit = asyncio.timeout

        def noted(delay: float | None) -> asyncio.Timeout:
            limits.append(delay)
            return limit(delay)

        monkeypatch.setattr(asyncio, "timeout", noted)
        with pytest.raises(Retryable):
            await channel(server, timeout="400ms").send(message(), context(http))
        assert limits[0] is not None
        assert 0.3 < limits[0] < 0.4

    async def test_a_server_that_does_not_say_goodbye_has_the_mail_all_the_same(
        self, server: MailServer, http: HttpClient
    ) -> None:
        server.mute = "QUIT"
        receipt = await channel(server, timeout="300ms").send(message(), context(http))
        assert receipt.data["message_id"] == server.mails[0].parsed["Message-ID"]


class TestOptions:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"from": "nobody"}, "is no mail address"),
            ({"from": "a@example.com, b@example.com"}, "is no mail address"),
            ({"from": "a@example.com\r\nBcc: victim@example.com"}, "is no mail address"),
            ({"to": []}, "at least 1"),
            ({"to": ["ops@"]}, "is no mail address"),
            ({"to": ["öps@example.com"]}, "SMTPUTF8"),
            ({"headers": {"Subject": "x"}}, "set by the channel"),
            ({"headers": {"bcc": "x@example.com"}}, "set by the channel"),
            ({"headers": {"Content-Type": "text/html"}}, "set by the channel"),
            ({"headers": {"X-A": "b\r\nBcc: victim@example.com"}}, "one line"),
            ({"headers": {"X A": "b"}}, "no header name"),
            ({"smarthost": "https://smtp.example.com"}, "is not host:port"),
            ({"smarthost": "smtp.example.com:0"}, "is not host:port"),
            ({"smarthost": "smtp.example.com:99999"}, "is not host:port"),
            ({"username": "x"}, "come together"),
            ({"username": "x", "password": "env:P", "tls": "none"}, "in the clear"),
            ({"helo": "a b"}, "pattern"),
        ],
    )
    def test_what_cannot_work_is_refused(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            EmailOptions.model_validate({**BASE, **change})

    @pytest.mark.parametrize("host", ["localhost:25", "127.0.0.1:25", "[::1]:25"])
    def test_a_password_may_go_in_the_clear_to_this_machine(self, host: str) -> None:
        change = {"smarthost": host, "username": "x", "password": "env:P", "tls": "none"}
        assert EmailOptions.model_validate({**BASE, **change}).tls == "none"

    @pytest.mark.parametrize(
        ("smarthost", "tls", "server"),
        [
            ("smtp.example.com", "starttls", ("smtp.example.com", 587)),
            ("smtp.example.com", "implicit", ("smtp.example.com", 465)),
            ("smtp.example.com", "none", ("smtp.example.com", 25)),
            ("[2001:db8::1]:2525", "starttls", ("2001:db8::1", 2525)),
        ],
    )
    def test_the_port_follows_from_tls(self, smarthost: str, tls: str, server: tuple[str, int]) -> None:
        assert EmailOptions.model_validate({**BASE, "smarthost": smarthost, "tls": tls}).server() == server

    def test_recipients_may_be_written_in_one_line(self) -> None:
        options = EmailOptions.model_validate({**BASE, "to": "ops@example.com, Lead <lead@example.com>"})
        assert options.to == ("ops@example.com", "Lead <lead@example.com>")

    def test_a_domain_outside_ascii_takes_its_ascii_form(self) -> None:
        assert address_of("Ops <ops@münchen.example>").addr_spec == "ops@xn--mnchen-3ya.example"
