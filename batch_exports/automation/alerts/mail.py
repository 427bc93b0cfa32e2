"""Messages by e-mail, over TLS."""

import logging
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import ClassVar, Literal

from batch_exports.automation.alerts.channel import SECONDS, Undelivered
from batch_exports.automation.alerts.message import Message

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mail:
    """`tls` is implicit, from the first byte on (https://www.rfc-editor.org/rfc/rfc8314), or
    starttls, without which nothing is said. The server's certificate is verified for `host`.
    Without `user` there is no login."""

    host: str
    port: int
    tls: Literal["starttls", "implicit"]
    sender: str
    to: Sequence[str]
    user: str | None = None
    password: Callable[[], str] | None = None
    name: ClassVar[str] = "email"

    def send(self, message: Message) -> None:
        try:
            with self._connection() as server:
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password())
                refused = server.send_message(self._mail(message))
        except smtplib.SMTPResponseException as error:
            # What a server says to a login may repeat it.
            told = "" if isinstance(error, smtplib.SMTPAuthenticationError) else _said(error)
            raise Undelivered(f"{type(error).__name__} {error.smtp_code}{told}") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered(f"{self.host}:{self.port}: {_class_and_reason(error)}") from None
        if refused:  # the others have it, and would get it again
            _LOG.warning("Mail was refused for %s.", ", ".join(sorted(refused)))

    def _connection(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.tls == "implicit":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = " ".join(message.title.split())
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain="batch-exports")
        # Mail servers return "out of office" to what is not marked so.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail


def _said(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    return f": {text.decode(errors='replace') if isinstance(text, bytes) else text}"


def _class_and_reason(error: Exception) -> str:
    reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return f"{type(error).__name__}{f', {reason}' if reason else ''}."
