"""What PostgreSQL's errors mean to the user: act, or let it be tried again."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from batch_exports.destinations.postgres.grants import missing_grant
from batch_exports.destinations.postgres.refusals import refusal
from batch_exports.errors import BatchExportError, Terminal, Transient

# What no retry cures, by SQLSTATE or its first two characters, each with what the user can do.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_TERMINAL = {
    "0A": "The server lacks this, or the table's kind does not allow it: give a plain table.",
    "21": "Let the exported columns hold the model's key, so that no row stands twice.",
    "22": "Let the column have the documented type, or leave it out of the export's columns.",
    "22001": "Make the column wider, such as by ALTER TABLE ... ALTER COLUMN ... TYPE text.",
    "22003": "Let the column have a wider type, such as bigint or numeric.",
    "22021": "Use a database whose encoding is UTF8: this one cannot hold every character.",
    "22P05": "Use a database whose encoding is UTF8; no database's JSON holds \\u0000.",
    "23502": "Drop NOT NULL, or give the column a default and leave it out of the export.",
    "23503": "Drop the foreign key, or let the rows that it refers to come first.",
    "23505": "Drop the unique constraint if it is not on the model's key; else remove the rows "
    "that did not come from this export.",
    "23514": "Change the check constraint, or attach the missing partition.",
    "23": "Change the constraint so that it lets the model's rows in.",
    "28": "Correct the connection's user and password.",
    "2BP01": "Drop what depends on it first.",
    "3D000": "Correct the connection's database.",
    "3F000": "Create the schema, or correct the export's schema.",
    "42P01": "Create the table, or correct the export's schema and table.",
    "42703": "Add the column, or leave it out of the export's columns.",
    "42704": "Create it, or give the column a type that the server knows.",
    "42804": "Let the column have the documented type, or leave it out of the export's columns.",
    "42809": "Give a plain table: it is something else.",
    "42P10": "Give the table a primary key or a unique index on the model's key.",
    # Other statements may free space, but a load that is tried again takes it from them.
    "53100": "Free space on the server's disk, or make it larger, then materialize the partition.",
    "53400": "Raise the server's limit, such as temp_file_limit, or export smaller intervals.",
    "54": "Export smaller intervals or fewer columns; an index on a large value must go.",
    "55000": "Give a plain table: it is something else, or not in a state to be written.",
    # The statement would run into the same limit again, after the same time.
    "57014": "Raise the connection's statement_timeout_seconds, or export smaller intervals. If an "
    "administrator canceled it, materialize the partition when it may run.",
    "57P04": "Correct the connection's database.",
    "58": "See the server's log: its storage fails.",
    "P0": "The server's log has the message, which may quote rows: mend the trigger or function.",
    "XX001": "See the server's log: its data is damaged.",
    "XX002": "See the server's log: its index is damaged, REINDEX may mend it.",
}
# What may pass by itself, with what to do if it stays.
_TRANSIENT = {
    "08": "check the network between, and the pooler where there is one.",
    "25006": "give the primary's host, or make the database writable: some providers turn it "
    "read-only while its disk is full.",
    "25P03": "find out why the run paused for so long: its source, or its machine.",
    "40": "let no other program write to the table at the same time.",
    "53": "give the server more memory, or let fewer runs at once use the connection.",
    "55006": "end what uses it.",
    "55P03": "see in pg_stat_activity which other run or program holds the table, or raise the "
    "connection's lock_timeout_seconds.",
    "57": "see the server's log.",
}
# From the first sign to the last that is no letter, digit or plain punctuation: the value, whatever
# quotes the server's language puts around it, and whatever quotes it holds.
_QUOTED = re.compile(r"[^\w\s.,:;()/-].*[^\w\s.,:;()/-]", re.DOTALL)
# "COPY events, line 3, column ip: "the value""
_COPY_LINE = re.compile(r"^COPY .*?, line (\d+)(?:, column ([^:\n]+))?", re.MULTILINE)


@contextmanager
def postgres_errors(
    where: str, *, user: str | None = None, schema: str | None = None
) -> Generator[None, None, None]:
    """Raise psycopg's errors as ours, with the place and the remedy, never a credential or a row.

    `user` and `schema` are named in the GRANT that a remedy may ask for.
    """
    try:
        yield
    except psycopg.Error as error:
        # What the server says beside its message quotes rows, so nothing is said of the cause.
        raise translate(error, where, user=user, schema=schema) from None


def translate(
    error: psycopg.Error, where: str, *, user: str | None = None, schema: str | None = None
) -> BatchExportError:
    """The error in our terms: what, where, whether to act, and how."""
    state = error.sqlstate
    if state is None:
        if isinstance(error, psycopg.OperationalError):
            return refusal(str(error), where, user)
        return Terminal(
            f"{where}: {_message(error)}.",
            remedy="Report it: this is a fault of the export itself.",
        )
    text = f"{where}: {_message(error)} ({', '.join(_details(error, state))})."
    if state == "42501":
        grant = missing_grant(error.diag.message_primary or "", user, schema)
        return Terminal(text, remedy=f"Let an administrator run: {grant}")
    if state == "42P01" and "PL/pgSQL" in (error.diag.context or ""):
        return Terminal(
            text,
            remedy="Let the trigger name it with its schema: an export's search_path is empty.",
        )
    if state == "23505" and error.diag.schema_name == "pg_catalog":
        return Transient(text, remedy="Another run created it meanwhile; it is tried again.")
    for key in (state, state[:2]):
        if remedy := _TERMINAL.get(key):
            return Terminal(text, remedy=remedy)
        if remedy := _TRANSIENT.get(key):
            return Transient(text, remedy=f"It is tried again. If it stays, {remedy}")
    return Terminal(text, remedy="See PostgreSQL's documentation of this SQLSTATE.")


def _message(error: psycopg.Error) -> str:
    """The message without the values that it may quote."""
    message = (error.diag.message_primary or str(error)).rstrip(".")
    if isinstance(error, psycopg.DataError):
        return _QUOTED.sub('"..."', message)
    if (error.sqlstate or "").startswith("P0"):  # a user's own text
        return "a trigger or function raised an error"
    return message


def _details(error: psycopg.Error, state: str) -> Generator[str, None, None]:
    """SQLSTATE and names; never DETAIL, nor CONTEXT beyond its numbers and names."""
    diag = error.diag
    yield f"SQLSTATE {state}"
    line = _COPY_LINE.search(diag.context or "")
    named = {
        "table": diag.table_name,
        "column": diag.column_name or (line[2] if line else None),
        "constraint": diag.constraint_name,
        "COPY line": line[1] if line else None,
    }
    for name, value in named.items():
        if value:
            yield f"{name} {value}"
