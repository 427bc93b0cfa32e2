"""What system tables keep of a COPY: stl_load_errors, stl_load_commits.

Sources: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html and
https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_COMMITS.html
"""

from psycopg import sql

from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.load import Load

# As many characters as the tables have room for.
_RAW, _REASON, _NAME = 1024, 100, 256

_NUMBER = sql.SQL("SELECT nextval('pg_catalog.emulator_query')")
_ERROR = sql.SQL(
    "INSERT INTO pg_catalog.stl_load_errors (userid, slice, tbl, starttime, session, query,"
    " filename, line_number, colname, type, col_length, position, raw_line, raw_field_value,"
    " err_code, err_reason, is_partial, start_offset) VALUES (100, 0,"
    " to_regclass({table})::oid::int, statement_timestamp() AT TIME ZONE 'UTC', {session},"
    " currval('pg_catalog.emulator_query')::int, {uri}, {line}, {column}, {type}, {length}, 0, '',"
    " {raw}, {code}, {reason}, 0, 0)"
)
_FILE = sql.SQL(
    "INSERT INTO pg_catalog.stl_load_commits (userid, query, slice, name, filename, byte_offset,"
    " lines_scanned, errors, curtime, status, is_partial, start_offset) VALUES (100,"
    " currval('pg_catalog.emulator_query')::int, 0, {table}, {uri}, 0, {rows}, 0,"
    " statement_timestamp() AT TIME ZONE 'UTC', 1, 0, 0)"
)
_SESSION = sql.SQL(
    "SELECT set_config('emulator.copy_count', {rows}, false),"
    " set_config('emulator.copy_id', currval('pg_catalog.emulator_query')::text, false)"
)


def record(load: Load, table: str, session: int) -> str:
    """Statements for the session of a COPY that succeeded: it sees them at once, as on Redshift."""
    files = [
        _FILE.format(table=table[:_NAME], uri=file.uri[:_NAME], rows=file.rows)
        for file in load.files
    ]
    told = _SESSION.format(rows=str(load.rows))
    return _text([_NUMBER, *_errors(load, table, session), *files, told])


def record_failure(server: Server, load: Load, table: str, session: int) -> None:
    """Keep the errors of a COPY that failed, and whose transaction goes. Raises psycopg.Error."""
    statements = _text([_NUMBER, *_errors(load, table, session)])
    with server.connect(dbname=EMULATED_DATABASE) as connection:
        connection.execute(statements.encode())


def _errors(load: Load, table: str, session: int) -> list[sql.Composed]:
    return [
        _ERROR.format(
            table=table,
            session=session,
            uri=error.uri[:_NAME],
            line=error.line,
            column=error.column,
            type=error.column_type,
            length=error.column_length,
            raw=error.raw_value.replace("\0", "")[:_RAW],
            code=error.code,
            reason=error.reason[:_REASON],
        )
        for error in load.errors
    ]


def _text(statements: list[sql.Composable]) -> str:
    return sql.SQL("; ").join(statements).as_string(None)
