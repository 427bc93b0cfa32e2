"""What is kept of COPY beyond the transaction that it ran in: stl_load_errors, stl_load_commits."""

from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.load import Load

# As many characters as the views have room for.
_RAW, _REASON, _NAME = 1024, 100, 256


def record(server: Server, load: Load, table: str, session: int) -> int:
    """Keep the files and the errors of a COPY, and give its number. Raises psycopg.Error."""
    with server.connect(dbname=EMULATED_DATABASE) as connection, connection.cursor() as cursor:
        row = cursor.execute("SELECT nextval('pg_catalog.emulator_query')::int").fetchone()
        assert row
        query: int = row[0]
        cursor.executemany(
            "INSERT INTO pg_catalog.stl_load_errors (userid, slice, tbl, starttime, session, query,"
            " filename, line_number, colname, type, col_length, position, raw_line,"
            " raw_field_value, err_code, err_reason, is_partial, start_offset) VALUES"
            " (100, 0, to_regclass(%s)::oid::int, now() AT TIME ZONE 'UTC', %s, %s,"
            " %s, %s, %s, %s, %s, 0, '', %s, %s, %s, 0, 0)",
            [
                (
                    *(table, session, query, error.uri[:_NAME], error.line, error.column),
                    *(error.column_type, error.column_length),
                    error.raw_value.replace("\0", "")[:_RAW],
                    *(error.code, error.reason[:_REASON]),
                )
                for error in load.errors
            ],
        )
        cursor.executemany(
            "INSERT INTO pg_catalog.stl_load_commits (userid, query, slice, name, filename,"
            " byte_offset, lines_scanned, errors, curtime, status, is_partial, start_offset)"
            " VALUES (100, %s, 0, %s, %s, 0, %s, 0, now() AT TIME ZONE 'UTC', 1, 0, 0)",
            [(query, table[:_NAME], file.uri[:_NAME], file.rows) for file in load.files],
        )
    return query
