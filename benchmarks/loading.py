"""The lake's rows into a server by its own means, with none of the code that is measured."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from batch_exports.local.clickhouse import posthog, server
from benchmarks.servers import Servers
from benchmarks.task import COLUMN_TYPES, EVENT_FILE_COLUMNS, SCHEMA

_CHUNK = 2**20
_CLICKHOUSE = """
INSERT INTO posthog.events
SELECT toUUID(uuid), event, properties, timestamp, team_id, distinct_id, elements_chain,
    created_at, toUUID(person_id), created_at, person_properties, 'full', toDateTime(inserted_at),
    0, inserted_at
FROM file('{lake}/events/*.parquet')
"""


def load_table(
    connection: "psycopg.Connection[Any]", query: str, table: str, columns: Mapping[str, str]
) -> None:
    """Make `table` of `columns`, by name and type, and fill it with what DuckDB answers to `query`,
    by way of CSV."""
    names = ", ".join(f'"{name}"' for name in columns)
    types = ", ".join(f'"{name}" {type_}' for name, type_ in columns.items())
    connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
    connection.execute(f"CREATE TABLE {table} ({types})".encode())
    with tempfile.TemporaryDirectory(prefix="bench-csv-") as folder:
        path = Path(folder) / "rows.csv"
        with duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            database.execute(
                f"COPY (SELECT {names} FROM ({query})) "
                f"TO '{path}' (FORMAT csv, HEADER false, NULLSTR '~null~')"
            )
        copying = f"COPY {table} ({names}) FROM STDIN (FORMAT csv, NULL '~null~')"
        with path.open("rb") as file, connection.cursor().copy(copying.encode()) as copy:
            while chunk := file.read(_CHUNK):
                copy.write(chunk)


def load_postgres_source(servers: Servers, lake: Path) -> None:
    """A table of events to export from, as one that grew would be: indexed by arrival, analyzed."""
    place = servers.postgres
    assert place
    columns = {name: COLUMN_TYPES[name] for name in (*EVENT_FILE_COLUMNS, "team_id")}
    query = f"SELECT * FROM read_parquet('{lake}/events/*.parquet')"
    table = f"{SCHEMA}.events"
    with servers.database.connect(autocommit=True) as connection:
        load_table(connection, query, table, columns)
        connection.execute(f"CREATE INDEX ON {table} (inserted_at)".encode())
        connection.execute(f'GRANT SELECT ON {table} TO "{place.user}"'.encode())
        connection.execute(f"VACUUM ANALYZE {table}".encode())


def load_clickhouse_source(servers: Servers, lake: Path) -> None:
    """PostHog's table of events."""
    found = server.find(servers.folder / "clickhouse")
    assert found
    posthog.create_tables(found.run)
    found.run(_CLICKHOUSE.format(lake=lake))
