"""Whether what was delivered is what was in the lake, by an independent reader."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from batch_exports.local.postgres_server import Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def fingerprint_of_lake(lake: Path) -> tuple[object, ...]:
    return _fingerprint(f"read_parquet('{lake}/events/*.parquet')", "inserted_at")


def fingerprint_of_delivery(
    client: "S3Client", bucket: str, file_format: str
) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder:
        keys = [
            item["Key"]
            for item in client.list_objects_v2(Bucket=bucket, Prefix=f"{file_format}/")["Contents"]
            if ".parquet" in item["Key"] or ".jsonl" in item["Key"]
        ]
        for number, key in enumerate(keys):
            ending = ".parquet" if ".parquet" in key else ".jsonl.gz"
            client.download_file(bucket, key, f"{folder}/{number}{ending}")
        if file_format == "parquet":
            rows = f"read_parquet('{folder}/*.parquet')"
        else:
            columns = "uuid: 'VARCHAR', event: 'VARCHAR', timestamp: 'TIMESTAMPTZ', "
            columns += "properties: 'JSON', _inserted_at: 'TIMESTAMPTZ'"
            files = f"'{folder}/*.jsonl.gz', format='newline_delimited'"
            rows = f"read_json({files}, columns={{{columns}}})"
        return _fingerprint(rows, "_inserted_at")


def _fingerprint(rows: str, arrived: str) -> tuple[object, ...]:
    # DuckDB strips white space from the JSON in JSON lines; `json` does so on both sides.
    return duckdb.sql(
        f"select count(*), count(distinct uuid), sum(hash(uuid, event, epoch_us(timestamp), "
        f"json(properties), epoch_us({arrived}))::hugeint) from {rows}"
    ).fetchall()[0]


_COMPARED = {
    "postgres": (
        "uuid || event || distinct_id || round(extract(epoch from timestamp) * 1000000)::bigint "
        "|| (properties->>'$insert_id') || (properties->>'headline')",
        "SELECT uuid || event || distinct_id || epoch_us(timestamp) "
        "|| (properties::json->>'$.\"$insert_id\"') || (properties::json->>'headline') AS row "
        "FROM read_parquet('{lake}/events/*.parquet')",
    ),
    "persons": (
        "team_id || distinct_id || person_version || (properties->>'visits')",
        "SELECT team_id || distinct_id || max(person_version) "
        "|| (1 + max(person_version)) AS row "
        "FROM read_parquet('{lake}/persons/*.parquet') GROUP BY team_id, distinct_id",
    ),
}


def postgres_equals_lake(hop: str, lake: Path, server: Server) -> bool:
    """Whether the table's rows, by their keys and some values, are the lake's."""
    row, query = _COMPARED[hop]
    table = "events" if hop == "postgres" else hop
    with server.connect() as connection:
        found = connection.execute(
            f"SELECT count(*), sum(('x' || left(md5({row}), 12))::bit(48)::bigint) "
            f"FROM bench.{table}".encode()
        ).fetchone()
    rows = query.format(lake=lake)
    [expected] = duckdb.sql(
        f"SELECT count(*), sum(('0x' || left(md5(row), 12))::bigint) FROM ({rows})"
    ).fetchall()
    return found is not None and tuple(map(int, found)) == tuple(map(int, expected))
