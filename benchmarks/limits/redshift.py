"""Into the emulator of Redshift: what it needs itself for rows that were made ready before."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from batch_exports.local.redshift.roles import ROLE_ARN
from benchmarks.stopwatch import Lap, stage, stopwatch
from benchmarks.task import BUCKET, EVENT_TABLE_COLUMNS, SCHEMA, Task

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_JSON = ("properties", "set", "set_once")
_TABLE = {
    **dict.fromkeys(EVENT_TABLE_COLUMNS, "VARCHAR(200)"),
    **dict.fromkeys(_JSON, "SUPER"),
    "team_id": "INTEGER",
    "timestamp": "TIMESTAMPTZ",
}
_STAGE = _TABLE | dict.fromkeys(_JSON, "VARBYTE(16777216)") | {"timestamp": "TIMESTAMP"}


def copied(task: Task) -> Lap:
    """One file that lies on S3 already: COPY into a stage, and JSON_PARSE into the table."""
    import pyarrow.parquet as pq
    from pyarrow import fs

    assert task.s3
    path = f"{BUCKET}/{task.prefix}rows.parquet"
    store = fs.S3FileSystem(
        access_key=task.s3.key_id,
        secret_key=task.s3.secret,
        endpoint_override=task.s3.endpoint,
        region=task.s3.region,
    )
    rows = iter(_rows(task))
    first = next(rows)
    with pq.ParquetWriter(path, first.schema, filesystem=store, compression="zstd") as writer:
        writer.write_batch(first)
        for batch in rows:
            writer.write_batch(batch)
    with _connected(task) as connection:
        _make_tables(connection)
        with stopwatch() as lap:
            with stage(lap, "COPY"):
                connection.execute(
                    f"COPY stage FROM 's3://{path}' IAM_ROLE '{ROLE_ARN}' "
                    "FORMAT AS PARQUET".encode()
                )
            _settle(connection)
    lap.table = "events"
    return lap


def inserted(task: Task) -> Lap:
    """Statements as large as Redshift takes them, made before."""
    from batch_exports.destinations.redshift.insert import _VALUES_BYTES, _gathered
    from batch_exports.transform.block import sliced
    from batch_exports.transform.redshift_insert import encode_values

    pieces = (
        values
        for batch in _rows(task)
        for piece in sliced(batch, 2 * 2**20)
        for values in encode_values(piece, most_bytes=_VALUES_BYTES, backslash_escapes=True)
    )
    statements = []
    for number, values in enumerate(_gathered(pieces)):
        path = task.folder / f"statement-{number}"
        path.write_bytes(b"INSERT INTO stage VALUES " + values.text)
        statements.append(path)
    with _connected(task) as connection:
        _make_tables(connection)
        with stopwatch() as lap:
            for path in statements:
                connection.execute(path.read_bytes())
            _settle(connection)
    lap.table = "events"
    return lap


def _rows(task: Task) -> "Iterator[pa.RecordBatch]":
    """In the types that COPY takes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in task.files("events"):
        for batch in pq.ParquetFile(path).iter_batches(60_000, columns=list(EVENT_TABLE_COLUMNS)):
            table = pa.Table.from_batches([batch]).select(list(EVENT_TABLE_COLUMNS))
            for name, type_ in {
                **dict.fromkeys(_JSON, pa.binary()),
                "team_id": pa.int32(),
                "timestamp": pa.timestamp("us"),
            }.items():
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, table.column(name).cast(type_))
            yield from table.combine_chunks().to_batches()


def _make_tables(connection: "psycopg.Connection[Any]") -> None:
    for begin, types in (
        (f"CREATE TABLE {SCHEMA}.events", _TABLE),
        ("CREATE TEMP TABLE stage", _STAGE),
    ):
        columns = ", ".join(f'"{name}" {type_}' for name, type_ in types.items())
        connection.execute(f"{begin} ({columns})".encode())


def _settle(connection: "psycopg.Connection[Any]") -> None:
    columns = ", ".join(
        f'JSON_PARSE("{name}")' if name in _JSON else f'"{name}"' for name in EVENT_TABLE_COLUMNS
    )
    connection.execute(f"INSERT INTO {SCHEMA}.events SELECT {columns} FROM stage".encode())


def _connected(task: Task) -> "psycopg.Connection[Any]":
    import psycopg

    assert task.redshift
    return psycopg.connect(
        task.redshift.url, autocommit=True, client_encoding="utf8", prepare_threshold=None
    )


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "redshift-copy": {"COPY and JSON_PARSE of a file on S3": copied},
    "redshift-insert": {"INSERT of statements made before": inserted},
}
