"""The steps by which a PostgreSQL source is tried, from the server's name to the rows."""

from collections.abc import Sequence

from psycopg import sql

from batch_exports.destinations.postgres.reachability import encrypt, reach, resolve
from batch_exports.models import Query
from batch_exports.probe import Finding, Step, passed, skipped, warning
from batch_exports.sources.postgres.attempt import Attempt
from batch_exports.sources.postgres.reading import asked
from batch_exports.sources.postgres.rows import schema_of

# What kind of relation it is, its pages, and whether an index of all its rows begins with a column.
_INDEX = """
SELECT relkind, relpages, EXISTS (
    SELECT FROM pg_catalog.pg_index
    JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = pg_class.oid AND indisvalid AND indpred IS NULL AND attname = {column}
)
FROM pg_catalog.pg_class WHERE oid = {table}::pg_catalog.regclass
"""
_TABLES = ("r", "p", "m")  # https://www.postgresql.org/docs/current/catalog-pg-class.html
# So many pages, of 8 KiB, are read in a moment.
_FEW_PAGES = 1024


def log_in(attempt: Attempt) -> Finding:
    if refused := attempt.connect():
        raise refused
    with attempt.session() as connection:
        info = connection.info
        if info.parameter_status("server_encoding") == "SQL_ASCII":
            return warning(
                f"The database {info.dbname!r} has no encoding: its text may be any bytes.",
                remedy="A run fails where they are not UTF-8: convert such columns in a query.",
            )
        version = info.parameter_status("server_version")
        return passed(f"user {info.user!r}, database {info.dbname!r}, PostgreSQL {version}")


def find_columns(attempt: Attempt) -> Finding:
    source, selection = attempt.destination.source, attempt.destination.selection
    with source.session("test") as connection, source.errors(connection, selection.model):
        relation = source.relation(connection, selection.model, attempt.interval)
        names = relation.needed(selection)
        schema = schema_of(selection, names)
        for column, field in zip(relation.selected(names), schema, strict=True):
            asked(column, field.type, relation.where)
    return passed(f"{relation.where}: it has the columns")


def find_index(attempt: Attempt) -> Finding:
    source, selection = attempt.destination.source, attempt.destination.selection
    if isinstance(selection.model.origin, Query):
        return skipped("a query has none of its own")
    with source.session("test") as connection, source.errors(connection, selection.model):
        relation = source.relation(connection, selection.model, attempt.interval)
        column = relation.columns[selection.membership].name
        statement = sql.SQL(_INDEX).format(
            column=sql.Literal(column), table=sql.Literal(relation.rows.as_string(connection))
        )
        found = connection.execute(statement).fetchone()
    assert found
    kind, pages, indexed = found
    if kind not in _TABLES:
        return skipped(f"{relation.where} is no table")
    if indexed:
        return passed(f"an index begins with {column!r}")
    if 0 <= pages < _FEW_PAGES and kind != "p":
        return passed(f"none begins with {column!r}, nor does so small a table need one")
    how = "" if kind == "p" else " CONCURRENTLY"  # which no partitioned table allows
    return warning(
        f"{relation.where}: no index begins with {column!r}: each interval reads all rows.",
        remedy=f"Let an administrator run: CREATE INDEX{how} ON "
        f"{relation.rows.as_string()} ({sql.Identifier(column).as_string()});",
    )


def read_rows(attempt: Attempt) -> Finding:
    source, selection = attempt.destination.source, attempt.destination.selection
    with source.read(selection, attempt.interval) as rows:
        first = next(iter(rows), None)
    if first is None:
        return passed(f"{attempt.interval} has no row that is exported")
    return passed(f"{attempt.interval}: the first {first.num_rows} rows are read")


STEPS: Sequence[Step[Attempt]] = (
    Step("host name", resolve),
    Step("network", reach),
    Step("TLS", encrypt),
    Step("log in", log_in),
    Step("columns", find_columns),
    Step("index", find_index),
    Step("rows", read_rows),
)
