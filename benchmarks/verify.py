"""Whether what was delivered is what was in the lake, by an independent reader."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

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
