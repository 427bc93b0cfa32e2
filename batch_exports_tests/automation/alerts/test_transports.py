"""Messages arrive at real servers, by each way, and what goes wrong tells no secret."""

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from batch_exports.automation.alerts.channel import Undelivered
from batch_exports.automation.alerts.mail import Mail
from batch_exports.automation.alerts.message import Message
from batch_exports.automation.alerts.slack import Slack, payload
from batch_exports.automation.alerts.webhook import Webhook
from batch_exports_tests.automation.alerts.mail_server import PASSWORD, MailServer
from batch_exports_tests.automation.alerts.receiver import Receiver

MESSAGE = Message(
    "events: a run failed",
    (("Error", "Terminal: a < b & ü."), ("Remedy", "Mend it.")),
    "https://dagster.example.com/runs/1",
    {"type": "alert", "export": "events"},
)
StartMail = Callable[..., MailServer]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def start_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMail]:
    """Starts a server whose authority this process trusts, unless told otherwise."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(
            closing(MailServer(**{"authority": authority, **options}))
        )


def mail(server: MailServer, **options: Any) -> Mail:
    given = {
        "host": "localhost",
        "port": server.port,
        "tls": server.tls,
        "sender": "exports@example.com",
        "to": ["a@example.com", "b@example.com"],
        "user": "exports",
        "password": lambda: PASSWORD,
    }
    return Mail(**{**given, **options})


def test_slack(receiver: Receiver) -> None:
    """As https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks has it."""
    Slack(lambda: f"{receiver.address}/services/T/B/xyz").send(MESSAGE)
    ((path, headers, body),) = receiver.posted
    assert path == "/services/T/B/xyz"
    assert headers["Content-Type"] == "application/json"
    told = json.loads(body)
    assert told["text"] == "events: a run failed"
    kinds = [block["type"] for block in told["blocks"]]
    assert kinds == ["header", "section", "section", "context"]
    assert told["blocks"][1]["text"]["text"] == "*Error*\nTerminal: a &lt; b &amp; ü."
    assert "<https://dagster.example.com/runs/1|" in told["blocks"][3]["elements"][0]["text"]


def test_slacks_limits() -> None:
    """https://docs.slack.dev/reference/block-kit/blocks: 50 blocks; headers of 150 characters,
    sections of 3000."""
    lines = tuple((f"export_{number}", "x" * 9000) for number in range(200))
    told = payload(Message("t" * 400, lines, "https://a.example.com", {}))
    blocks = told["blocks"]
    assert len(blocks) <= 50
    assert len(blocks[0]["text"]["text"]) == 150
    assert max(len(block["text"]["text"]) for block in blocks[1:-2]) == 3000
    assert blocks[-2]["elements"][0]["text"] == "155 lines more"


def test_a_webhook_is_signed(receiver: Receiver) -> None:
    Webhook(lambda: receiver.address, lambda: "shared").send(MESSAGE)
    ((_, headers, body),) = receiver.posted
    assert json.loads(body) == {"title": MESSAGE.title, **MESSAGE.data}
    parts = dict(part.split("=") for part in headers["Batch-Exports-Signature"].split(","))
    expected = hmac.new(b"shared", parts["t"].encode() + b"." + body, hashlib.sha256)
    assert parts["v1"] == expected.hexdigest()


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_no_success(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.text = status, b"no_service"
    with pytest.raises(Undelivered, match=rf"{status}: no_service") as caught:
        Slack(lambda: f"{receiver.address}/services/secret").send(MESSAGE)
    assert "services/secret" not in str(caught.value)
    assert receiver.posted == []  # a redirect is not followed


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1/services/secret", "No answer: "),
        ("http://hooks.slack.com/services/secret", "https://"),
        ("//services/secret", "https://"),
        ("https://[services/secret", "no URL"),
    ],
)
def test_a_url_that_leads_nowhere_is_not_shown(url: str, told: str) -> None:
    with pytest.raises(Undelivered) as caught:
        Slack(lambda: url).send(MESSAGE)
    assert told in str(caught.value)
    assert "services" not in str(caught.value)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail(start_mail: StartMail, tls: str) -> None:
    server = start_mail(tls=tls)
    mail(server).send(MESSAGE)
    ((to, received),) = server.mails
    assert to == ["a@example.com", "b@example.com"]
    assert received["Subject"] == "events: a run failed"
    assert received["From"] == "exports@example.com"
    assert received["Auto-Submitted"] == "auto-generated"
    text = received.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert "Terminal: a < b & ü.\n" in text.decode().replace("\r\n", "\n")
    # Before STARTTLS nothing is said but that it is wanted.
    assert {line.split()[0].upper() for line in server.said} <= {"EHLO", "STARTTLS"}


def test_a_server_that_cannot_encrypt_gets_no_word(start_mail: StartMail) -> None:
    server = start_mail(offers_tls=False)
    with pytest.raises(Undelivered, match="SMTPNotSupportedError"):
        mail(server).send(MESSAGE)
    assert {line.split()[0].upper() for line in server.said} <= {"EHLO", "QUIT"}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_server_that_nobody_vouches_for(start_mail: StartMail, tls: str) -> None:
    server = start_mail(tls=tls, authority=trustme.CA())
    with pytest.raises(Undelivered, match=r"SSLCertVerificationError, .*certificate"):
        mail(server).send(MESSAGE)
    assert server.mails == []


def test_a_wrong_password_is_not_told(start_mail: StartMail) -> None:
    server = start_mail()  # it repeats what it was given
    with pytest.raises(Undelivered) as caught:
        mail(server, password=lambda: "wrong pass").send(MESSAGE)
    assert "SMTPAuthenticationError 535" in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_one_address_that_is_refused(
    start_mail: StartMail, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_mail(refused=("b@example.com",))
    with caplog.at_level(logging.WARNING):
        mail(server).send(MESSAGE)
    assert [to for to, _ in server.mails] == [["a@example.com"]]
    assert "b@example.com" in caplog.text
