"""Files on S3, and what the emulator's COPY makes of them."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from batch_exports.local import seaweedfs
from batch_exports.local.redshift.copy_statement import parse_copy
from batch_exports.local.redshift.load import Load, TargetColumn, load
from batch_exports.local.redshift.objects import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROLE = "arn:aws:iam::123456789012:role/loader"

# How the backend holds Redshift's own types.
_BACKEND = {"super": "json", "varbyte": "bytea", "char": "text", "varchar": "text"}


def column(declared: str, name: str = "c") -> TargetColumn:
    """A column of a type such as `varchar(10)`, `numeric(4,2) not null`."""
    type_, *constraint = declared.split(maxsplit=1)
    base, _, rest = type_.partition("(")
    numbers = [int(number) for number in rest.rstrip(")").split(",") if number]
    nullable = not constraint
    if base == "numeric":
        return TargetColumn(name, base, None, nullable, *numbers)
    return TargetColumn(name, base, numbers[0] if numbers else None, nullable)


def columns(**declared: str) -> list[TargetColumn]:
    return [column(type_, name) for name, type_ in declared.items()]


def parquet(table: pa.Table | dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), sink, **options)
    return sink.getvalue()


@dataclass(frozen=True)
class Copying:
    """A folder to load from, and a database to load into."""

    server: seaweedfs.Server
    bucket: str
    folder: str
    connection: psycopg.Connection[Any]
    storage: Storage = field(init=False)

    def __post_init__(self) -> None:
        keys = self.server.admin.access_key_id, self.server.admin.secret_access_key
        storage = Storage(self.server.endpoint, "us-east-1", {ROLE: keys}, ROLE)
        object.__setattr__(self, "storage", storage)

    @cached_property
    def client(self) -> "S3Client":
        return self.server.client()

    def key(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def uri(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.key(name)}"

    def put(self, key: str, content: bytes | str) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.client.put_object(Bucket=self.bucket, Key=self.key(key), Body=body)

    def put_manifest(self, *entries: dict[str, Any], key: str = "manifest") -> None:
        self.put(key, json.dumps({"entries": list(entries)}))

    def entry(self, key: str, length: int | None = None, **more: Any) -> dict[str, Any]:
        meta = {} if length is None else {"meta": {"content_length": length}}
        return {"url": self.uri(key), **meta, **more}

    def begin(
        self,
        target: Sequence[TargetColumn],
        options: str,
        *,
        source: str = "data/",
        listed: str = "",
        large_strings: bool = False,
    ) -> Load:
        """A COPY of what lies under `source`, with the rights of the default role."""
        given = any(word in options for word in ("IAM_ROLE", "ACCESS_KEY_ID", "CREDENTIALS"))
        rights = "" if given else "IAM_ROLE default"
        statement = f"COPY exports.t {listed} FROM '{self.uri(source)}' {rights} {options}"
        storage = replace(self.storage, large_strings=large_strings)
        return load(parse_copy(statement), target, storage)

    def rows(
        self, target: Sequence[TargetColumn], options: str, **more: Any
    ) -> list[tuple[str | None, ...]]:
        """The rows that a COPY loads, in PostgreSQL's text form."""
        return self.landed(self.begin(target, options, **more), target)

    def landed(self, loading: Load, target: Sequence[TargetColumn]) -> list[tuple[str | None, ...]]:
        definitions = [
            sql.SQL("{} {}").format(
                sql.Identifier(column.name), sql.SQL(_BACKEND.get(column.type, column.type))
            )
            for column in target
        ]
        with self.connection.transaction(force_rollback=True), self.connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE TEMP TABLE t ({})").format(sql.SQL(", ").join(definitions))
            )
            with cursor.copy("COPY t FROM STDIN (FORMAT BINARY)") as into:
                for chunk in loading.chunks():
                    into.write(chunk)
            shown = [sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in target]
            cursor.execute(
                sql.SQL("SELECT {} FROM t ORDER BY ctid").format(sql.SQL(", ").join(shown))
            )
            rows = cursor.fetchall()
        assert len(rows) == loading.rows
        return rows


def drained(loading: Load) -> Load:
    """The COPY, read to its end."""
    for _ in loading.chunks():
        pass
    return loading
