"""Why no connection comes about: told by libpq and the server in words alone."""

import pytest

from batch_exports.destinations.redshift.refusals import refusal
from batch_exports.errors import BatchExportError, Terminal, Transient

WHERE = "redshift://db.example.com:5439/analytics"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ('password authentication failed for user "u"', Terminal, "password's environment"),
        ('password authentication failed for user "IAM:u"', Terminal, "must exist in the database"),
        ('no pg_hba.conf entry for host "1.2.3.4", user "u"', Terminal, "user and database"),
        ('database "d" does not exist', Terminal, "database"),
        ("server does not support SSL, but SSL was required", Terminal, "host and port"),
        ('certificate for "a" does not match host name "b"', Terminal, "the endpoint that AWS"),
        ("SSL error: certificate verify failed", Terminal, "that Amazon did not sign"),
        ('authentication method requirement "!password" failed', Terminal, "verify-full"),
        ("connection limit 500 exceeded for non-bootstrap users", Transient, "fewer runs"),
        ("connection timeout expired", Transient, "paused"),
        ("Connection refused", Transient, "security group"),
        ('could not translate host name "x" to address', Transient, "connection's host"),
        ("SSL SYSCALL error: EOF detected", Transient, "network"),
    ],
)
def test_why_no_connection_comes_about(text: str, kind: type[BatchExportError], words: str) -> None:
    found = refusal(f"connection failed: {text}", WHERE, "u")
    assert type(found) is kind
    assert text in found.message
    assert words in found.remedy
