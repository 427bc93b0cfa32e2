"""Events and persons into PostgreSQL: ours, and the least that the server itself needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batch_exports.interval import DataInterval
from benchmarks.ours import END, START, export, pipeline, run
from benchmarks.stopwatch import Lap, stopwatch

if TYPE_CHECKING:
    import psycopg

_CHUNK = 4 * 2**20
_DAY = DataInterval(START, END)
# Persons arrive in two halves; half of the second have keys of the first.
_FIRST = DataInterval(START, START + timedelta(hours=12))
_SECOND = DataInterval(START + timedelta(hours=12), END)
_TYPES = {
    **dict.fromkeys(("uuid", "event", "distinct_id", "ip", "site_url", "person_id"), "varchar"),
    **dict.fromkeys(("properties", "elements", "set", "set_once"), "jsonb"),
    **dict.fromkeys(("team_id", "person_distinct_id_version", "person_version"), "int4"),
    **dict.fromkeys(("timestamp", "created_at"), "timestamptz"),
}


def limit_stdin(lake: Path, target: Path) -> Lap:
    """Rows encoded beforehand, through one connection into the documented table."""
    return _through_stdin(lake, target, indexed=False)


def limit_stdin_indexed(lake: Path, target: Path) -> Lap:
    """The same into the table that our export makes, which has an index on the key."""
    return _through_stdin(lake, target, indexed=True)


def limit_file(lake: Path, target: Path) -> Lap:
    """The same bytes, read by the server itself."""
    with _export(lake, "events") as (selection, source, _):
        names = _encode(selection, source, _DAY, target)
        target.chmod(0o644)
        with _administrator() as connection:
            _make_table(connection, selection, indexed=False)
            with stopwatch() as lap:
                connection.execute(
                    f"COPY bench.events ({names}) FROM '{target}' (FORMAT BINARY)".encode()
                )
    return lap


def our_first_load(lake: Path, target: Path) -> Lap:
    _fresh_schema()
    return pipeline(lake, model="events", parallelism=1)


def our_first_load_by_two(lake: Path, target: Path) -> Lap:
    _fresh_schema()
    return pipeline(lake, model="events", parallelism=2)


def our_rerun(lake: Path, target: Path) -> Lap:
    _fresh_schema()
    pipeline(lake, model="events", parallelism=1)
    return pipeline(lake, model="events", parallelism=1)


def our_run(lake: Path, target: Path) -> Lap:
    _fresh_schema()
    return run(lake, model="events", parallelism=1)


def merge_limit(lake: Path, target: Path) -> Lap:
    """The second half of the persons, encoded beforehand: staged, and merged by MERGE."""
    with _export(lake, "persons") as (selection, source, destination):
        _deliver(selection, source, destination, _FIRST)
        names = _encode(selection, source, _SECOND, target)
    with (
        _administrator() as connection,
        target.open("rb") as file,
        stopwatch() as lap,
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE TEMP TABLE stage ON COMMIT DROP AS TABLE bench.persons WITH NO DATA")
        _copy(cursor, f"COPY stage ({names}) FROM STDIN (FORMAT BINARY)", file)
        cursor.execute(_MERGE)
    return lap


def our_merge(lake: Path, target: Path) -> Lap:
    with _export(lake, "persons") as (selection, source, destination):
        _deliver(selection, source, destination, _FIRST)
        with stopwatch() as lap:
            _deliver(selection, source, destination, _SECOND)
    return lap


_MERGE = """
MERGE INTO bench.persons t USING stage s
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


def _through_stdin(lake: Path, target: Path, *, indexed: bool) -> Lap:
    with _export(lake, "events") as (selection, source, _):
        names = _encode(selection, source, _DAY, target)
        with _administrator() as connection, target.open("rb") as file:
            _make_table(connection, selection, indexed=indexed)
            with stopwatch() as lap, connection.transaction(), connection.cursor() as cursor:
                _copy(cursor, f"COPY bench.events ({names}) FROM STDIN (FORMAT BINARY)", file)
    return lap


def _copy(cursor: "psycopg.Cursor[Any]", statement: str, file: IO[bytes]) -> None:
    with cursor.copy(statement.encode()) as copy:
        while chunk := file.read(_CHUNK):
            copy.write(chunk)


def _encode(selection: Any, source: Any, interval: DataInterval, target: Path) -> str:
    """Write the interval's rows as a file of binary COPY; the names of its columns."""
    from batch_exports.transform.block import sliced
    from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, encode_rows

    types = [_TYPES[column.name] for column in selection.columns]
    with source.read(selection, interval) as batches, target.open("wb") as file:
        file.write(SIGNATURE)
        for batch in batches:
            for piece in sliced(batch, _CHUNK):
                file.write(encode_rows(piece, types))
        file.write(TRAILER)
    return ", ".join(f'"{name}"' for name in selection.schema.names)


def _make_table(connection: "psycopg.Connection[Any]", selection: Any, *, indexed: bool) -> None:
    from batch_exports.destinations.postgres.preparation import create_table
    from batch_exports.destinations.postgres.table import TableName

    statements = create_table(TableName("bench", "events"), "bench", selection, "replace")
    for statement in statements if indexed else statements[:1]:
        connection.execute(statement)


@contextmanager
def _export(lake: Path, model: str) -> Iterator[tuple[Any, Any, Any]]:
    _fresh_schema()
    with export(lake, model=model, parallelism=1) as found:
        yield found


def _deliver(selection: Any, source: Any, destination: Any, interval: DataInterval) -> None:
    with source.read(selection, interval) as batches:
        destination.write(batches, interval, "bench")


def _fresh_schema() -> None:
    with _administrator() as connection:
        connection.execute("DROP SCHEMA IF EXISTS bench CASCADE")
        connection.execute("CREATE SCHEMA bench")
        user = os.environ["BENCH_POSTGRES_USER"]
        connection.execute(f'GRANT CREATE, USAGE ON SCHEMA bench TO "{user}"'.encode())
        connection.execute("CHECKPOINT")


def _administrator() -> "psycopg.Connection[Any]":
    from batch_exports.local import postgres_server

    server = postgres_server.find(Path(os.environ["BENCH_POSTGRES_FOLDER"]))
    assert server
    return server.connect(autocommit=True)
