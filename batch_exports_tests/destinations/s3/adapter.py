"""S3 as the suite of all destinations sees it, and as other tests read what landed there."""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import brotli  # type: ignore[import-untyped]
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.destinations.s3.keys import KeyTemplate
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports_tests.destinations.rows import Row, as_rows, in_order, read_json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NO_DATA = ("_manifest.json", "_lock.json", "_rejects.arrow")
_LONE_SURROGATES = "[\ud800-\udfff]"


@dataclass(frozen=True)
class S3Adapter:
    """A prefix of a bucket, and how to write there. `settings` are defaults of `destination`."""

    connection: dict[str, Any]
    bucket: str
    prefix: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def client(self) -> "S3Client":
        return client(**self.connection)

    @property
    def replaced(self) -> str:
        return _LONE_SURROGATES

    @property
    def refused(self) -> frozenset[str]:
        return frozenset()

    @property
    def killed_runs_leave_parts(self) -> bool:
        return True

    def having(self, **settings: Any) -> "S3Adapter":
        return replace(self, settings={**self.settings, **settings})

    def destination(self, projection: Projection, **settings: Any) -> S3Destination:
        given = {**_DEFAULTS, **self.settings, **settings}
        file_format, style = given["file_format"], given.pop("style")
        template = KeyTemplate.parse(
            self.prefix + given.pop("key_prefix"),
            table=projection.model.name,
            style=style,
            file_extension={"parquet": "parquet", "jsonlines": "jsonl"}[file_format],
            compression=given["compression"],
            codec_suffix=given.pop("codec_suffix"),
            numbered=bool(given["max_file_bytes"]),
        )
        given["on_unrepresentable"] = OnUnrepresentable(given["on_unrepresentable"])
        return S3Destination(
            **{"client": self.client, "bucket": self.bucket, **given},
            template=template,
            projection=projection,
        )

    def listed(self, prefix: str | None = None) -> list[str]:
        """All keys that begin with a prefix; the adapter's own without it."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix if prefix is None else prefix
        )
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def data_keys(self, destination: S3Destination, interval: DataInterval) -> list[str]:
        """What a reader who knows nothing of manifests takes for the interval's data."""
        stem = destination.uri(interval).removeprefix(f"s3://{self.bucket}/")
        return [key for key in self.listed(stem) if not key.endswith(_NO_DATA)]

    def manifest(self, destination: S3Destination, interval: DataInterval) -> dict[str, Any]:
        stem = destination.uri(interval).removeprefix(f"s3://{self.bucket}/")
        manifest: dict[str, Any] = json.loads(self.body(f"{stem}_manifest.json"))
        return manifest

    def body(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def read(self, destination: S3Destination, interval: DataInterval) -> list[Row]:
        return self.read_keys(self.data_keys(destination, interval))

    def read_keys(self, keys: list[str]) -> list[Row]:
        return in_order([row for key in keys for row in read_object(key, self.body(key))])

    def originals(self, destination: S3Destination, interval: DataInterval) -> list[Row]:
        manifest = self.manifest(destination, interval)
        bodies = [self.body(item["key"]) for item in _rejects(manifest)]
        return [row for body in bodies for row in pa.ipc.open_file(body).read_all().to_pylist()]

    def leftovers(self) -> list[str]:
        named = set[str]()
        for key in self.listed():
            if key.endswith("_manifest.json"):
                manifest = json.loads(self.body(key))
                rejects = [item["key"] for item in _rejects(manifest)]
                named |= {key, *manifest["files"], *rejects}
        return [*sorted({*self.listed()} - named), *(key for key, _ in self.unfinished())]

    def unfinished(self) -> Iterator[tuple[str, str]]:
        """Key and id of each multipart upload that was begun under the prefix, and never ended."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket)
        for page in pages:
            for item in page.get("Uploads", []):
                if item["Key"].startswith(self.prefix):
                    yield item["Key"], item["UploadId"]

    def has_begun(self) -> bool:
        return any(
            self.client.list_parts(Bucket=self.bucket, Key=key, UploadId=upload).get("Parts")
            for key, upload in self.unfinished()
        )

    def tamper(self, destination: S3Destination, interval: DataInterval, rows: pa.Table) -> None:
        [key] = self.data_keys(destination, interval)
        self.client.put_object(Bucket=self.bucket, Key=key, Body=_encoded(key, rows))


_DEFAULTS: dict[str, Any] = {
    "export": "events_archive",
    "file_format": "parquet",
    "compression": "zstd",
    "style": "safe",
    "key_prefix": "{table}/{year}-{month}-{day}/",
    "codec_suffix": True,
    "max_file_bytes": 0,
    "headers": {},
    "on_unrepresentable": "replace",
}


def _rejects(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [manifest["rejects"], *manifest["more_rejects"]] if manifest["rejects"] else []


@cache
def client(**connection: Any) -> "S3Client":
    """The client that runs get; one for all tests, since making it takes a tenth of a second."""
    return S3ConnectionResource(**connection).client()


def read_object(key: str, body: bytes) -> list[Row]:
    """A data file's rows, by readers that had no part in writing it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(body)
        return _read_parquet(path) if ".parquet" in key else _read_lines(key, path)


def _read_parquet(path: Path) -> list[Row]:
    # DuckDB shows JSON as text; the file's own schema says which columns are JSON.
    schema = pq.read_schema(path)
    with closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()
    columns = [
        pa.chunked_array(
            [pa.ExtensionArray.from_storage(f.type, c.cast(pa.string())) for c in column.chunks],
            f.type,
        )
        if f.type.equals(pa.json_())
        else column
        for f, column in zip(schema, found.columns, strict=True)
    ]
    return as_rows(pa.Table.from_arrays(columns, names=found.column_names))


def _read_lines(key: str, path: Path) -> list[Row]:
    match key.rpartition(".")[2]:
        case "jsonl":
            text = path.read_bytes()
        case "gz":
            text = gzip.decompress(path.read_bytes())
        case "br":
            text = brotli.decompress(path.read_bytes())
        case "zst":
            text = _read_zstd(path)
    assert text.endswith(b"\n")
    return [_line(line) for line in io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="\n")]


def _read_zstd(path: Path) -> bytes:
    with closing(duckdb.connect()) as connection:
        lines = connection.execute(
            "SELECT json FROM read_json_objects(?, format = 'newline_delimited', "
            "compression = 'zstd', maximum_object_size = 100_000_000)",
            [str(path)],
        ).fetchall()
    return b"".join(line.encode() + b"\n" for (line,) in lines)


def _line(line: str) -> Row:
    row: Row = read_json(line)
    for name in ("timestamp", "created_at", "_inserted_at"):
        if row.get(name) is not None:
            row[name] = datetime.fromisoformat(row[name])
    return row


def _encoded(key: str, rows: pa.Table) -> bytes:
    """Rows in the form that the key's ending tells."""
    if ".parquet" in key:
        sink = io.BytesIO()
        pq.write_table(rows, sink)
        return sink.getvalue()
    assert key.endswith(".gz")
    lines = [json.dumps(row, default=str) for row in rows.to_pylist()]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())
