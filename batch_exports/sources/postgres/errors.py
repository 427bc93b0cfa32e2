"""PostgreSQL's errors, as someone meets them who reads."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.errors import translate
from batch_exports.errors import BatchExportError, Terminal

# What no retry cures, by SQLSTATE or its first two characters; whatever is not here, or is here and
# may pass, is as it is for someone who writes.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_QUERY = "Correct the model's query."
_REMEDIES = {
    "0A": _QUERY,
    "21": _QUERY,
    "22": "Correct the model's query, or the value that it fails at.",
    "22021": "The database holds bytes that are no text in its encoding: leave the column out, or "
    "convert it in a query.",
    "22P05": "The database holds bytes that are no text in its encoding: leave the column out, or "
    "convert it in a query.",
    "25006": "Let the model's query read alone: it is run in a transaction that is READ ONLY.",
    "3F000": "Correct the source's schema, or the table's.",
    "42": _QUERY,
    "42P01": "Correct the source's schema and tables, or the model's table or query: names in a "
    "query are of the source's schema, unless they say otherwise.",
    "53400": "Raise the server's limit, such as temp_file_limit, or export smaller intervals.",
    "54": "Export smaller intervals or fewer columns.",
}
# PostgreSQL's texts of SQLSTATE 42501 (aclchk.c), each with the statement that allows it to read.
_GRANTS = (
    (r"permission denied for schema (.+)", "GRANT USAGE ON SCHEMA {name} TO {user};"),
    (
        r"permission denied for (?:table|relation|view|materialized view) (.+)",
        "GRANT SELECT ON {schema}.{name} TO {user};",
    ),
    (r"permission denied for function (.+)", "GRANT EXECUTE ON FUNCTION {name} TO {user};"),
)


@contextmanager
def reading_errors(where: str, *, user: str, schema: str | None) -> Generator[None, None, None]:
    """Raise psycopg's errors as ours, with the place and the remedy, never a credential or a row.

    `user` and `schema` are named in the GRANT that a remedy may ask for.
    """
    try:
        yield
    except psycopg.Error as error:
        # What the server says beside its message quotes rows, so nothing is said of the cause.
        raise _translated(error, where, user, schema) from None


def _translated(
    error: psycopg.Error, where: str, user: str, schema: str | None
) -> BatchExportError:
    usual = translate(error, where, user=user, schema=schema)
    state = error.sqlstate or ""
    if state == "42501":
        remedy = f"Let an administrator run: {_grant(error, user, schema)}"
        return Terminal(usual.message, remedy=remedy)
    for key in (state, state[:2]):
        if remedy := _REMEDIES.get(key, ""):
            return Terminal(usual.message, remedy=remedy)
    return usual


def _grant(error: psycopg.Error, user: str, schema: str | None) -> str:
    names = {"user": _quoted(user), "schema": _quoted(schema) if schema else "<schema>"}
    for pattern, statement in _GRANTS:
        if found := re.search(pattern, error.diag.message_primary or ""):
            return statement.format(name=_quoted(found[1]), **names)
    return "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user};".format(**names)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
