"""Into PostgreSQL and out of it: bytes that were encoded before, and rows that are thrown away."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch_exports.interval import DataInterval
from benchmarks.lake import END, NOON, START
from benchmarks.ours.definition import export
from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import COLUMN_TYPES, EVENT_FILE_COLUMNS, SCHEMA, Task

if TYPE_CHECKING:
    import psycopg

_CHUNK = 4 * 2**20
_DAY = DataInterval(START, END)
_MORNING, _AFTERNOON = DataInterval(START, NOON), DataInterval(NOON, END)
_MERGE = f"""
MERGE INTO {SCHEMA}.persons t USING stage s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id
WHEN MATCHED AND (t.person_distinct_id_version, t.person_version)
    < (s.person_distinct_id_version, s.person_version)
THEN UPDATE SET person_id = s.person_id, properties = s.properties, created_at = s.created_at,
    person_distinct_id_version = s.person_distinct_id_version, person_version = s.person_version
WHEN NOT MATCHED THEN INSERT (team_id, distinct_id, person_id, properties,
    person_distinct_id_version, person_version, created_at)
VALUES (s.team_id, s.distinct_id, s.person_id, s.properties,
    s.person_distinct_id_version, s.person_version, s.created_at)
"""


def stdin(task: Task) -> Lap:
    """Rows encoded beforehand, through one connection into the documented table."""
    path = task.folder / "rows"
    with export(task) as (selection, source, _), _connected(task) as connection:
        names = encode(selection, source, _DAY, path)
        _make_table(connection, selection)
        with stopwatch() as lap, connection.transaction():
            send(connection, f"COPY {SCHEMA}.events ({names}) FROM STDIN (FORMAT BINARY)", path)
    lap.table = "events"
    return lap


def replaced(task: Task) -> Lap:
    """The same rows again: those that are there deleted, and the encoded ones sent."""
    path = task.folder / "rows"
    with export(task) as (selection, source, destination), _connected(task) as connection:
        names = encode(selection, source, _DAY, path)
        with source.read(selection, _DAY) as batches:
            destination.write(batches, _DAY, "bench")
        with stopwatch() as lap, connection.transaction():
            connection.execute(f"DELETE FROM {SCHEMA}.events".encode())
            send(connection, f"COPY {SCHEMA}.events ({names}) FROM STDIN (FORMAT BINARY)", path)
    lap.table = "events"
    return lap


def merged(task: Task) -> Lap:
    """The afternoon's persons, encoded beforehand: staged, and merged by MERGE."""
    path = task.folder / "rows"
    with export(task) as (selection, source, destination), _connected(task) as connection:
        with source.read(selection, _MORNING) as batches:
            destination.write(batches, _MORNING, "bench")
        names = encode(selection, source, _AFTERNOON, path)
        with stopwatch() as lap, connection.transaction():
            connection.execute(
                f"CREATE TEMP TABLE stage ON COMMIT DROP AS TABLE {SCHEMA}.persons "
                "WITH NO DATA".encode()
            )
            send(connection, f"COPY stage ({names}) FROM STDIN (FORMAT BINARY)", path)
            connection.execute(_MERGE.encode())
    lap.table = "persons"
    return lap


def read_away(task: Task) -> Lap:
    """All columns by COPY in its binary form, thrown away as they come."""
    columns = ", ".join(f'"{name}"' for name in EVENT_FILE_COLUMNS)
    statement = f"COPY (SELECT {columns} FROM {SCHEMA}.events) TO STDOUT (FORMAT BINARY)"
    with (
        _connected(task) as connection,
        stopwatch() as lap,
        connection.cursor().copy(statement.encode()) as copy,
    ):
        for _ in copy:
            pass
    lap.delivers = False
    return lap


def encode(selection: Any, source: Any, interval: DataInterval, target: Path) -> str:
    """Write the interval's rows as a file of binary COPY; the names of its columns."""
    from batch_exports.transform.block import sliced
    from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, encode_rows

    types = [COLUMN_TYPES[column.name] for column in selection.columns]
    types = ["varchar" if type_ == "text" else type_ for type_ in types]
    with source.read(selection, interval) as batches, target.open("wb") as file:
        file.write(SIGNATURE)
        for batch in batches:
            for piece in sliced(batch, _CHUNK):
                file.write(encode_rows(piece, types))
        file.write(TRAILER)
    return ", ".join(f'"{name}"' for name in selection.schema.names)


def send(connection: "psycopg.Connection[Any]", statement: str, path: Path) -> None:
    with connection.cursor().copy(statement.encode()) as copy, path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            copy.write(chunk)


def _make_table(connection: "psycopg.Connection[Any]", selection: Any) -> None:
    """As our export makes it, with the index on its key."""
    from batch_exports.destinations.postgres.preparation import create_table
    from batch_exports.destinations.postgres.table import TableName

    for statement in create_table(TableName(SCHEMA, "events"), "bench", selection, "replace"):
        connection.execute(statement)


def _connected(task: Task) -> "psycopg.Connection[Any]":
    import psycopg

    assert task.postgres
    return psycopg.connect(task.postgres.url, autocommit=True)


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "postgres": {"encoded rows through COPY FROM STDIN": stdin},
    "postgres-rerun": {"DELETE, and encoded rows through COPY FROM STDIN": replaced},
    "persons": {"encoded rows, staged, and MERGE": merged},
    "postgres-to-s3": {"COPY TO STDOUT, thrown away": read_away},
}
