"""Whether a cluster is reached: its port, TLS, the user's login, and that it is Redshift."""

import re
from dataclasses import replace

from batch_exports.destinations.postgres import reachability as server
from batch_exports.destinations.redshift.attempt import Attempt
from batch_exports.errors import BatchExportError, Terminal
from batch_exports.probe import Finding, passed, skipped

# https://docs.aws.amazon.com/redshift/latest/dg/r_VERSION.html
_VERSION = re.compile(r"Redshift ([\w.]+)")
# What every connection sets first, and no other server has.
_REDSHIFTS_OWN = "query_group"
# https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html: UTF-8 alone, which
# older versions call so.
_ENCODINGS = ("UNICODE", "UTF8")
_NOT_REDSHIFT = (
    "Correct the connection's host and port; to PostgreSQL exports a PostgresBatchExport."
)


def reach(attempt: Attempt) -> Finding:
    try:
        return server.reach(attempt)
    except Terminal as error:
        raise Terminal(
            error.message,
            remedy="Correct the connection's host and port, resume the cluster if it is paused, "
            "and let its security group accept TCP from this machine; from outside of its VPC it "
            "has to be publicly accessible.",
        ) from error


def encrypt(attempt: Attempt) -> Finding:
    refused = attempt.connect()
    if refused and not refused.message.startswith(attempt.destination.address):
        return skipped("AWS gives no password to begin with: see the next step")
    finding = server.encrypt(attempt)
    if finding.verdict != "warning":
        return finding
    return replace(
        finding, remedy="Set ssl_mode: verify-full, which needs no certificate of yours."
    )


def log_in(attempt: Attempt) -> Finding:
    if refused := attempt.connect():
        raise _told(refused, attempt.destination.address)
    with attempt.session() as connection:
        info = connection.info
        row = connection.execute("SELECT version()").fetchone()
        said = str(row[0]) if row else ""
        version = _VERSION.search(said)
        if version is None:
            what = " ".join(said.split()[:2])
            raise Terminal(f"The server is {what}, and not Redshift.", remedy=_NOT_REDSHIFT)
        encoding = info.parameter_status("server_encoding")
        if encoding not in _ENCODINGS:
            raise Terminal(
                f"The database {info.dbname!r} is encoded in {encoding}, which cannot hold every "
                "character: no delivery goes there.",
                remedy="Export to a database that Redshift made.",
            )
    return passed(f"user {info.user!r}, database {info.dbname!r}, Redshift {version[1]}")


def _told(refused: BatchExportError, address: str) -> BatchExportError:
    if _REDSHIFTS_OWN not in refused.message:
        return refused
    return Terminal(
        f"{address} is not Redshift: it does not know {_REDSHIFTS_OWN}.", remedy=_NOT_REDSHIFT
    )
