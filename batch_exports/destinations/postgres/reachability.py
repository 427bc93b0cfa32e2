"""Whether a server is reached: its name, its port, TLS, and the user's login."""

import ipaddress
import re
import socket
from typing import Any

from batch_exports.destinations.postgres.tls import shown_by
from batch_exports.destinations.server_attempt import ServerAttempt
from batch_exports.errors import Terminal
from batch_exports.probe import Finding, passed, skipped, warning

# The oldest server that knows all that deliveries use: pg_current_xact_id came with it.
_OLDEST = 13
# What libpq says of the time after the server has proven who it is.
_AFTER_TLS = re.compile(r"FATAL:|authentication|password|read-only|hot standby|SQLSTATE")


def resolve(attempt: ServerAttempt[Any]) -> Finding:
    if attempt.is_socket or _is_address(attempt.host):
        return skipped(f"{attempt.host} is no name")
    try:
        found = socket.getaddrinfo(attempt.host, attempt.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Terminal(
            f"The name {attempt.host!r} leads to no address: {error.strerror or error}.",
            remedy="Correct the connection's host. If it is right, let this machine's name server "
            "know it: names of a private network may need its VPN or its DNS zone.",
        ) from error
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    return passed(f"{attempt.host} is {', '.join(addresses)}")


def reach(attempt: ServerAttempt[Any]) -> Finding:
    if attempt.is_socket:
        return skipped(f"{attempt.host} is a folder of sockets")
    at = f"{attempt.host}, port {attempt.port}"
    try:
        socket.create_connection(
            (attempt.host, attempt.port), attempt.connect_timeout_seconds
        ).close()
    except ConnectionRefusedError as error:
        raise Terminal(
            f"{at}: refused, so nothing listens there.",
            remedy="Correct the connection's host and port, or start the server; its "
            "listen_addresses must name an address that this machine can reach.",
        ) from error
    except TimeoutError as error:
        raise Terminal(
            f"{at}: no answer within {attempt.connect_timeout_seconds:g} s.",
            remedy="Correct the connection's host and port. If they are right, a firewall or a "
            "security group lets nothing through: allow TCP from this machine to that port.",
        ) from error
    except OSError as error:
        raise Terminal(
            f"{at}: {error.strerror or error}.",
            remedy="Correct the connection's host and port, and check the network between.",
        ) from error
    return passed(f"{at} answers")


def encrypt(attempt: ServerAttempt[Any]) -> Finding:
    if attempt.ssl_mode == "disable":
        return skipped("local: true")
    refused = attempt.connect()
    said = refused.message.removeprefix(attempt.destination.address) if refused else ""
    if refused and not _AFTER_TLS.search(said):
        raise refused
    root = None if attempt.ssl_mode == "require" else attempt.ssl_root_cert
    shown = shown_by(attempt.host, attempt.port, root, attempt.connect_timeout_seconds)
    protocol = shown.protocol if shown else "TLS"
    if attempt.ssl_mode == "require":
        return warning(
            f"{protocol}, but the server has not proven who it is: any other could answer.",
            remedy="Give the certificate of the server's authority, or its own if none signed it, "
            "in ssl_root_cert.",
        )
    of = f", certificate for {shown.names} by {shown.authority}" if shown else ""
    checked = (
        "authority and name" if attempt.ssl_mode == "verify-full" else "authority, not the name"
    )
    return passed(f"{protocol}{of}; verified ({attempt.ssl_mode}): {checked}")


def log_in(attempt: ServerAttempt[Any]) -> Finding:
    if refused := attempt.connect():
        raise refused
    with attempt.session() as connection:
        info = connection.info
        version = info.parameter_status("server_version")
        if info.server_version < _OLDEST * 10_000:
            raise Terminal(
                f"The server is PostgreSQL {version}.",
                remedy=f"Use one of version {_OLDEST} or newer.",
            )
        encoding = info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise Terminal(
                f"The database {info.dbname!r} is encoded in {encoding}, which cannot hold every "
                "character: no delivery goes there.",
                remedy="Export to a database that was created with ENCODING 'UTF8'.",
            )
    return passed(f"user {info.user!r}, database {info.dbname!r}, PostgreSQL {version}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
