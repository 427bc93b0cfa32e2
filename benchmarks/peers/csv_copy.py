r"""CSV through COPY, as `psql \copy` sends a file that something else has written."""

from collections.abc import Callable, Mapping

from benchmarks.peers.documented_table import connected, make_table
from benchmarks.stopwatch import Lap, stage, stopwatch
from benchmarks.task import EVENT_TABLE_COLUMNS, SCHEMA, Task

PACKAGES = ("duckdb", "psycopg")
_CHUNK = 2**20


def copy(task: Task) -> Lap:
    import duckdb

    path = task.folder / "events.csv"
    names = ", ".join(f'"{name}"' for name in EVENT_TABLE_COLUMNS)
    statement = f"COPY {SCHEMA}.events ({names}) FROM STDIN (FORMAT csv)"
    with connected(task) as connection, duckdb.connect() as database:
        make_table(connection)
        database.execute("SET TimeZone = 'UTC'")
        with stopwatch() as lap:
            with stage(lap, "write CSV"):
                database.execute(
                    f"COPY (SELECT {names} FROM read_parquet({task.files('events')})) "
                    f"TO '{path}' (FORMAT csv, HEADER false)"
                )
            with (
                stage(lap, "COPY"),
                connection.cursor().copy(statement.encode()) as target,
                path.open("rb") as file,
            ):
                while chunk := file.read(_CHUNK):
                    target.write(chunk)
    lap.table = "events"
    return lap


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "postgres": {r"CSV by DuckDB, \copy": copy}
}
