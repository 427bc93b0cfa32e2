"""What libpq says in words is known by its words."""

import pytest

from batch_exports.destinations.postgres.refusals import refusal
from batch_exports.errors import BatchExportError, Terminal, Transient

WHERE = "postgres://db:5432/analytics"
TO_SERVER = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "kind", "remedy"),
    [
        ('FATAL:  password authentication failed for user "u"', Terminal, "password's environment"),
        ("FATAL:  SASL authentication failed", Terminal, "password's environment"),
        ("fe_sendauth: no password supplied", Terminal, "password's environment"),
        ('FATAL:  role "u" does not exist', Terminal, "connection's user"),
        ('FATAL:  role "u" is not permitted to log in', Terminal, "connection's user"),
        ('FATAL:  database "d" does not exist', Terminal, "connection's database"),
        ("FATAL:  no such database: d", Terminal, "connection's database"),
        (
            'FATAL:  no pg_hba.conf entry for host "h", user "u", database "d", no encryption',
            Terminal,
            "leave out local",
        ),
        (
            'FATAL:  no pg_hba.conf entry for host "h", user "u", database "d", SSL encryption',
            Terminal,
            "hostssl",
        ),
        ('FATAL:  pg_hba.conf rejects connection for host "h"', Terminal, "hostssl"),
        ("server does not support SSL, but SSL was required", Terminal, "Turn TLS on"),
        (
            'server certificate for "a" (and 1 other name) does not match host name "b"',
            Terminal,
            "Give as host",
        ),
        ("SSL error: certificate verify failed", Terminal, "ssl_root_cert"),
        ('could not read root certificate file "f": no start line', Terminal, "Correct ssl_root"),
        (
            'authentication method requirement "!password" failed: server requested a cleartext '
            "password",
            Terminal,
            "asks for the password itself",
        ),
        ("Connection refused\n\tIs the server running on that host?", Transient, "network"),
        ("server closed the connection unexpectedly", Transient, "network"),
        ("SSL SYSCALL error: Connection reset by peer", Transient, "network"),
        ("FATAL:  sorry, too many clients already", Transient, "fewer runs"),
        ('FATAL:  too many connections for role "u"', Transient, "fewer runs"),
        ("FATAL:  remaining connection slots are reserved for roles", Transient, "fewer runs"),
        ("FATAL:  the database system is starting up", Transient, "server's log"),
        ("FATAL:  the database system is shutting down", Transient, "server's log"),
        ("FATAL:  the database system is in recovery mode", Transient, "server's log"),
        ('FATAL:  database "d" is not currently accepting connections', Transient, "server's log"),
        ("session is read-only", Transient, "primary's host"),
        ("FATAL:  étrange", Transient, "network"),
    ],
)
def test_of_connecting(text: str, kind: type[BatchExportError], remedy: str) -> None:
    found = refusal(TO_SERVER + text, WHERE, "u")
    assert type(found) is kind
    assert remedy in found.remedy
    assert found.message.startswith(f'{WHERE}: connection to server at "10.0.0.1", port 5432 ')
    assert "\n" not in found.message


@pytest.mark.parametrize(
    "text",
    [
        "failed to resolve host 'db': [Errno -2] Name or service not known",
        "failed to resolve host 'db': [Errno -3] Temporary failure in name resolution",
    ],
)
def test_of_names(text: str) -> None:
    found = refusal(text, WHERE, None)
    assert isinstance(found, Transient)
    assert found.message == f"{WHERE}: {text}."
    assert found.remedy == "It is tried again. If it stays, correct the connection's host."


def test_of_several_addresses_the_last_counts() -> None:
    texts = ['FATAL:  role "u" does not exist', "Connection refused"]
    lines = [f"- host: 'db': {TO_SERVER}{text}" for text in texts]
    text = "\n".join(
        [TO_SERVER + texts[1], "Multiple connection attempts failed. All failures were:", *lines]
    )
    found = refusal(text, WHERE, None)
    assert isinstance(found, Transient)
    assert "role" not in found.message
