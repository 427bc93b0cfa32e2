"""ClickHouse itself, which writes to S3: https://clickhouse.com/docs/sql-reference/table-functions/s3"""

from collections.abc import Callable, Mapping

from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import BUCKET, EVENT_FILE_COLUMNS, Task

PACKAGES = ("clickhouse-connect",)
_TEXTS = ("uuid", "person_id")


def insert_into_s3(task: Task) -> Lap:
    import clickhouse_connect

    assert task.clickhouse and task.s3
    place, store = task.clickhouse, task.s3
    client = clickhouse_connect.get_client(
        host="127.0.0.1",
        port=place.port,
        username=place.user,
        password=place.password,
        database=place.database,
    )
    columns = ", ".join(
        f"toString({name}) AS {name}" if name in _TEXTS else name for name in EVENT_FILE_COLUMNS
    )
    target = f"{store.endpoint}/{BUCKET}/{task.prefix}events.parquet"
    with stopwatch() as lap:
        client.command(
            f"INSERT INTO FUNCTION s3('{target}', '{store.key_id}', '{store.secret}', 'Parquet') "
            f"SELECT {columns} FROM events SETTINGS output_format_parquet_compression_method = "
            "'zstd', output_format_parquet_string_as_string = 1"
        )
    return lap


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "clickhouse-to-s3": {"ClickHouse, INSERT INTO FUNCTION s3": insert_into_s3}
}
