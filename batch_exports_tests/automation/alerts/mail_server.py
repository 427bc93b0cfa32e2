"""A mail server as RFC 5321 has it, with STARTTLS (RFC 3207) or TLS from the first byte, and AUTH
PLAIN (RFC 4954)."""

import base64
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Literal, cast

import trustme

PASSWORD = "pass/word of mail"


@dataclass
class MailServer:
    """`mails` are those that were taken, each with those it is for. `said` is all that clients
    said before it was encrypted. With `offers_tls` off it is one that cannot encrypt."""

    authority: trustme.CA
    tls: Literal["starttls", "implicit"] = "starttls"
    offers_tls: bool = True
    refused: tuple[str, ...] = ()
    mails: list[tuple[list[str], Message]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        mail_server = self
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(self.context)

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    _Talk(mail_server, self).hold()
                except (OSError, ssl.SSLError):
                    """Clients that do not trust it hang up."""

        class Quiet(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Quiet(("127.0.0.1", 0), Session)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return cast(int, self.server.server_address[1])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Talk:
    def __init__(self, server: MailServer, session: socketserver.StreamRequestHandler) -> None:
        self.server, self.socket = server, session.request
        self.encrypted = self.known = False
        if server.tls == "implicit":
            self._encrypt()
        self.file = self.socket.makefile("rwb")

    def _encrypt(self) -> None:
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.file, self.encrypted = self.socket.makefile("rwb"), True

    def _say(self, text: str) -> None:
        self.file.write(f"{text}\r\n".encode())
        self.file.flush()

    def hold(self) -> None:  # noqa: PLR0912  a branch a command
        self._say("220 here")
        to = list[str]()
        while line := self.file.readline().decode().strip():
            if not self.encrypted:
                self.server.said.append(line)
            match line.upper().split()[0]:
                case "EHLO":
                    self._say("250-here")
                    if not self.encrypted and self.server.offers_tls:
                        self._say("250-STARTTLS")
                    self._say("250 AUTH PLAIN")
                case "STARTTLS":
                    self._say("220 go on")
                    self._encrypt()
                case "AUTH":
                    given = base64.b64decode(line.split()[2]).decode()
                    self.known = given == f"\0exports\0{PASSWORD}"
                    self._say("235 welcome" if self.known else f"535 {given!r} is not known")
                case "MAIL" if not self.known:
                    self._say("530 log in first")
                case "RCPT":
                    address = line.partition("<")[2].rstrip(">")
                    if address in self.server.refused:
                        self._say("550 nobody of that name")
                    else:
                        to.append(address)
                        self._say("250 ok")
                case "DATA":
                    self._say("354 go on")
                    lines = list(iter(self.file.readline, b".\r\n"))
                    mail = message_from_bytes(b"".join(lines), policy=default)
                    self.server.mails.append((to, mail))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")
