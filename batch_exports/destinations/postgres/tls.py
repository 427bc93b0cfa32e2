"""What a server shows of itself when an encrypted connection begins."""

import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True)
class Shown:
    """`protocol` is such as TLSv1.3. `names` are those that its certificate is for, and
    `authority` is who signed that; empty where no authority is trusted."""

    protocol: str
    names: str = ""
    authority: str = ""


def shown_by(host: str, port: int, root: str | None, seconds: float) -> Shown | None:
    """For people to read: whether to trust the server, libpq alone decides.

    None where it shows no certificate of the authorities in the file `root`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if root else ssl.CERT_NONE
    try:
        if root:
            context.load_verify_locations(root)
        with socket.create_connection((host, port), timeout=seconds) as line:
            line.sendall(_SSL_REQUEST)
            if line.recv(1) != b"S":
                return None
            with context.wrap_socket(line, server_hostname=host) as encrypted:
                return _shown(encrypted)
    except OSError:  # ssl.SSLError among them
        return None


def _shown(encrypted: ssl.SSLSocket) -> Shown:
    certificate: dict[str, Any] = encrypted.getpeercert() or {}
    names = [str(name) for _, name in certificate.get("subjectAltName", ())]
    return Shown(
        encrypted.version() or "TLS",
        ", ".join(names or _of(certificate.get("subject", ()), "commonName")),
        ", ".join(_of(certificate.get("issuer", ()), "organizationName", "commonName")),
    )


def _of(distinguished_name: Iterable[Any], *kinds: str) -> list[str]:
    return [str(value) for part in distinguished_name for kind, value in part if kind in kinds]
