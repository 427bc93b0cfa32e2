r"""PostHog's own way, rebuilt from what is known of its exports: rows one by one in Python.

Lines by orjson, each a gzip member of its own, by two processes; parts of 50 MiB, five in flight.
Into PostgreSQL as CSV with tabs, 50 MiB and one transaction at a time, its JSON mended by a regular
expression; persons by a stage and INSERT ... ON CONFLICT. Into Redshift by INSERT statements of
8 MiB. https://posthog.com/docs/cdp/batch-exports and
https://github.com/PostHog/posthog/tree/master/products/batch_exports/backend/temporal
"""

import csv
import gzip
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from benchmarks.peers.documented_table import connected, make_table
from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import (
    BUCKET,
    EVENT_FILE_COLUMNS,
    EVENT_TABLE_COLUMNS,
    PERSON_COLUMNS,
    SCHEMA,
    Task,
)

if TYPE_CHECKING:
    import psycopg

PACKAGES = ("orjson", "psycopg", "boto3")
_PART = _CHUNK = 50 * 2**20
_STATEMENT = 8 * 2**20
_ROWS = 10_000
_JSON = ("properties", "person_properties", "set", "set_once")
_BROKEN = re.compile(rb"\\u0000|\\u[dD][89a-bA-B][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
_MERGE = f"""
INSERT INTO {SCHEMA}.persons AS final SELECT * FROM {SCHEMA}.stage_persons
ON CONFLICT (team_id, distinct_id) DO UPDATE SET person_id = EXCLUDED.person_id,
    properties = EXCLUDED.properties, created_at = EXCLUDED.created_at,
    person_distinct_id_version = EXCLUDED.person_distinct_id_version,
    person_version = EXCLUDED.person_version
WHERE EXCLUDED.person_version > final.person_version
    OR EXCLUDED.person_distinct_id_version > final.person_distinct_id_version
"""


def json_lines(task: Task) -> Lap:
    with stopwatch() as lap, ProcessPoolExecutor(2) as pool:
        waiting: list[Future[bytes]] = []

        def parts() -> Iterator[bytes]:
            for rows in _rows(task.files("events"), EVENT_FILE_COLUMNS):
                waiting.append(pool.submit(_lines, rows))
                if len(waiting) > 4:
                    yield waiting.pop(0).result()
            for left in waiting:
                yield left.result()

        _upload(task, f"{task.prefix}events.jsonl.gz", parts())
    return lap


def parquet(task: Task) -> Lap:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def parts() -> Iterator[bytes]:
        target = _Growing()
        writer = None
        for path in task.files("events"):
            for batch in pq.ParquetFile(path).iter_batches(columns=list(EVENT_FILE_COLUMNS)):
                writer = writer or pq.ParquetWriter(target, batch.schema, compression="zstd")
                writer.write_table(pa.Table.from_batches([batch]))
                yield target.take()
        if writer:
            writer.close()
        yield target.take()

    with stopwatch() as lap:
        _upload(task, f"{task.prefix}events.parquet", parts())
    return lap


def into_postgres(task: Task) -> Lap:
    with connected(task) as connection:
        make_table(connection)
        with stopwatch() as lap:
            rows = _rows(task.files("events"), EVENT_TABLE_COLUMNS)
            _copy(connection, "events", EVENT_TABLE_COLUMNS, rows)
    lap.table = "events"
    return lap


def persons(task: Task) -> Lap:
    types = (
        "team_id bigint, distinct_id text, person_id text, properties jsonb, "
        "person_distinct_id_version bigint, person_version bigint, created_at timestamptz"
    )
    morning, afternoon = task.files("persons")
    with connected(task) as connection:
        for name in ("persons", "stage_persons"):
            connection.execute(
                f"CREATE TABLE {SCHEMA}.{name} ({types}, "
                "PRIMARY KEY (team_id, distinct_id))".encode()
            )
        _copy(connection, "persons", PERSON_COLUMNS, _rows([morning], PERSON_COLUMNS))
        with stopwatch() as lap:
            _copy(connection, "stage_persons", PERSON_COLUMNS, _rows([afternoon], PERSON_COLUMNS))
            connection.execute(_MERGE.encode())
            connection.execute(f"DROP TABLE {SCHEMA}.stage_persons".encode())
    lap.table = "persons"
    return lap


def into_redshift(task: Task) -> Lap:
    """Of events, which need no merge where JSON is VARCHAR; here it is SUPER, by JSON_PARSE."""
    import psycopg
    from psycopg import sql

    assert task.redshift
    types = {
        **dict.fromkeys(EVENT_TABLE_COLUMNS, "VARCHAR(200)"),
        **dict.fromkeys(_JSON[:1] + _JSON[2:], "SUPER"),
        "team_id": "INTEGER",
        "timestamp": "TIMESTAMPTZ",
    }
    stage = {n: t.replace("SUPER", "VARBYTE(16777216)") for n, t in types.items()}
    with psycopg.connect(
        task.redshift.url, autocommit=True, client_encoding="utf8", prepare_threshold=None
    ) as connection:
        for name, columns in (("events", types), ("stage_events", stage)):
            told = ", ".join(f'"{column}" {type_}' for column, type_ in columns.items())
            connection.execute(f"CREATE TABLE {SCHEMA}.{name} ({told})".encode())
        begin = f"INSERT INTO {SCHEMA}.stage_events VALUES ".encode()
        row = sql.SQL("({})").format(sql.SQL(",").join(sql.Placeholder() * len(types)))
        cursor = psycopg.ClientCursor(connection)
        with stopwatch() as lap:
            statement = bytearray(begin)
            for rows in _rows(task.files("events"), EVENT_TABLE_COLUMNS):
                for values in rows:
                    statement += cursor.mogrify(row, list(values.values())).encode() + b","
                    if len(statement) > _STATEMENT:
                        connection.execute(bytes(statement[:-1]))
                        statement = bytearray(begin)
            if len(statement) > len(begin):
                connection.execute(bytes(statement[:-1]))
            chosen = ", ".join(
                f'JSON_PARSE("{name}")' if name in _JSON else f'"{name}"' for name in types
            )
            connection.execute(
                f"INSERT INTO {SCHEMA}.events SELECT {chosen} FROM {SCHEMA}.stage_events".encode()
            )
    lap.table = "events"
    return lap


def _rows(paths: Sequence[str], columns: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=list(columns)):
            yield batch.select(list(columns)).to_pylist()


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    import orjson

    lines = []
    for row in rows:
        for name in _JSON:
            if row.get(name) is not None:
                row[name] = orjson.loads(row[name])
        lines.append(gzip.compress(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)))
    return b"".join(lines)


def _upload(task: Task, key: str, pieces: Iterable[bytes]) -> None:
    import boto3
    from botocore.config import Config

    assert task.s3
    client = boto3.client(
        "s3",
        endpoint_url=task.s3.endpoint,
        aws_access_key_id=task.s3.key_id,
        aws_secret_access_key=task.s3.secret,
        region_name=task.s3.region,
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=25),
    )
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    parts: list[Future[dict[str, Any]]] = []
    with ThreadPoolExecutor(5) as pool:

        def send(number: int, body: bytes) -> dict[str, Any]:
            told = client.upload_part(
                Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body
            )
            return {"PartNumber": number, "ETag": told["ETag"]}

        held = bytearray()
        for piece in pieces:
            held += piece
            if len(held) >= _PART:
                if len(parts) >= 5:
                    parts[-5].result()
                parts.append(pool.submit(send, len(parts) + 1, bytes(held)))
                held.clear()
        if held:
            parts.append(pool.submit(send, len(parts) + 1, bytes(held)))
    client.complete_multipart_upload(
        Bucket=BUCKET,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [part.result() for part in parts]},
    )


def _copy(
    connection: "psycopg.Connection[Any]",
    table: str,
    columns: Sequence[str],
    batches: Iterable[list[dict[str, Any]]],
) -> None:
    """A COPY and a transaction for each chunk."""
    names = ", ".join(f'"{name}"' for name in columns)
    statement = (
        f"COPY {SCHEMA}.{table} ({names}) FROM STDIN "
        "WITH (FORMAT CSV, DELIMITER E'\\t', NULL '', HEADER FALSE)"
    )
    held = io.StringIO()
    writer = csv.DictWriter(held, columns, delimiter="\t", quoting=csv.QUOTE_MINIMAL)

    def send() -> None:
        with connection.transaction(), connection.cursor().copy(statement.encode()) as copy:
            copy.write(_BROKEN.sub(b"", held.getvalue().encode()))
        held.seek(0)
        held.truncate()

    for rows in batches:
        writer.writerows(rows)
        if held.tell() >= _CHUNK:
            send()
    if held.tell():
        send()


class _Growing(io.RawIOBase):
    """A file that is handed on while it is written; it knows how long it is by now."""

    def __init__(self) -> None:
        self._held, self._length = bytearray(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._held += piece
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"PostHog's way": parquet},
    "s3-jsonlines": {"PostHog's way": json_lines},
    "postgres": {"PostHog's way": into_postgres},
    "persons": {"PostHog's way": persons},
    "redshift-insert": {"PostHog's way": into_redshift},
}
