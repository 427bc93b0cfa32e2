"""Why no connection comes about, or one breaks: libpq tells it in words alone, without SQLSTATE."""

import re

from batch_exports.destinations.postgres.grants import missing_grant
from batch_exports.errors import BatchExportError, Terminal, Transient

# What no retry cures, by the texts of libpq (fe-connect.c, fe-secure-openssl.c, fe-auth.c) and of
# servers that speak English (postinit.c, auth.c, PgBouncer), each with what the user can do.
_TERMINAL = (
    (
        r"password authentication failed|SASL authentication failed|no password supplied"
        r"|no such user",
        "Correct the connection's user, or the value of its password's environment variable: "
        "a line break at its end belongs to the password.",
    ),
    (r'role ".*" (does not exist|is not permitted to log in)', "Correct the connection's user."),
    (r'database ".*" does not exist|no such database', "Correct the connection's database."),
    (
        r"no pg_hba\.conf entry.* no encryption",
        "The server demands TLS: leave out local: true.",
    ),
    (
        r"pg_hba\.conf",
        "Let the server accept this machine: in its pg_hba.conf, a line that begins with hostssl "
        "and names database, user and this machine's address; or its provider's list of networks.",
    ),
    (
        r"server does not support SSL",
        "Turn TLS on at the server (ssl = on). Without it, only a server on this machine may be "
        "used, with local: true.",
    ),
    (
        r"does not match host name",
        "Give as host a name that the certificate is for. With the authority's certificate in "
        "ssl_root_cert, ssl_mode: verify-ca leaves the name unchecked.",
    ),
    (
        r"certificate verify failed",
        "The server's certificate has expired, or is of an authority that is not trusted here: "
        "give that authority's certificate in ssl_root_cert. For one that is of no authority, give "
        "the server's own in ssl_root_cert, with self_signed_certificate: true.",
    ),
    (
        r"root certificate file",
        "Correct ssl_root_cert: a PEM file of certificates to trust.",
    ),
    (
        r"authentication method requirement",
        "The server asks for the password itself, which only a server gets that has proven who it "
        "is: give ssl_root_cert.",
    ),
)
# What may pass by itself, and what to do if it stays.
_TRANSIENT = (
    (
        # A name that is not known and a name server that is not there look much alike: a mistyped
        # name costs some retries, an interval given up for a restart of the name server costs more.
        r"resolve host|translate host name",
        "correct the connection's host.",
    ),
    (
        # After a failover, the name of the primary leads to its successor within minutes.
        r"session is read-only|server is in hot standby mode",
        "give the primary's host, or make the database writable.",
    ),
    (
        r"too many connections|too many clients|connection slots",
        "let fewer runs at once use the connection, or raise the server's limit of connections.",
    ),
    (
        r"starting up|shutting down|in recovery mode|not (\w+ )?accepting connections",
        "see the server's log.",
    ),
)


def refusal(text: str, where: str, user: str | None) -> BatchExportError:
    """What an error without SQLSTATE means: one of connecting, or of a line that broke.

    Whatever is not known may be tried again: nothing was changed, or the server undoes it.
    """
    # Of several addresses that were tried the last one counts, and stands first.
    text = " ".join(text.partition("\nMultiple connection attempts failed")[0].split())
    message = f"{where}: {text.removeprefix('connection failed: ').rstrip('.')}."
    if re.search(r'permission denied for database "', text):
        return Terminal(
            message, remedy=f"Let an administrator run: {missing_grant(text, user, None)}"
        )
    for pattern, remedy in _TERMINAL:
        if re.search(pattern, text):
            return Terminal(message, remedy=remedy)
    for pattern, remedy in _TRANSIENT:
        if re.search(pattern, text):
            return Transient(message, remedy=f"It is tried again. If it stays, {remedy}")
    remedy = "check the connection's host and port, and the network between."
    return Transient(message, remedy=f"It is tried again. If it stays, {remedy}")
