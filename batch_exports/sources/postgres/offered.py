"""The columns that a PostgreSQL database has for a model: of its table, or of its query."""

from psycopg import sql

from batch_exports.interval import DataInterval
from batch_exports.models import Query
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.postgres.postgres import Postgres
from batch_exports.sources.postgres.server_columns import describe
from batch_exports.sources.source import Selection

_NOT_NULL = """
SELECT attname FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) AND attnum > 0 AND attnotnull
"""


def offered(source: Postgres, selection: Selection, interval: DataInterval) -> FoundColumns:
    """By the server's own description, for which no row is read. Of a query, nobody knows whether
    a column may be NULL. Raises `Terminal` and `Transient`."""
    model = selection.model
    with source.session("columns") as connection, source.errors(connection, model):
        if isinstance(model.origin, Query):
            columns = source.relation(connection, model, interval).columns.values()
            return FoundColumns(tuple(FoundColumn(c.name, c.shown) for c in columns))
        name = source.table(model)
        there = describe(connection, sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name)))
        never = {column for (column,) in connection.execute(_NOT_NULL, name).fetchall()}
    return FoundColumns(tuple(FoundColumn(c.name, c.shown, c.name not in never) for c in there))
