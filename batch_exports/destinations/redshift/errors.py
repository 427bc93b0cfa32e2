"""What Redshift's errors mean to the user: act, or let it be tried again."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from batch_exports.destinations.postgres import errors as postgres
from batch_exports.destinations.postgres.grants import missing_grant
from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.bucket_rights import bucket_rights
from batch_exports.destinations.redshift.messages import Meaning, meaning
from batch_exports.destinations.redshift.refusals import refusal
from batch_exports.errors import BatchExportError, Terminal, Transient

# What Redshift means by a SQLSTATE where that is not what PostgreSQL means, or the remedy is not.
_STATES = {
    "0A": Meaning(Terminal, "Report it with the server's version: it lacks what an export uses."),
    "22001": Meaning(
        Terminal,
        "Make the column wider, by ALTER TABLE ... ALTER COLUMN ... TYPE varchar(...): its length "
        "is in bytes, and 65535 the most.",
    ),
    "22003": Meaning(Terminal, "Let the column have a wider type, such as bigint or numeric."),
    "23502": Meaning(Terminal, "Let the column take NULL, or leave it out of the export."),
    "25006": Meaning(Transient, "wait until the cluster is resized, or give the writer's host."),
    "28": Meaning(
        Terminal,
        "Correct the connection's user, or the value of its password's environment variable; "
        "with iam, the user of that name must exist in the database.",
    ),
    "3D000": Meaning(Terminal, "Correct the connection's database."),
    "3F000": Meaning(Terminal, "Create the schema, or correct the export's schema."),
    "42601": Meaning(Terminal, "Report it: this is a fault of the export itself."),
    "42883": Meaning(Terminal, "Report it with the server's version: it lacks this function."),
    "53100": Meaning(
        Terminal,
        "Drop what is not needed and run VACUUM, or let the cluster have more nodes; then "
        "materialize the partition.",
    ),
    "53300": Meaning(Transient, "let fewer runs at once use the connection."),
    "53": Meaning(Transient, "let fewer runs at once use the connection."),
    "55006": Meaning(Transient, "end what uses it."),
    "57014": Meaning(
        Terminal,
        "Raise the connection's statement_timeout_seconds or the limit of the queue, or export "
        "smaller intervals. If an administrator canceled it, materialize the partition when it "
        "may run.",
    ),
    "57P03": Meaning(Transient, "resume the cluster if it is paused."),
}
# Of the detail of an XX000: a line for each, such as "  context:   S3 key being read : s3://...".
# Others may quote rows.
_CONTEXT = re.compile(
    r"^ *context: *((?:S3 key|IAM Role|File|Task failed|Spectrum|The length|https?:|s3:|node:).*)$",
    re.MULTILINE,
)
# What signs a URL stands after its question mark, and is a credential for some minutes.
_SIGNATURE = re.compile(r"\?[^\s'\"]*")
_QUOTED = re.compile(r"(['\"`]).*\1", re.DOTALL)


@contextmanager
def redshift_errors(
    where: str,
    *,
    user: str | None = None,
    schema: str | None = None,
    authorization: Authorization | None = None,
    stage: str = "",
) -> Generator[None, None, None]:
    """Raise psycopg's errors as ours, with the place and the remedy, never a credential or a row.

    `user` and `schema` are named in the GRANT that a remedy may ask for, `authorization` and
    `stage` (s3://bucket/prefix) in the policy that one for a COPY may ask for.
    """
    try:
        yield
    except psycopg.Error as error:
        # What the server says beside its message quotes rows, so nothing is said of the cause.
        raise translate(
            error, where, user=user, schema=schema, authorization=authorization, stage=stage
        ) from None


def translate(
    error: psycopg.Error,
    where: str,
    *,
    user: str | None = None,
    schema: str | None = None,
    authorization: Authorization | None = None,
    stage: str = "",
) -> BatchExportError:
    """The error in our terms: what, where, whether to act, and how."""
    state = error.sqlstate
    if state is None:
        if isinstance(error, psycopg.OperationalError):
            return refusal(str(error), where, user)
        return postgres.translate(error, where, user=user, schema=schema)
    primary = " ".join((error.diag.message_primary or str(error)).split())
    detail = error.diag.message_detail or ""
    # Most errors of Redshift's own have no SQLSTATE of their own, but words and a number.
    said = f"{primary} {' '.join(detail.split())}" if state.startswith("XX") else primary
    known = bucket_rights(said, authorization, stage) or meaning(said)
    if known:
        return known.error(f"{where}: {_shown(primary, detail)} (SQLSTATE {state}).")
    if state.startswith("XX"):
        unquoted = _QUOTED.sub('"..."', primary).rstrip(".")
        text = f"{where}: {unquoted} (SQLSTATE {state})."
        return Terminal(text, remedy="See SVL_STATEMENTTEXT and STL_ERROR at the server.")
    text = postgres.translate(error, where, user=user, schema=schema).message
    if state == "42501":
        grant = missing_grant(primary, user, schema)
        return Terminal(text, remedy=f"Let an administrator run: {grant}")
    for key in (state, state[:2]):
        if found := _STATES.get(key):
            return found.error(text)
    return postgres.translate(error, where, user=user, schema=schema)


def _shown(primary: str, detail: str) -> str:
    """What was said, with the place that the detail tells: a file, a key of S3 or a role."""
    context = _CONTEXT.search(detail)
    if primary.isdigit():  # "1023", of which the detail says what it is
        primary = f"{primary}, {' '.join(detail.split())}"
        context = None
    parts = [primary.rstrip("."), context[1].rstrip(". ") if context else ""]
    told = ": ".join(part for part in parts if part)
    return _SIGNATURE.sub("", told)
