"""Why no connection to Redshift comes about, or one breaks: told in words, without SQLSTATE."""

import re

from batch_exports.destinations.postgres import refusals as postgres
from batch_exports.errors import BatchExportError, Terminal, Transient

# What no retry cures, by the texts of libpq (fe-connect.c, fe-secure-openssl.c, fe-auth.c) and of
# the server, each with what the user can do.
_TERMINAL = (
    (
        # https://docs.aws.amazon.com/redshift/latest/mgmt/generating-iam-credentials-overview.html
        r'failed for user "IAM|role ".*" (does not exist|is not permitted)|no such user',
        "Correct the connection's user: a user of that name must exist in the database, also where "
        "its password is a temporary one.",
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf",
        "Correct the connection's user and database: the server takes such a connection from none "
        "of its users.",
    ),
    (
        r"server does not support SSL",
        "Correct the connection's host and port: Redshift always speaks TLS.",
    ),
    (
        r"does not match host name",
        "Give as host the endpoint that AWS shows, which the certificate is for. Through a tunnel, "
        "ssl_mode: verify-ca leaves the name unchecked.",
    ),
    (
        r"certificate verify failed|certificate has expired",
        "The server shows a certificate that Amazon did not sign. Correct the host; of a proxy "
        "between, give the authority's certificate in ssl_root_cert.",
    ),
    (
        r"authentication method requirement",
        "The server asks for the password itself, which only a server gets that has proven who it "
        "is: set ssl_mode: verify-full.",
    ),
)
# What may pass by itself, and what to do if it stays.
_TRANSIENT = (
    (
        # https://repost.aws/knowledge-center/redshift-connection-limits
        r"connection limit",
        "let fewer runs at once use the connection, or raise the limit of the user or database.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/mgmt/rs-mgmt-pause-resume-cluster.html
        r"Connection refused|timeout expired|timed out|starting up|shutting down|paused|resuming"
        r"|No route to host|unreachable",
        "resume the cluster if it is paused, check the connection's host and port, and let its "
        "security group accept this machine.",
    ),
)


def refusal(text: str, where: str, user: str | None) -> BatchExportError:
    """What an error without SQLSTATE means: one of connecting, or of a line that broke.

    Whatever is not known may be tried again: nothing was changed, or the server undoes it.
    """
    told = postgres.refusal(text, where, user)
    for pattern, remedy in _TERMINAL:
        if re.search(pattern, told.message):
            return Terminal(told.message, remedy=remedy)
    for pattern, remedy in _TRANSIENT:
        if re.search(pattern, told.message):
            return Transient(told.message, remedy=f"It is tried again. If it stays, {remedy}")
    return told
